"""Which estimators a file may hold, and the state that it holds of each."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.persistence._meaning import FITTED, check_encoder, check_network, check_padding, check_pipeline
from sklearn_din.preprocessing import BehaviorEncoder

TRANSFORMERS: tuple[type[BaseEstimator], ...] = (
    Binarizer,
    ColumnTransformer,
    FeatureUnion,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    MissingIndicator,
    Normalizer,
    OneHotEncoder,
    PCA,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
    VarianceThreshold,
)
NETWORKS = (DINClassifier, DINRegressor)
KINDS = {kind.__name__: kind for kind in (*TRANSFORMERS, *NETWORKS, BehaviorEncoder, Pipeline)}
SELECTIONS = {"categorical_features": "categorical", "numeric_features": "numeric", "bag_features": "bags"}


def kind_of(estimator: BaseEstimator) -> str | None:
    """Return the name under which a file holds an estimator; None if it can't.

    Parameters
    ----------
    estimator : estimator
        Of a subclass is not of the class.

    Returns
    -------
    str or None
        The name of its class.
    """
    name = type(estimator).__name__
    return name if KINDS.get(name) is type(estimator) else None


def is_transformer(estimator: BaseEstimator) -> bool:
    """Return whether an estimator is a transformer of scikit-learn's, or a pipeline of such ones.

    Parameters
    ----------
    estimator : estimator
        Any.

    Returns
    -------
    bool
        False for our own, and for pipelines of them.
    """
    if isinstance(estimator, Pipeline):
        return all(isinstance(step, str | None) or is_transformer(step) for _, step in estimator.steps)
    return isinstance(estimator, TRANSFORMERS)


def state_of(estimator: BaseEstimator) -> tuple[dict[str, Any], list[str]]:
    """Return what a file holds of an estimator.

    Parameters
    ----------
    estimator : estimator
        Of one of ``KINDS``.

    Returns
    -------
    state : dict of str to object
        Parameters and fitted attributes.
    left_out : list of str
        What only ``fit`` needs and is no plain value.
    """
    if isinstance(estimator, Pipeline):
        state = {name: value for name, value in estimator.get_params(deep=False).items() if name != "memory"}
        return state, ["memory"] if estimator.memory is not None else []
    state = dict(estimator.__getstate__())
    left_out = ["its metadata requests"] if state.pop("_metadata_request", None) is not None else []
    if isinstance(estimator, NETWORKS):
        known = {*estimator.get_params(deep=False), *FITTED[type(estimator)]}
        left_out += [name for name in state if name not in known]
        state = {name: value for name, value in state.items() if name in known}
        state["device"] = str(state["device"])
        for name, default in type(estimator)().get_params(deep=False).items():
            if (name == "callbacks" and state[name]) or (name == "scoring" and not isinstance(state[name], str)):
                state[name] = default
                left_out.append(name)
    if isinstance(estimator, BehaviorEncoder):
        for name, role in SELECTIONS.items():
            if callable(state[name]) and "_encoding" in state:
                chosen = state["_encoding"]["roles"][role]
                state[name] = [column for column in chosen if column not in estimator.layout_.candidates]
                left_out.append(name)
    return state, left_out


def estimator_of(kind: str, state: dict[str, Any]) -> BaseEstimator:
    """Return the estimator of a state, which may be forged.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    state : dict of str to object
        What ``state_of`` gave.

    Returns
    -------
    estimator
        Its parameters are those that its class allows, its fitted attributes fit together.

    Raises
    ------
    AttributeError, LookupError, RuntimeError, TypeError, ValueError
        If the state describes no such estimator.
    """
    cls = KINDS[kind]
    if cls is Pipeline:
        check_pipeline(state)
        estimator = Pipeline(**state)
    else:
        if cls in _CHECKS:  # a parameter that the version which wrote the state did not have has its default
            state = cls().get_params(deep=False) | state
        _CHECKS.get(cls, _check_names)(cls, state)
        estimator = cls.__new__(cls)
        estimator.__setstate__(state)
    if cls in NETWORKS:
        check_padding(estimator.module_)
    if hasattr(estimator, "_parameter_constraints"):  # FeatureUnion has none
        estimator._validate_params()
    return estimator


def _check_names(cls: type[BaseEstimator], state: dict[str, Any]) -> None:
    """Raise where an attribute would hide a method."""
    for name in state:
        if not name.isidentifier() or name.startswith("__") or callable(getattr(cls, name, None)):
            msg = f"A {cls.__name__} has no attribute {name!r} of its own."
            raise AttributeError(msg)


_CHECKS: dict[type[BaseEstimator], Callable[..., None]] = {
    BehaviorEncoder: check_encoder,
    DINClassifier: check_network,
    DINRegressor: check_network,
}
