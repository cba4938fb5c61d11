"""From the behaviors of a history to the interest in the candidate, in a graph."""

from typing import Any

import numpy as np

from sklearn_din.nn import ActivationUnit, AttentionPooling
from sklearn_din.persistence._onnx._graph import GraphBuilder
from sklearn_din.persistence._onnx._history import History, averaged, padded, summed
from sklearn_din.persistence._onnx._layers import mlp_after_first

_LOWEST = np.finfo(np.float32).min  # a score of what is no behavior


def pool(graph: GraphBuilder, pooling: Any, history: History, candidate: str, behaviors: str, n_columns: int) -> str:
    """Add the pooling of a sequence.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    pooling : AttentionPooling or UniformPooling
        Of the module.
    history : History
        Of the sequence.
    candidate : str
        Name of its candidate, (n_samples, embedding_dim); empty if no field has a counterpart.
    behaviors : str
        Name of its behaviors, (n_behaviors, n_columns).
    n_columns : int
        Columns of a behavior.

    Returns
    -------
    str
        Name of the interest, (n_samples, n_columns); zero where the history is empty.
    """
    if not isinstance(pooling, AttentionPooling):
        return (summed if pooling.pooling == "sum" else averaged)(graph, history, behaviors, n_columns)
    scores = _scores(graph, pooling.unit, history, candidate, behaviors)  # (n_behaviors,)
    axis_1 = graph.constant([1], np.int64)
    if pooling.normalization == "softmax":
        weights = _softmax(graph, history, scores)
    else:
        flat = graph.op("Sigmoid", scores) if pooling.normalization == "sigmoid" else scores
        column = graph.op("Unsqueeze", flat, axis_1)  # (n_behaviors, 1)
        weights = graph.op("Squeeze", padded(graph, history, column, 1), graph.constant([2], np.int64))
    row = graph.op("Unsqueeze", weights, axis_1)  # (n_samples, 1, length)
    interest = graph.op("MatMul", row, padded(graph, history, behaviors, n_columns))  # (n_samples, 1, n_columns)
    return graph.op("Squeeze", interest, axis_1)


def _softmax(graph: GraphBuilder, history: History, scores: str) -> str:
    """Return the weights (n_samples, length): 0 after the last behavior, and anything where there is none.

    What they weight is zero in an empty history, and there all exponentials are 1.
    """
    lowest = graph.constant([_LOWEST], np.float32)
    extended = graph.op("Concat", scores, lowest, axis=0)
    table = graph.op("Gather", extended, history.padded_index)  # (n_samples, length)
    greatest = graph.op("ReduceMax", table, axes=[1], keepdims=1)  # (n_samples, 1)
    exponentials = graph.op("Exp", graph.op("Sub", table, greatest))
    totals = graph.op("ReduceSum", exponentials, graph.constant([1], np.int64), keepdims=1)  # 1 at least
    return graph.op("Div", exponentials, totals)


def _scores(graph: GraphBuilder, unit: ActivationUnit, history: History, candidate: str, behaviors: str) -> str:
    """Return the score of each behavior, (n_behaviors,), as ``ActivationUnit`` does: row by row what is the row's."""
    of_candidate, of_behavior, of_products = _first_weights(graph, unit)
    bias = graph.weight(unit.mlp.first.bias)
    if of_candidate:
        of_row = graph.op("Gemm", candidate, of_candidate, bias, transB=1)  # (n_samples, units)
        bias = graph.op("Gather", of_row, history.rows)  # (n_behaviors, units)
    units = graph.op("Gemm", behaviors, of_behavior, bias, transB=1)  # (n_behaviors, units)
    if of_products:
        products = _products(graph, unit, graph.op("Gather", candidate, history.rows), behaviors)
        units = graph.op("Gemm", products, of_products, units, transB=1)
    return graph.op("Squeeze", mlp_after_first(graph, unit.mlp, units), graph.constant([1], np.int64))


def _first_weights(graph: GraphBuilder, unit: ActivationUnit) -> tuple[str, str, str]:
    """Return the weights of candidate, behaviors and products, each (units, columns); empty where there are none."""
    weight, dim = graph.weight(unit.mlp.first.weight), unit.candidate_dim
    if dim == 0:
        return "", weight, ""
    interaction = {"difference_product": [dim, dim], "outer": [dim**2], "concatenation": []}[unit.interaction]
    widths = graph.constant([dim, unit.behavior_dim, *interaction], np.int64)
    of_candidate, of_behavior, *rest = graph.ops("Split", weight, widths, n_outputs=2 + len(interaction), axis=1)
    if unit.interaction == "difference_product":
        # W_d (a - e) = W_d a - W_d e, so the difference goes into the weights of a and e.
        of_difference = rest.pop(0)
        of_candidate = graph.op("Add", of_candidate, of_difference)
        zeros = np.zeros((unit.mlp.first.out_features, unit.behavior_dim - dim))
        if zeros.size:
            of_difference = graph.op("Concat", of_difference, graph.constant(zeros, np.float32), axis=1)
        of_behavior = graph.op("Sub", of_behavior, of_difference)
    return of_candidate, of_behavior, rest[0] if rest else ""


def _products(graph: GraphBuilder, unit: ActivationUnit, candidate: str, behaviors: str) -> str:
    """Return the products of candidates and behaviors, both of (n_behaviors, …)."""
    axis_1 = graph.constant([1], np.int64)
    end = graph.constant([unit.candidate_dim], np.int64)
    shared = graph.op("Slice", behaviors, graph.constant([0], np.int64), end, axis_1)  # (n_behaviors, candidate_dim)
    if unit.interaction == "difference_product":
        return graph.op("Mul", candidate, shared)
    column = graph.op("Unsqueeze", candidate, graph.constant([2], np.int64))  # (n_behaviors, candidate_dim, 1)
    pairs = graph.op("Mul", column, graph.op("Unsqueeze", shared, axis_1))
    return graph.op("Flatten", pairs, axis=1)  # (n_behaviors, candidate_dim ** 2)
