"""A sample of real purchases and coupons, and clicks whose cause is known."""

from sklearn_din.datasets._clicks import make_clicks
from sklearn_din.datasets._grocery import load_grocery, load_grocery_coupons

__all__ = ["load_grocery", "load_grocery_coupons", "make_clicks"]
