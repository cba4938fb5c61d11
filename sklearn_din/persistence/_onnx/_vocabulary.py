"""Values to ids: one look-up in a graph for all columns that share a vocabulary."""

from collections.abc import Sequence

import numpy as np

from sklearn_din.layout import UNKNOWN_ID
from sklearn_din.persistence._onnx._graph import GraphBuilder
from sklearn_din.preprocessing._vocabulary import Vocabulary

INPUT_TYPES = {"boolean": "BOOL", "integer": "INT64", "string": "STRING"}  # by kind of value
_WORDS = {
    "binary": "bytes",
    "boolean": "booleans",
    "fraction": "fractions",
    "integer": "integers",
    "large": "integers of 2**63 and more",
    "string": "strings",
}
_KINDS = {"binary": "binary", "boolean": "boolean", "number": "integer", "string": "string"}  # where no value was kept


def kind_of(table: str, vocabulary: Vocabulary) -> str:
    """Return the kind of the values that a graph takes for a vocabulary.

    Parameters
    ----------
    table : str
        The column that names the vocabulary, for the message.
    vocabulary : Vocabulary
        Of the encoder.

    Returns
    -------
    str
        A key of ``INPUT_TYPES``; "integer" where training had no values at all.

    Raises
    ------
    TypeError
        If the values are of several kinds, or of one that a graph has no type for.
    """
    kinds = sorted(vocabulary.known) or sorted({_KINDS[family] for family in vocabulary.families}) or ["integer"]
    if len(kinds) > 1:
        msg = (
            f"An ONNX graph takes columns of one type, and the vocabulary of {table!r} holds {_spoken(kinds)}. "
            "Convert the column, and those that share its vocabulary, to strings or to integers before fit."
        )
        raise TypeError(msg)
    if kinds[0] not in INPUT_TYPES:
        msg = (
            f"An ONNX graph looks up strings, integers and booleans, and the vocabulary of {table!r} holds "
            f"{_spoken(kinds)}. Convert the column, and those that share its vocabulary, to strings before fit."
        )
        raise TypeError(msg)
    return kinds[0]


def look_up(graph: GraphBuilder, vocabulary: Vocabulary, kind: str, columns: Sequence[str]) -> list[str]:
    """Add the look-up of the columns that share a vocabulary.

    Parameters
    ----------
    graph : GraphBuilder
        Gets the nodes.
    vocabulary : Vocabulary
        Of the encoder.
    kind : str
        What ``kind_of`` says.
    columns : sequence of str
        Names of tensors of values, each (n,).

    Returns
    -------
    list of str
        Names of their ids, each (n,) int64: 1 where a value is not in the vocabulary.
    """
    if kind not in vocabulary.known:
        unknown = graph.constant([UNKNOWN_ID], np.int64)
        return [graph.op("Expand", unknown, graph.op("Shape", column)) for column in columns]
    if kind == "boolean":
        columns = [graph.cast(column, "INT64") for column in columns]
    # One node for all of them, since each holds the vocabulary.
    together = columns[0] if len(columns) == 1 else graph.op("Concat", *columns, axis=0)
    values, ids = vocabulary.known[kind]
    keys = [value.encode() if kind == "string" else int(value) for value in values.to_pylist()]
    found = graph.label_encoder(together, keys, ids.tolist(), UNKNOWN_ID)
    if len(columns) == 1:
        return [found]
    sizes = graph.op("Concat", *(graph.op("Shape", column) for column in columns), axis=0)
    return graph.ops("Split", found, sizes, n_outputs=len(columns), axis=0)


def _spoken(kinds: Sequence[str]) -> str:
    return " and ".join(_WORDS[kind] for kind in kinds)
