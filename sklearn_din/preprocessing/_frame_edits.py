"""A frame with other rows or further columns, of the kind that it was."""

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.preprocessing._event_frames import check_lengths
from sklearn_din.utils._arrow import arrow_array

# Values that the lists or texts of rows that pyarrow takes at once may have: it does not check that they fit in the
# 32-bit offsets of the result. Half of what would.
_MOST_VALUES = 2**30
# What pyarrow cannot take rows of, and what it is taken as.
_TAKEN_AS = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


def take_rows(frame: Any, role: str, rows: NDArray[np.int64]) -> Any:
    """Return rows of a frame.

    Parameters
    ----------
    frame : frame or dict of columns
        It is not written to.
    role : str
        What it is called in messages.
    rows : ndarray of shape (n_rows,), int64
        Positions, in any order and as often as wanted.

    Returns
    -------
    frame or dict of columns
        Of the same kind, each column of the type that it was; tuples become lists. In pandas the labels of the index
        go with the rows.

    Raises
    ------
    TypeError, ValueError
        If the columns of a dict are no columns, or differ in length.
    """
    if isinstance(frame, Mapping):
        check_lengths(frame, role)
        return {name: _take(column, rows) for name, column in frame.items()}
    if nw.dependencies.is_pandas_like_dataframe(frame):
        return frame.take(rows)
    table = nw.from_native(frame, eager_only=True)
    if table.implementation.is_pyarrow():
        return pa.Table.from_arrays([_take_arrow(column, rows) for column in frame.columns], schema=frame.schema)
    return table[rows].to_native()


def with_columns(frame: Any, columns: Mapping[str, Any]) -> Any:
    """Return a frame with new columns, and with new values in columns that it has.

    Parameters
    ----------
    frame : frame or dict of columns
        It is not written to.
    columns : mapping of str to pyarrow.Array of shape (n_rows,)
        By name.

    Returns
    -------
    frame or dict of columns
        Of the same kind. A column that was there keeps its place and its type, if the values are of that; categoricals
        get the categories that they lack. In pandas and in a dict a new column is a NumPy array, and lists are such.
    """
    if isinstance(frame, Mapping):
        return dict(frame) | {name: _like(frame.get(name), column) for name, column in columns.items()}
    if nw.dependencies.is_pandas_like_dataframe(frame):
        return frame.assign(**{name: _like(frame.get(name), column) for name, column in columns.items()})
    table = nw.from_native(frame, eager_only=True)
    there = {name: table[name].to_native() if name in table.columns else None for name in columns}
    if table.implementation.is_pyarrow():
        for name, column in columns.items():
            if there[name] is None:
                frame = frame.append_column(name, column)
            else:
                frame = frame.set_column(table.columns.index(name), name, _like(there[name], column))
        return frame
    added = nw.from_arrow(pa.table(dict(columns)), backend=table.implementation)
    series = [_as_polars(column, there[column.name]) for column in added.iter_columns()]
    return table.with_columns(*series).to_native()


def _take(column: Any, rows: NDArray[np.int64]) -> Any:
    if isinstance(column, pa.ChunkedArray):
        return _take_arrow(column, rows)
    if isinstance(column, pa.Array):
        return _take_arrow(pa.chunked_array([column]), rows).combine_chunks()
    series = nw.from_native(column, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        return series[rows].to_native()
    if isinstance(column, list | tuple):
        return list(map(column.__getitem__, rows.tolist()))
    return column[rows] if hasattr(column, "dtype") else np.asarray(column)[rows]


def _take_arrow(column: Any, rows: NDArray[np.int64]) -> Any:
    plain = column.cast(_TAKEN_AS.get(column.type, column.type))
    n_blocks = 1 + len(rows) * _longest(plain) // _MOST_VALUES
    parts = [plain.take(pa.array(block)) for block in np.array_split(rows, n_blocks)]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], plain.type).cast(column.type)


def _longest(column: Any) -> int:
    """Return the length of the longest list or text of a column with 32-bit offsets; 0 for other columns."""
    types = pa.types
    if types.is_list(column.type):
        return pc.max(pc.list_value_length(column)).as_py() or 0
    is_text = types.is_string(column.type) or types.is_binary(column.type)
    return (pc.max(pc.binary_length(column)).as_py() or 0) if is_text else 0


def _like(old: Any, column: Any) -> Any:
    """Return the values of an Arrow array in the container and the type of an old column, NumPy for None."""
    if old is None:
        return column.to_numpy(zero_copy_only=False)
    if isinstance(old, pa.Array | pa.ChunkedArray):
        is_dictionary = pa.types.is_dictionary(old.type)
        values = column.cast(old.type.value_type).dictionary_encode() if is_dictionary else column.cast(old.type)
        return pa.chunked_array([values]) if isinstance(old, pa.ChunkedArray) else values
    series = nw.from_native(old, series_only=True, pass_through=True)
    if isinstance(series, nw.Series) and series.implementation.is_pandas_like():
        return _as_pandas(column, old)
    if isinstance(series, nw.Series):
        added = nw.from_arrow(pa.table({"values": column}), backend=series.implementation)
        return _as_polars(added["values"], old).alias(series.name).to_native()
    return column.to_pylist() if isinstance(old, list | tuple) else column.to_numpy(zero_copy_only=False)


def _as_pandas(column: Any, old: Any) -> Any:
    if hasattr(old, "cat"):
        return _as_categorical(column, old)
    import pandas as pd

    kind = old.dtype
    values = kind.__from_arrow__(column) if hasattr(kind, "__from_arrow__") else column.to_pandas().array
    return pd.Series(values, index=old.index, name=old.name, dtype=object if kind == np.dtype(object) else None)


def _as_categorical(column: Any, old: Any) -> Any:
    """Return a pandas categorical; it is not ordered any more if a category had to be added."""
    import pandas as pd

    if isinstance(column.type, pa.BaseExtensionType):  # such as intervals, which Arrow does not look up
        values = column.to_pandas()
        categories = old.cat.categories
        added = pd.Index(values.dropna().unique()).difference(categories)
        dtype = pd.CategoricalDtype(categories.append(added), ordered=False) if len(added) else old.dtype
        return pd.Series(pd.Categorical(values, dtype=dtype), index=old.index, name=old.name)
    known = arrow_array(old.cat.categories.to_series()).cast(column.type)
    found = column.unique().drop_null()
    added = found.filter(pc.invert(pc.is_in(found, value_set=known)))
    codes = pc.fill_null(pc.index_in(column, value_set=pa.concat_arrays([known, added])), -1).to_numpy()
    dtype = old.dtype
    if len(added):
        dtype = pd.CategoricalDtype(old.cat.categories.append(pd.Index(added.to_pandas())), ordered=False)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=old.index, name=old.name)


def _as_polars(series: Any, old: Any) -> Any:
    if old is None:
        return series
    dtype = nw.from_native(old, series_only=True).dtype
    if dtype == nw.Object:
        import polars as pl

        return nw.from_native(pl.Series(series.name, series.to_list(), dtype=pl.Object), series_only=True)
    if isinstance(dtype, nw.Enum):
        found = series.unique().drop_nulls()
        dtype = nw.Enum([*dtype.categories, *found.filter(~found.is_in(dtype.categories)).sort().to_list()])
    return series.cast(dtype)
