"""Fully connected networks in a graph, with the weights of the module as they are."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import nn

from sklearn_din.nn import MLP, Dice
from sklearn_din.nn._layers import BatchNormalization
from sklearn_din.persistence._onnx._graph import GraphBuilder

_PLAIN = {nn.ReLU: "Relu", nn.Sigmoid: "Sigmoid", nn.Tanh: "Tanh"}


def mlp(graph: GraphBuilder, module: MLP, x: str) -> str:
    """Add a fully connected network.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    module : MLP
        Has the weights.
    x : str
        Name of its input, (n, in_features).

    Returns
    -------
    str
        Name of its output, (n, out_features).
    """
    return _layers(graph, [*module.hidden, module.output], x)


def mlp_after_first(graph: GraphBuilder, module: MLP, x: str) -> str:
    """Add a fully connected network without its first linear layer.

    Parameters
    ----------
    graph, module
        As for ``mlp``.
    x : str
        Name of the output of the first layer, (n, units).

    Returns
    -------
    str
        Name of its output, (n, out_features).
    """
    return _layers(graph, [*module.hidden, module.output][1:], x)


def _layers(graph: GraphBuilder, layers: Iterable[nn.Module], x: str) -> str:
    for layer in layers:
        x = _layer(graph, layer, x)
    return x


def _layer(graph: GraphBuilder, layer: Any, x: str) -> str:
    if isinstance(layer, nn.Linear):
        return graph.op("Gemm", x, graph.weight(layer.weight), graph.weight(layer.bias), transB=1)
    if isinstance(layer, BatchNormalization):
        return _normalized(graph, layer, x)
    if isinstance(layer, Dice):
        return _dice(graph, layer, x)
    if isinstance(layer, nn.PReLU):
        return graph.op("PRelu", x, graph.weight(layer.weight))
    kind = _PLAIN.get(type(layer))
    return x if kind is None else graph.op(kind, x)  # dropout does nothing


def _dice(graph: GraphBuilder, layer: Dice, x: str) -> str:
    """Return ``x (alpha + (1 - alpha) p)``, the paper's equation 9."""
    p = graph.op("Sigmoid", _normalized(graph, layer.normalization, x))
    alpha = graph.weight(layer.alpha)
    rest = graph.op("Sub", graph.constant(1, np.float32), alpha)
    return graph.op("Mul", x, graph.op("Add", alpha, graph.op("Mul", rest, p)))


def _normalized(graph: GraphBuilder, layer: BatchNormalization, x: str) -> str:
    """Return ``x scale + shift``; ONNX Runtime computes both from the statistics once, when it loads the graph."""
    variance = graph.op("Add", graph.weight(layer.running_var), graph.constant(layer.eps, np.float32))
    scale = graph.op("Reciprocal", graph.op("Sqrt", variance))
    if layer.weight is not None:
        scale = graph.op("Mul", scale, graph.weight(layer.weight))
    shift = graph.op("Mul", graph.op("Neg", graph.weight(layer.running_mean)), scale)
    if layer.bias is not None:
        shift = graph.op("Add", shift, graph.weight(layer.bias))
    return graph.op("Add", graph.op("Mul", x, scale), shift)
