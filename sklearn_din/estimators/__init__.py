"""The scikit-learn estimators."""

from sklearn_din.estimators._classifier import DINClassifier

__all__ = ["DINClassifier"]
