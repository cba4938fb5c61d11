"""A sample of The Complete Journey: a year of grocery purchases, and coupon mailings that were redeemed or not."""

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_parameter_constraints

from sklearn_din.datasets._pandas import import_pandas
from sklearn_din.preprocessing._histories import build_histories

if TYPE_CHECKING:
    import pandas as pd

_PROFILE = ["age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"]
_MAX_LENGTH = 50


def load_grocery() -> Bunch:
    """Load the purchases, products, households and coupon mailings of 500 households.

    Returns
    -------
    Bunch
        With the attributes

        purchases : DataFrame of shape (137635, 3)
            Columns user, item and day, sorted by user and day. Purchases of one day have no order.
        products : DataFrame of shape (2303, 4)
            Columns item, category, department and name.
        households : DataFrame of shape (500, 8)
            Column user and seven columns of its profile: text, missing for many.
        coupons : DataFrame of shape (24489, 6)
            Columns user, item, coupon, campaign, day and redeemed (0 or 1), sorted by day.
        DESCR : str
            Where the data come from, their licence, and how the sample was taken.

    Raises
    ------
    ImportError
        If pandas is not installed.

    See Also
    --------
    load_grocery_coupons : The mailings as rows to learn from.

    Notes
    -----
    Days are counted from the first day of the year, which is 0. Names of products are cleaned lightly: a leading
    " / " is removed and runs of spaces become one.

    Examples
    --------
    >>> from sklearn_din.datasets import load_grocery
    >>> grocery = load_grocery()
    >>> grocery.products.loc[grocery.products["item"] == 5, "name"].item()
    'ORGANIC APPLES'
    >>> round(float(grocery.coupons["redeemed"].mean()), 4)
    0.0145
    """
    products = _read("items")
    names = products["name"].str.removeprefix(" / ").str.replace(r"\s+", " ", regex=True)
    return Bunch(
        purchases=_read("purchases"),
        products=products.assign(name=names),
        households=_read("users", dtype=dict.fromkeys(_PROFILE, str)),
        coupons=_read("coupons"),
        DESCR=(files("sklearn_din.datasets") / "data" / "README.md").read_text(encoding="utf-8"),
    )


def load_grocery_coupons(*, return_X_y: bool = False) -> "Bunch | tuple[pd.DataFrame, pd.Series]":  # noqa: N803
    """Load the coupon mailings with the purchases before them, to learn which are redeemed.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch or (DataFrame, Series)
        A Bunch has the attributes

        data : DataFrame of shape (24489, 13)
            One row per mailing, in order of day: household and campaign (categoricals), item and category of the
            coupon (integers), seven columns of the household's profile (text, missing for many), and the list
            columns hist_item and hist_category: the newest 50 purchases strictly before the day of the mailing,
            oldest first; empty where there are none.
        target : Series of shape (24489,)
            Whether the coupon was redeemed: 355 are 1, the rest 0.
        feature_names : list of str
            The columns of ``data``.
        frame : DataFrame of shape (24489, 14)
            ``data`` and the target as column redeemed.
        day : Series of shape (24489,)
            The day of the mailing, to split by.
        DESCR : str
            Where the data come from, their licence, and how the sample was taken.

    Raises
    ------
    ImportError
        If pandas is not installed.

    See Also
    --------
    load_grocery : The tables that the rows are built of.

    Examples
    --------
    >>> from sklearn_din.datasets import load_grocery_coupons
    >>> X, y = load_grocery_coupons(return_X_y=True)
    >>> X[["household", "campaign", "item", "category"]].head(2)
      household campaign  item  category
    0        25        1  1539       191
    1        25        1  1049       138
    """
    validate_parameter_constraints(
        {"return_X_y": ["boolean"]}, {"return_X_y": return_X_y}, caller_name="load_grocery_coupons"
    )
    grocery = load_grocery()
    category = grocery.products.set_index("item")["category"]
    purchases = grocery.purchases.assign(category=grocery.purchases["item"].map(category))
    coupons = grocery.coupons.assign(category=grocery.coupons["item"].map(category))
    rows = coupons.merge(grocery.households, on="user", how="left", validate="many_to_one")
    rows = build_histories(
        purchases, rows, user="user", time="day", behaviors=["item", "category"], max_length=_MAX_LENGTH
    )
    rows = rows.rename(columns={"user": "household"}).astype({"household": "category", "campaign": "category"})
    names = ["household", "campaign", "item", "category", *_PROFILE, "hist_item", "hist_category"]
    data, target = rows[names], rows["redeemed"]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=names,
        frame=rows[[*names, "redeemed"]],
        day=rows["day"],
        DESCR=grocery.DESCR,
    )


def _read(name: str, **options: Any) -> "pd.DataFrame":
    pd = import_pandas()
    with (files("sklearn_din.datasets") / "data" / f"grocery_{name}.csv.gz").open("rb") as file:
        return pd.read_csv(file, compression="gzip", **options)
