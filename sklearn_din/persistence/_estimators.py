"""Which estimators a file may hold, and the state that it holds of each."""

from collections.abc import Callable
from typing import Any

from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.persistence._meaning import (
    FITTED,
    PIPELINE,
    check_encoder,
    check_network,
    check_padding,
    check_pipeline,
)
from sklearn_din.persistence._transformers import TRANSFORMERS, build_transformer, transformer_state
from sklearn_din.preprocessing import BehaviorEncoder
from sklearn_din.utils._fit_tasks import OF_A_FIT

NETWORKS = (DINClassifier, DINRegressor)
ADDED = {"score_name_": "score"}  # fitted attributes that the first files of format 1 lack
CLASSES = {cls.__name__: cls for cls in (*TRANSFORMERS, *NETWORKS, BehaviorEncoder, Pipeline)}
SELECTIONS = {"categorical_features": "categorical", "numeric_features": "numeric", "bag_features": "bags"}
ROUTED = ("fit", "partial_fit", "predict", "predict_proba", "decision_function", "score", "transform")
# Attributes that are not missed.
NO_LOSS = {"_metadata_request", "_sklearn_version", "_parent_callback_ctx", "_statistics", *OF_A_FIT}
REQUESTS = "metadata_requests"  # in a state, of ``set_fit_request`` and the like; by method


def name_of(estimator: BaseEstimator) -> str | None:
    """Return the name under which a file holds an estimator; None if it can't.

    Parameters
    ----------
    estimator : estimator
        One of a subclass is not one of the class.

    Returns
    -------
    str or None
        The name of its class.
    """
    name = type(estimator).__name__
    return name if CLASSES.get(name) is type(estimator) else None


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
        Of one of ``CLASSES``.

    Returns
    -------
    state : dict of str to object
        Parameters and fitted attributes.
    left_out : list of str
        Names of the attributes that have a default in the file, since only ``fit`` needs them and they are no plain
        values, or that the library does not know.
    """
    requests = getattr(estimator, "_metadata_request", None)
    if isinstance(estimator, TRANSFORMERS):
        state, left_out = transformer_state(estimator), []
        if state["parameters"].get("n_jobs") is not None:
            state["parameters"]["n_jobs"] = None
            left_out = ["n_jobs"]
    else:
        state, left_out = _known_state(estimator)
    if requests is not None:
        found = {method: getattr(requests, method).requests for method in ROUTED if hasattr(requests, method)}
        state[REQUESTS] = {method: dict(request) for method, request in found.items() if request}
    return state, left_out


def _known_state(estimator: BaseEstimator) -> tuple[dict[str, Any], list[str]]:
    known = PIPELINE if isinstance(estimator, Pipeline) else _known_attributes(estimator)
    whole = dict(estimator.__getstate__())
    state = {name: value for name, value in whole.items() if name in known}
    left_out = [name for name in whole if name not in known | NO_LOSS]
    for name, default in _defaults_of(estimator, state).items():
        if state[name]:
            left_out.append(name)
        state[name] = default
    if isinstance(estimator, NETWORKS):
        state["device"] = str(state["device"])
    return state, left_out


def _known_attributes(estimator: BaseEstimator) -> set[str]:
    return {*estimator.get_params(deep=False), *FITTED[type(estimator)]}


def _defaults_of(estimator: BaseEstimator, state: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a file does not hold as they are, with what it holds instead."""
    defaults: dict[str, Any] = {}
    if state.get("callbacks") is not None:
        defaults["callbacks"] = None
    if isinstance(estimator, NETWORKS) and not isinstance(state["scoring"], str):
        defaults["scoring"] = "loss"
    if state.get("memory") is not None:
        defaults["memory"] = None
    for name, role in SELECTIONS.items():
        if callable(state.get(name)) and "_encoding" in state:
            chosen = state["_encoding"]["roles"][role]
            defaults[name] = [column for column in chosen if column not in estimator.layout_.candidates]
    return defaults


def estimator_of(name: str, state: dict[str, Any]) -> BaseEstimator:
    """Return the estimator of a state, which may be forged.

    Parameters
    ----------
    name : str
        One of ``CLASSES``.
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
    cls = CLASSES[name]
    requests = state.pop(REQUESTS, {})
    estimator = build_transformer(cls, state) if cls in TRANSFORMERS else _build(cls, state)
    with config_context(enable_metadata_routing=True):
        for method, request in requests.items():
            getattr(estimator, f"set_{method}_request")(**request)
    return estimator


def _build(cls: Any, state: dict[str, Any]) -> Any:
    if cls is Pipeline:
        check_pipeline(state)
        estimator = Pipeline(**state)
    else:
        # What the version which wrote the state did not have has its default.
        state = cls().get_params(deep=False) | (ADDED if cls in NETWORKS else {}) | state
        _CHECKS[cls](cls, state)
        estimator = cls.__new__(cls)
        estimator.__setstate__(state)
    if cls in NETWORKS:
        check_padding(estimator.module_)
    estimator._validate_params()
    return estimator


_CHECKS: dict[type[BaseEstimator], Callable[..., None]] = {
    BehaviorEncoder: check_encoder,
    DINClassifier: check_network,
    DINRegressor: check_network,
}
