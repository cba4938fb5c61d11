"""The Deep Interest Network as a scikit-learn estimator; names load on first use, so that encoding needs no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_din.estimators import DINClassifier, DINRegressor
    from sklearn_din.preprocessing import BehaviorEncoder

__all__ = ["BehaviorEncoder", "DINClassifier", "DINRegressor", "__version__"]

__version__ = "0.1.0.dev0"

_HOMES = {
    "BehaviorEncoder": "sklearn_din.preprocessing",
    "DINClassifier": "sklearn_din.estimators",
    "DINRegressor": "sklearn_din.estimators",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module 'sklearn_din' has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
