"""Answers of a fitted pipeline in a service."""

from sklearn_din.serving._ranking import rank_candidates

__all__ = ["rank_candidates"]
