"""The network that the parameters of an estimator describe."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch

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
        On the CPU; to be filled by ``reset_parameters`` or ``load_state_dict``.
    """
    with torch.device("meta"):
        module = DIN(layout, n_outputs=n_outputs, **architecture)
    return module.to_empty(device="cpu")


def _size(name: str, size: Any) -> int:
    if type(size) is bool or not isinstance(size, Integral) or size < 1:
        msg = f"{name} must hold positive integers: got {shown(size)}. Give the number of units or columns."
        raise ValueError(msg)
    return int(size)
