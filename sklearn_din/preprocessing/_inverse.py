"""An ``EncodedTable`` back to a frame of raw values."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, starmap
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sklearn_din.preprocessing._number_scale import NumberScale
from sklearn_din.preprocessing._numeric import NumericColumns
from sklearn_din.preprocessing._table import EncodedTable
from sklearn_din.preprocessing._vocabulary import Vocabulary
from sklearn_din.utils._frames import build_frame
from sklearn_din.utils._ragged import Ragged


def decode_table(
    table: EncodedTable,
    *,
    kind: str,
    is_named: bool,
    names: Sequence[str],
    vocabularies: Mapping[str, Vocabulary],
    scales: Mapping[str, NumberScale],
    numeric: NumericColumns | None,
    numeric_names: Sequence[str],
) -> Any:
    """Return the raw values of a table.

    Parameters
    ----------
    table : EncodedTable
        Rows.
    kind : str
        What to return, see ``build_frame``.
    is_named : bool
        Whether a pandas frame keeps the names.
    names : sequence of str
        Columns in order; those that the table does not have are left out.
    vocabularies : mapping of str to Vocabulary
        By the name of the embedding table.
    scales : mapping of str to NumberScale
        Of the behavior fields of numbers.
    numeric : NumericColumns or None
        The fitted transformer; None if there are no numeric columns.
    numeric_names : sequence of str
        The numeric columns before it.

    Returns
    -------
    DataFrame, pyarrow.Table, dict or ndarray
        A row for each row; None where a value is unknown.
    """
    is_arrow = kind not in ("pandas", "dict", "array")
    tables = {field.name: field.table for field in table.layout.fields}
    columns: dict[str, Any] = {}
    if numeric is not None:
        encoded = np.column_stack([table[name] for name in numeric.names])
        matrix = numeric.inverse_transform(encoded) if len(table) else np.empty((0, len(numeric_names)))
        columns |= dict(zip(numeric_names, map(pa.array, matrix.T) if is_arrow else matrix.T, strict=True))
    for column in table.layout.categorical:
        vocabulary = vocabularies[column.name]
        ids = table[column.name]
        columns[column.name] = vocabulary.decode_arrow(ids) if is_arrow else _narrow(vocabulary.decode(ids))
    for name in table.layout.list_columns:
        ragged = table.ragged(name)
        if name in scales:
            flat = scales[name].inverse_transform(ragged.values)
            values = pa.array(flat) if is_arrow else flat
        else:
            vocabulary = vocabularies[tables.get(name, name)]
            values = vocabulary.decode_arrow(ragged.values) if is_arrow else vocabulary.decode(ragged.values)
        columns[name] = pa.LargeListArray.from_arrays(ragged.offsets, values) if is_arrow else _lists(values, ragged)
    return build_frame(kind, {name: columns[name] for name in names if name in columns}, is_named=is_named)


def _lists(values: NDArray[Any], ragged: Ragged) -> NDArray[np.object_]:
    cells = map(values.tolist().__getitem__, starmap(slice, pairwise(ragged.offsets.tolist())))
    return np.fromiter(cells, dtype=object, count=len(ragged))


def _narrow(values: NDArray[np.object_]) -> NDArray[Any]:
    """Return values of one type with that type: without it, a frame of ids would come back as one of objects."""
    types = set(map(type, values))
    if types not in ({int}, {float}, {bool}):
        return values
    narrow = np.array(values.tolist())
    # NumPy makes floats of negative integers beside integers beyond int64.
    return values if types == {int} and narrow.dtype.kind == "f" else narrow
