"""Whether the state of an estimator makes sense: what a checksum can't tell, since a forger can make one."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.layout import FeatureLayout
from sklearn_din.nn import DIN
from sklearn_din.preprocessing import BehaviorEncoder
from sklearn_din.utils._pieces import shown

_FITTED = (
    "n_features_in_",
    "feature_names_in_",
    "layout_",
    "device_",
    "history_",
    "n_epochs_",
    "best_epoch_",
    "best_score_",
    "_architecture",
    "_weights",
)
FITTED = {
    DINClassifier: (*_FITTED, "classes_", "_class_weights"),
    DINRegressor: (*_FITTED, "_mean", "_scale"),
}


def check_network(cls: type[BaseEstimator], state: Mapping[str, Any]) -> None:
    """Raise unless a state is that of a fitted network.

    Shapes and types of the weights are for ``__setstate__``, which builds the network.

    Parameters
    ----------
    cls : type
        ``DINClassifier`` or ``DINRegressor``.
    state : mapping
        May be forged.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an attribute is missing, unknown, or of no sense.
    """
    parameters = cls().get_params(deep=False)
    unknown = set(state) - set(parameters) - set(FITTED[cls])
    if unknown:
        _raise("attributes", sorted(unknown), f"those of a {cls.__name__}")
    cls(**{name: state[name] for name in parameters})._validate_params()
    if state["callbacks"] is not None or not isinstance(state["scoring"], str):
        _raise("callbacks and scoring", (state["callbacks"], state["scoring"]), "None and a name")
    cls(**state["_architecture"])._validate_params()
    layout = FeatureLayout.from_json(state["layout_"])
    width = len(layout.columns) + len(layout.list_columns) * (layout.max_length - 1)
    if state["n_features_in_"] != width:
        _raise("n_features_in_", state["n_features_in_"], width)
    names = state.get("feature_names_in_")
    if (names is None and layout.list_columns) or (names is not None and names.shape != (width,)):
        _raise("feature_names_in_", names, f"{width} names")
    if names is not None and tuple(names) != layout.padded_names:
        _raise("feature_names_in_", names, "the names of the columns")
    for name in ("n_features_in_", "n_epochs_", "best_epoch_"):
        if type(state[name]) is not int or state[name] < 1:
            _raise(name, state[name], "a whole number from 1 on")
    if state["best_score_"] is not None:
        _check_number("best_score_", state["best_score_"])
    if not isinstance(state["device_"], str):
        _raise("device_", state["device_"], "a name")
    for record in state["history_"]:
        for name, number in record.items():
            _check_number(f"history_ ({name})", number)
    for name, values in state["_weights"].items():
        is_variance = name.endswith("running_var")
        if not np.isfinite(values).all() or (is_variance and (values < 0).any()):
            _raise("_weights", name, "finite numbers")
    _check_target(cls, state)


def check_encoder(cls: type[BaseEstimator], state: Mapping[str, Any]) -> None:
    """Raise unless a state is that of an encoder; what it has learnt is for ``__setstate__``.

    Parameters
    ----------
    cls : type
        ``BehaviorEncoder``.
    state : mapping
        May be forged.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an attribute is missing, unknown, or of no sense.
    """
    parameters = cls().get_params(deep=False)
    unknown = set(state) - set(parameters) - {"_encoding", "n_features_in_", "feature_names_in_"}
    if unknown:
        _raise("attributes", sorted(unknown), f"those of a {cls.__name__}")
    cls(**{name: state[name] for name in parameters})._validate_params()
    columns = state["_encoding"]["names"]
    if state["n_features_in_"] != len(columns):
        _raise("n_features_in_", state["n_features_in_"], len(columns))
    numeric = state["_encoding"]["numeric"]
    if numeric is not None and "transformer" in numeric:
        check_is_fitted(numeric["transformer"])
    if "feature_names_in_" in state and list(state["feature_names_in_"]) != columns:
        _raise("feature_names_in_", state["feature_names_in_"], "the names of its columns")


def check_padding(module: DIN) -> None:
    """Raise unless the vector of padding is zero in each table.

    Parameters
    ----------
    module : DIN
        Loaded.

    Raises
    ------
    ValueError
        If one is not.
    """
    tables = {name: module.embedding.weight(name) for name in module.embedding.layout.tables}
    if module.candidate_bias is not None:
        tables |= {f"the biases of {name}": weight for name, weight in module.candidate_bias.named_parameters()}
    for name, weight in tables.items():
        if weight[0].any():
            _raise(f"Row 0 of the table {name!r}", weight[0].tolist(), "zero: it pads")


def check_pipeline(state: Mapping[str, Any]) -> None:
    """Raise unless a state is that of a pipeline, with networks for the ids of the encoders before them.

    Parameters
    ----------
    state : mapping
        Parameters of a ``Pipeline``; may be forged.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is not so.
    """
    unknown = set(state) - {"steps", "transform_input", "verbose"}  # a cache folder would be unpickled from
    if unknown:
        _raise("attributes", sorted(unknown), "those of a Pipeline")
    steps = state["steps"]
    for name, step in steps:
        if not isinstance(name, str) or not (step is None or step == "passthrough" or isinstance(step, BaseEstimator)):
            _raise("a step", (name, step), "a name and an estimator")
    for (_, first), (_, second) in pairwise(steps):
        is_pair = isinstance(first, BehaviorEncoder) and isinstance(second, DINClassifier | DINRegressor)
        if is_pair and first.layout_ != second.layout_:
            _raise("the columns of the network", second.layout_.columns, "those of the encoder, with its vocabularies")


def _check_target(cls: type[BaseEstimator], state: Mapping[str, Any]) -> None:
    if cls is DINRegressor:
        for name in ("_mean", "_scale"):
            _check_number(name, state[name])
        if state["_scale"] <= 0 or not np.isfinite([state["_mean"], state["_scale"]]).all():
            _raise("mean and scale", (state["_mean"], state["_scale"]), "finite, and the scale positive")
        return
    classes, weights = state["classes_"], state["_class_weights"]
    if classes.ndim != 1 or len(classes) < 2 or not np.array_equal(np.unique(classes), classes):
        _raise("classes_", classes, "two values or more, each once, in order")
    if weights is not None and (weights.shape != classes.shape or not (np.isfinite(weights) & (weights >= 0)).all()):
        _raise("weights of classes", weights, "one for each class")


def _check_number(name: str, value: Any) -> None:
    if type(value) not in (int, float):
        _raise(name, value, "a number")


def _raise(name: str, value: Any, expected: Any) -> None:
    msg = f"{name} must be {expected}: got {shown(value)}"
    raise ValueError(msg)
