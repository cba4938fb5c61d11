"""Metrics of ranking within users."""

from sklearn_din.metrics._gauc import gauc_score
from sklearn_din.metrics._improvement import relative_improvement
from sklearn_din.metrics._scorer import make_gauc_scorer

__all__ = ["gauc_score", "make_gauc_scorer", "relative_improvement"]
