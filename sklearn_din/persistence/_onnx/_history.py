"""Padded lists of a graph's inputs as what the library computes with: the kept values, flat, one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_din.persistence._onnx._graph import GraphBuilder


@dataclass(frozen=True)
class History:
    """Names of the tensors that say where the values of a sequence or bag are.

    Attributes
    ----------
    lengths : str
        How many values a row keeps, (n_samples,) int64.
    first : str
        Column of the first one that is kept, (n_samples,) int64.
    rows, positions : str
        Of each flat value: its row, and its place among the kept ones of that row, (n_behaviors,) int64.
    padded_index : str
        Of each place in the longest history: which flat value it is, and the number of them where it pads,
        (n_samples, length) int64. It has one column at least.
    """

    lengths: str
    first: str
    rows: str
    positions: str
    padded_index: str


def read_history(
    graph: GraphBuilder, columns: Sequence[str], lengths: str, max_length: int, *, keeps_newest: bool
) -> History:
    """Add the nodes that find the values to keep.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    columns : sequence of str
        The list columns, inputs (n_samples, length), padded on the right.
    lengths : str
        The input with the number of values of each row, (n_samples,) int64.
    max_length : int
        How many are kept.
    keeps_newest : bool
        Whether these are the last, or else the first.

    Returns
    -------
    History
        Of all columns.
    """
    given = _checked_lengths(graph, columns, lengths)
    kept = graph.op("Min", given, graph.constant(max_length, np.int64))  # (n_samples,)
    zero = graph.constant(0, np.int64)
    first = graph.op("Sub", given, kept) if keeps_newest else graph.op("Mul", given, zero)
    one = graph.constant([1], np.int64)
    window = graph.op("ReduceMax", graph.op("Concat", one, kept, axis=0), keepdims=0)  # ()
    places = graph.op("Range", zero, window, graph.constant(1, np.int64))  # (length,)
    axis_0, axis_1 = graph.constant([0], np.int64), graph.constant([1], np.int64)
    places_of_row = graph.op("Unsqueeze", places, axis_0)  # (1, length)
    is_kept = graph.op("Less", places_of_row, graph.op("Unsqueeze", kept, axis_1))  # (n_samples, length)
    found = graph.ops("Split", graph.op("NonZero", is_kept), n_outputs=2, axis=0)  # each (1, n_behaviors)
    rows, positions = (graph.op("Squeeze", each, axis_0) for each in found)
    offsets = graph.op("CumSum", kept, zero, exclusive=1)  # (n_samples,)
    index = graph.op("Add", graph.op("Unsqueeze", offsets, axis_1), places_of_row)  # (n_samples, length)
    padded_index = graph.op("Where", is_kept, index, graph.op("Shape", rows))
    return History(kept, first, rows, positions, padded_index)


def flat_values(graph: GraphBuilder, history: History, column: str) -> str:
    """Add the nodes that take the kept values out of a list column.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    history : History
        Of the column.
    column : str
        The input, (n_samples, length).

    Returns
    -------
    str
        Name of the values, (n_behaviors,).
    """
    width = graph.op("Shape", column, start=1, end=2)  # (1,)
    first = graph.op("Gather", history.first, history.rows)  # (n_behaviors,)
    start = graph.op("Mul", history.rows, width)
    places = graph.op("Add", graph.op("Add", start, first), history.positions)
    return graph.op("Gather", graph.op("Reshape", column, graph.constant([-1], np.int64)), places)


def padded(graph: GraphBuilder, history: History, values: str, n_columns: int) -> str:
    """Add the nodes that put flat vectors side by side, zeros after them.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    history : History
        Of the values.
    values : str
        Name of a tensor (n_behaviors, n_columns) of float32.
    n_columns : int
        Its columns.

    Returns
    -------
    str
        Name of the result, (n_samples, length, n_columns).
    """
    extended = graph.op("Concat", values, graph.constant(np.zeros((1, n_columns)), np.float32), axis=0)
    return graph.op("Gather", extended, history.padded_index)


def summed(graph: GraphBuilder, history: History, values: str, n_columns: int) -> str:
    """Add the nodes that add up the vectors of each row.

    Parameters
    ----------
    graph, history, values, n_columns
        As for ``padded``.

    Returns
    -------
    str
        Name of the sums, (n_samples, n_columns); zero where there are no values.
    """
    axes = graph.constant([1], np.int64)
    return graph.op("ReduceSum", padded(graph, history, values, n_columns), axes, keepdims=0)


def averaged(graph: GraphBuilder, history: History, values: str, n_columns: int) -> str:
    """Add the nodes that average the vectors of each row.

    Parameters
    ----------
    graph, history, values, n_columns
        As for ``padded``.

    Returns
    -------
    str
        Name of the means, (n_samples, n_columns); zero where there are no values.
    """
    divisor = graph.op("Max", history.lengths, graph.constant(1, np.int64))
    column = graph.op("Unsqueeze", graph.cast(divisor, "FLOAT"), graph.constant([1], np.int64))  # (n_samples, 1)
    return graph.op("Div", summed(graph, history, values, n_columns), column)


def _checked_lengths(graph: GraphBuilder, columns: Sequence[str], lengths: str) -> str:
    """Return the lengths; ONNX Runtime fails at a node that says what is wrong where they are no lengths of the lists.

    A graph can't raise, but a look-up in a list of one number does if the place is 1.
    """
    zero = graph.constant(0, np.int64)
    widths = [graph.op("Shape", column, start=1, end=2) for column in columns]  # each (1,)
    width = widths[0] if len(widths) == 1 else graph.op("Min", *widths)
    is_wrong = graph.op("Or", graph.op("Less", lengths, zero), graph.op("Greater", lengths, width))
    name = f"{lengths} must be from 0 to the number of columns of {' and '.join(columns)}"
    nothing = graph.op("Gather", graph.constant([0], np.int64), graph.cast(is_wrong, "INT64"), name=name)
    return graph.op("Add", lengths, nothing)
