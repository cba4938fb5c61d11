"""The raw columns: which inputs a graph has for them, and what the encoder makes of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_din.layout import FeatureLayout
from sklearn_din.persistence._onnx._graph import GraphBuilder, GraphInput
from sklearn_din.persistence._onnx._history import History, flat_values, read_history
from sklearn_din.persistence._onnx._numbers import scale_behaviors, transform_numbers, transformer_steps
from sklearn_din.persistence._onnx._vocabulary import INPUT_TYPES, kind_of, look_up
from sklearn_din.preprocessing import BehaviorEncoder
from sklearn_din.preprocessing._number_scale import NumberScale
from sklearn_din.preprocessing._vocabulary import Vocabulary

ROWS = "n_samples"  # the first dimension of all inputs and outputs


@dataclass(frozen=True)
class RawColumns:
    """What an encoder has learnt, as far as a graph can hold it.

    Attributes
    ----------
    layout : FeatureLayout
        The encoded columns.
    vocabularies : dict of str to Vocabulary
        By the name of the embedding table.
    kinds : dict of str to str
        Kind of the values of each vocabulary.
    scales : dict of str to NumberScale
        Of the behavior fields of numbers.
    numeric : tuple of str
        The columns of numbers as they are called before their transformer.
    steps : list of estimator
        Of the transformer of numbers.
    """

    layout: FeatureLayout
    vocabularies: dict[str, Vocabulary]
    kinds: dict[str, str]
    scales: dict[str, NumberScale]
    numeric: tuple[str, ...]
    steps: list[Any]

    @classmethod
    def of(cls, encoder: BehaviorEncoder) -> "RawColumns":
        """Return the columns of a fitted encoder.

        Raises TypeError or ValueError where a graph can't hold one of them.
        """
        encoding = encoder._encoding
        kinds = {table: kind_of(table, vocabulary) for table, vocabulary in encoding.vocabularies.items()}
        steps = transformer_steps(None if encoding.numeric is None else encoding.numeric.transformer)
        columns = encoding.roles.numeric
        return cls(encoding.layout, encoding.vocabularies, kinds, encoding.scales, columns, steps)

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """The list columns that have the same lengths: the fields of each sequence, and each bag, by its name."""
        sequences = {each.name: tuple(field.name for field in each.fields) for each in self.layout.sequences}
        return sequences | {bag.name: (bag.name,) for bag in self.layout.bags}

    @property
    def with_missing(self) -> tuple[str, ...]:
        """The columns with one category per row in which a missing one is a value of its own."""
        names = (column.name for column in self.layout.categorical)
        return tuple(name for name in names if self.vocabularies[name].missing_id is not None)

    def inputs(self, output: str) -> list[GraphInput]:
        """Return the inputs of the graph.

        Parameters
        ----------
        output : str
            Name of its output.

        Returns
        -------
        list of GraphInput
            Columns in the order of the layout, each list column with the others of its sequence and their length.

        Raises
        ------
        ValueError
            If two of them, or one and the output, would have the same name, or one would have none.
        """
        inputs = list(self._inputs())
        counts = Counter([output, *(each.name for each in inputs)])
        for name, count in counts.items():
            if count > 1 or not name:
                what = f"two inputs and outputs of the graph would be called {name!r}" if name else "a column is ''"
                msg = (
                    f"The columns can't be inputs of an ONNX graph: {what}. Rename the column before fit; names that "
                    f"end with _length or _is_missing, and {output!r}, may be needed for the graph itself."
                )
                raise ValueError(msg)
        return inputs

    def _inputs(self) -> Iterator[GraphInput]:
        for column in self.layout.categorical:
            yield GraphInput(column.name, INPUT_TYPES[self.kinds[column.name]], (ROWS,))
        for name in self.with_missing:
            yield GraphInput(f"{name}_is_missing", "BOOL", (ROWS,))
        for name in self.numeric:
            yield GraphInput(name, "DOUBLE", (ROWS,))
        tables = {field.name: field.table for field in self.layout.fields}
        for name, fields in self.lists.items():
            for field in fields:
                is_numeric = field in self.scales
                kind = "DOUBLE" if is_numeric else INPUT_TYPES[self.kinds[tables.get(field, field)]]
                yield GraphInput(field, kind, (ROWS, f"columns of {name}"))
            yield GraphInput(f"{name}_length", "INT64", (ROWS,))


@dataclass(frozen=True)
class EncodedInputs:
    """Names of the tensors that the network computes with.

    Attributes
    ----------
    ids : dict of str to str
        By column: (n_samples,) or (n_behaviors,), int64.
    behavior_numbers : dict of str to str
        By field: (n_behaviors,), float32.
    numeric : str or None
        The numeric columns, (n_samples, n_numeric), float32; None where there are none.
    histories : dict of str to History
        By sequence and bag.
    """

    ids: dict[str, str]
    behavior_numbers: dict[str, str]
    numeric: str | None
    histories: dict[str, History]


def encode_inputs(graph: GraphBuilder, columns: RawColumns) -> EncodedInputs:
    """Add the nodes that do what the encoder does.

    Parameters
    ----------
    graph : GraphBuilder
        With the inputs of the columns.
    columns : RawColumns
        What the encoder has learnt.

    Returns
    -------
    EncodedInputs
        What the network computes with.
    """
    bags = {bag.name for bag in columns.layout.bags}
    histories = {
        name: read_history(graph, fields, f"{name}_length", columns.layout.max_length, keeps_newest=name not in bags)
        for name, fields in columns.lists.items()
    }
    values = {column.name: column.name for column in columns.layout.categorical}
    for name, fields in columns.lists.items():
        values |= {field: flat_values(graph, histories[name], field) for field in fields}
    ids = _look_up_all(graph, columns, values)
    for name in columns.with_missing:
        missing_id = graph.constant(columns.vocabularies[name].missing_id, np.int64)
        ids[name] = graph.op("Where", f"{name}_is_missing", missing_id, ids[name])
    behavior_numbers = {
        name: scale_behaviors(graph, values[name], scale.mean, scale.scale) for name, scale in columns.scales.items()
    }
    has_numbers = len(columns.layout.numeric) > 0
    numeric = transform_numbers(graph, columns.numeric, columns.steps) if has_numbers else None
    return EncodedInputs(ids, behavior_numbers, numeric, histories)


def _look_up_all(graph: GraphBuilder, columns: RawColumns, values: dict[str, str]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for table, names in columns.layout.columns_by_table.items():
        tensors: Sequence[str] = [values[name] for name in names]
        ids.update(zip(names, look_up(graph, columns.vocabularies[table], columns.kinds[table], tensors), strict=True))
    return ids
