"""The network that the parameters of an estimator describe."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn import DIN
from sklearn_din.utils._pieces import shown

LAYER_SIZES = ("attention_hidden_layer_sizes", "hidden_layer_sizes")
ARCHITECTURE = (
    "embedding_dim",
    *LAYER_SIZES,
    "attention_activation",
    "attention_normalization",
    "attention_interaction",
    "activation",
    "interest_product",
    "dropout",
    "attention_dropout",
    "behavior_dropout",
    "batch_norm",
    "candidate_bias",
    "pooling",
    "recency_embedding",
    "match_counts",
    "embedding_init_std",
)


def architecture_of(estimator: Any) -> dict[str, Any]:
    """Return the parameters of the network, layer sizes as tuples, so that equal networks have equal parameters.

    Parameters
    ----------
    estimator : estimator
        Its parameters are of the right types.

    Returns
    -------
    dict
        Parameters of ``nn.DIN``.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    architecture = {name: getattr(estimator, name) for name in ARCHITECTURE}
    for name in LAYER_SIZES:
        architecture[name] = tuple(_size(name, size) for size in np.asarray(architecture[name], dtype=object))
    width = architecture["embedding_dim"]
    if isinstance(width, Mapping):
        architecture["embedding_dim"] = {table: _size("embedding_dim", size) for table, size in width.items()}
    return architecture


def make_module(layout: FeatureLayout, n_outputs: int, architecture: Mapping[str, Any]) -> DIN:
    """Return a network with memory but no values, and without drawing random numbers.

    Parameters
    ----------
    layout : FeatureLayout
        Of its input.
    n_outputs : int
        Raw outputs per row.
    architecture : mapping
        Parameters of ``nn.DIN``.

    Returns
    -------
    DIN
        On the CPU; to be filled by ``reset_parameters``.
    """
    return _make_meta_module(layout, n_outputs, architecture).to_empty(device="cpu")


def load_module(
    layout: FeatureLayout, n_outputs: int, architecture: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]
) -> DIN:
    """Return a network with given values.

    Parameters
    ----------
    layout, n_outputs, architecture
        As for ``make_module``.
    weights : mapping of str to ndarray
        Its ``state_dict``; it is copied.

    Returns
    -------
    DIN
        On the CPU.

    Raises
    ------
    RuntimeError
        If their names or shapes are not those of such a network.
    TypeError
        If their types are not.
    """
    module = _make_meta_module(layout, n_outputs, architecture)
    types = {name: value.dtype for name, value in module.state_dict().items()}
    values = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    module.load_state_dict(values, assign=True)
    for name, value in values.items():
        if value.dtype != types[name]:
            msg = f"The weights {name!r} must be of type {types[name]}: they are of {value.dtype}."
            raise TypeError(msg)
    return module


def _make_meta_module(layout: FeatureLayout, n_outputs: int, architecture: Mapping[str, Any]) -> DIN:
    with torch.device("meta"):
        return DIN(layout, n_outputs=n_outputs, **architecture)


def _size(name: str, size: Any) -> int:
    if type(size) is bool or not isinstance(size, Integral) or size < 1:
        msg = f"{name} must hold positive integers: got {shown(size)}. Give the number of units or columns."
        raise ValueError(msg)
    return int(size)
