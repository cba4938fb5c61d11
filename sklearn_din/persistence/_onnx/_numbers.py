"""Columns of numbers and their transformer in a graph, in float64 as in scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_din.persistence._onnx._graph import GraphBuilder


def transformer_steps(transformer: Any) -> list[Any]:
    """Return the fitted steps of a transformer of numbers.

    Parameters
    ----------
    transformer : estimator
        Fitted ``numeric_transformer``.

    Returns
    -------
    list of SimpleImputer or StandardScaler
        In order; steps that do nothing are left out.

    Raises
    ------
    TypeError
        If it is, or holds, another one.
    ValueError
        If an imputer takes something else than NaN for missing.
    """
    if type(transformer) is Pipeline:
        return [each for _, step in transformer.steps for each in transformer_steps(step)]
    if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
        return []
    if type(transformer) not in (SimpleImputer, StandardScaler):
        msg = (
            f"An ONNX graph can't hold the numeric_transformer {type(transformer).__name__}: export_onnx knows "
            "SimpleImputer, StandardScaler and pipelines of them. Fit with one of these, or transform the numbers "
            "before the encoder and before the graph."
        )
        raise TypeError(msg)
    if type(transformer) is SimpleImputer and not _is_nan(transformer.missing_values):
        msg = (
            f"An ONNX graph takes NaN for missing: the SimpleImputer of numeric_transformer replaces "
            f"{transformer.missing_values!r}. Fit with missing_values=np.nan."
        )
        raise ValueError(msg)
    return [transformer]


def transform_numbers(graph: GraphBuilder, columns: Sequence[str], steps: Sequence[Any]) -> str:
    """Add the nodes of the numeric columns.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    columns : sequence of str
        The inputs, each (n_samples,) float64.
    steps : sequence of estimator
        What ``transformer_steps`` returns.

    Returns
    -------
    str
        Name of the matrix (n_samples, n_numeric), float32.
    """
    axis_1 = graph.constant([1], np.int64)
    matrix = graph.op("Concat", *(graph.op("Unsqueeze", column, axis_1) for column in columns), axis=1)
    for step in steps:
        matrix = _impute(graph, step, matrix) if isinstance(step, SimpleImputer) else _scale(graph, step, matrix)
    return graph.cast(matrix, "FLOAT")


def scale_behaviors(graph: GraphBuilder, numbers: str, mean: float, scale: float) -> str:
    """Add the nodes that standardise the numbers of behaviors.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    numbers : str
        Name of a tensor (n_behaviors,) of float64, NaN where missing.
    mean, scale : float
        Of the training rows.

    Returns
    -------
    str
        Name of the result (n_behaviors,), float32, 0 where missing.
    """
    scaled = graph.op("Sub", numbers, graph.constant(mean, np.float64))
    scaled = graph.cast(graph.op("Div", scaled, graph.constant(scale, np.float64)), "FLOAT")
    return graph.op("Where", graph.op("IsNaN", scaled), graph.constant(0, np.float32), scaled)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value).item()


def _impute(graph: GraphBuilder, imputer: Any, matrix: str) -> str:
    statistics = np.asarray(imputer.statistics_, dtype=np.float64)
    is_missing = graph.op("IsNaN", matrix)
    parts = [graph.op("Where", is_missing, graph.constant(statistics, np.float64), matrix)]
    is_dropped = np.isnan(statistics)
    if is_dropped.any():
        parts = [graph.op("Gather", parts[0], graph.constant(np.flatnonzero(~is_dropped), np.int64), axis=1)]
    if imputer.indicator_ is not None and len(imputer.indicator_.features_):
        indicated = graph.constant(imputer.indicator_.features_, np.int64)
        parts.append(graph.op("Gather", graph.cast(is_missing, "DOUBLE"), indicated, axis=1))
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _scale(graph: GraphBuilder, scaler: Any, matrix: str) -> str:
    if scaler.with_mean:
        matrix = graph.op("Sub", matrix, graph.constant(scaler.mean_, np.float64))
    if scaler.with_std:
        matrix = graph.op("Div", matrix, graph.constant(scaler.scale_, np.float64))
    return matrix
