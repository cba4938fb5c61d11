"""Whether the state of an estimator makes sense: what a checksum can't tell, since a forger can make one."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.layout import FeatureLayout
from sklearn_din.nn import DIN
from sklearn_din.persistence._refusal import refuse
from sklearn_din.preprocessing import BehaviorEncoder

_FITTED = (
    "n_features_in_",
    "feature_names_in_",
    "layout_",
    "device_",
    "history_",
    "n_epochs_",
    "best_epoch_",
    "best_score_",
    "score_name_",
    "_architecture",
    "_weights",
)
FITTED: dict[type[BaseEstimator], tuple[str, ...]] = {
    BehaviorEncoder: ("n_features_in_", "feature_names_in_", "_encoding"),
    DINClassifier: (*_FITTED, "classes_", "_class_weights"),
    DINRegressor: (*_FITTED, "_mean", "_scale"),
}
PIPELINE = {"memory", "steps", "transform_input", "verbose"}
MOST_THREADS = 1024
DEVICES = re.compile(r"(cpu|cuda|mps|xpu)(:[0-9]+)?")


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
    _check_parameters(cls, state)
    n_threads = state["n_threads"]
    if n_threads is not None and (type(n_threads) is not int or n_threads > MOST_THREADS):
        refuse("n_threads", n_threads, f"a whole number up to {MOST_THREADS}")
    if state["callbacks"] is not None or not isinstance(state["scoring"], str):
        refuse("callbacks and scoring", (state["callbacks"], state["scoring"]), "None and a name")
    cls(**state["_architecture"])._validate_params()
    layout = FeatureLayout.from_json(state["layout_"])
    sizes = [state["_architecture"][name] for name in ("hidden_layer_sizes", "attention_hidden_layer_sizes")]
    n_layers = len(layout.tables) + len(sizes[0]) + len(sizes[1]) * len(layout.sequences)
    if n_layers > len(state["_weights"]) + len(sizes[1]):  # before memory is taken for them
        refuse("the number of layers", n_layers, f"that of {len(state['_weights'])} arrays of weights")
    width = len(layout.columns) + len(layout.list_columns) * (layout.max_length - 1)
    if state["n_features_in_"] != width:
        refuse("n_features_in_", state["n_features_in_"], width)
    names = state.get("feature_names_in_")
    if (names is None and layout.list_columns) or (names is not None and names.shape != (width,)):
        refuse("feature_names_in_", names, f"{width} names")
    if names is not None and tuple(names) != layout.padded_names:
        refuse("feature_names_in_", names, "the names of the columns")
    for name in ("n_features_in_", "n_epochs_", "best_epoch_"):
        if type(state[name]) is not int or state[name] < 1:
            refuse(name, state[name], "a whole number from 1 on")
    if state["best_score_"] is not None:
        _check_number("best_score_", state["best_score_"])
    if not isinstance(state["score_name_"], str):
        refuse("score_name_", state["score_name_"], "a text")
    if not DEVICES.fullmatch(state["device_"]):  # PyTorch imports a module of the name of another one
        refuse("device_", state["device_"], "cpu, cuda, mps or xpu, with a number or without")
    for record in state["history_"]:
        for name, number in record.items():
            _check_number(f"history_ ({name})", number)
    for name, values in state["_weights"].items():
        is_variance = name.endswith("running_var")
        if not np.isfinite(values).all() or (is_variance and (values < 0).any()):
            refuse("_weights", name, "finite numbers")
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
    _check_parameters(cls, state)
    columns = state["_encoding"]["names"]
    if state["n_features_in_"] != len(columns):
        refuse("n_features_in_", state["n_features_in_"], len(columns))
    numeric = state["_encoding"]["numeric"]
    if numeric is not None and "transformer" in numeric:
        check_is_fitted(numeric["transformer"])
    if ("feature_names_in_" in state) != state["_encoding"]["is_named"]:
        refuse("feature_names_in_", state.get("feature_names_in_"), "there where columns have names")
    if "feature_names_in_" in state and list(state["feature_names_in_"]) != columns:
        refuse("feature_names_in_", state["feature_names_in_"], "the names of its columns")


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
            refuse(f"Row 0 of the table {name!r}", weight[0].tolist(), "zero: it pads")


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
    if not set(state) <= PIPELINE:
        refuse("attributes", sorted(set(state) - PIPELINE), "those of a Pipeline")
    if state["memory"] is not None:  # joblib would unpickle what lies in that folder
        refuse("memory", state["memory"], None)
    routed = state["transform_input"]
    if routed is not None and not all(isinstance(name, str) for name in routed):
        refuse("transform_input", routed, "names")
    names = [name for name, _ in state["steps"]]
    steps = [step for _, step in state["steps"]]
    if len(set(names)) < len(names) or not all(isinstance(name, str) and name and "__" not in name for name in names):
        refuse("names of steps", names, "strings without __, each once")
    used = [step for step in steps if step is not None and step != "passthrough"]
    kinds = [type(step).__name__ for step in used]
    if not used or not all(isinstance(step, BaseEstimator) for step in used):
        refuse("steps", kinds, "estimators")
    if not all(hasattr(step, "transform") for step in used[:-1]):
        refuse("steps", kinds, "transformers, but for the last one")
    for first, second in pairwise(used):
        is_pair = isinstance(first, BehaviorEncoder) and isinstance(second, DINClassifier | DINRegressor)
        if isinstance(first, BehaviorEncoder) and not is_pair:
            refuse("what comes after an encoder", kinds, "a network")
        if is_pair and first.layout_ != second.layout_:
            refuse("the columns of the network", second.layout_.columns, "those of the encoder, with its vocabularies")


def _check_parameters(cls: type[BaseEstimator], state: Mapping[str, Any]) -> None:
    """Raise unless the parameters are those that the class allows, and the rest are attributes that it has."""
    parameters = cls().get_params(deep=False)
    unknown = set(state) - set(parameters) - set(FITTED[cls])
    if unknown:
        refuse("attributes", sorted(unknown), f"those of a {cls.__name__}")
    cls(**{name: state[name] for name in parameters})._validate_params()


def _check_target(cls: type[BaseEstimator], state: Mapping[str, Any]) -> None:
    if cls is DINRegressor:
        for name in ("_mean", "_scale"):
            _check_number(name, state[name])
        if state["_scale"] <= 0 or not np.isfinite([state["_mean"], state["_scale"]]).all():
            refuse("mean and scale", (state["_mean"], state["_scale"]), "finite, and the scale positive")
        return
    classes, weights = state["classes_"], state["_class_weights"]
    is_plain = classes.dtype.kind in "biufU" or all(isinstance(label, str) for label in classes.ravel())
    if not is_plain or classes.ndim != 1 or len(classes) < 2 or not np.array_equal(np.unique(classes), classes):
        refuse("classes_", classes, "two values or more, each once, in order")
    if weights is not None and (weights.shape != classes.shape or not (np.isfinite(weights) & (weights >= 0)).all()):
        refuse("weights of classes", weights, "one for each class")


def _check_number(name: str, value: Any) -> None:
    if type(value) not in (int, float):
        refuse(name, value, "a number")
