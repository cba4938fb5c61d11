"""The scikit-learn estimators."""

from sklearn_din.estimators._classifier import DINClassifier
from sklearn_din.estimators._regressor import DINRegressor

__all__ = ["DINClassifier", "DINRegressor"]
