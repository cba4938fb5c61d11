"""Columns of any frame as Arrow arrays, checked."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa

from sklearn_din.utils._arrow import arrow_array
from sklearn_din.utils._pieces import shown


def read_columns(frame: Any, role: str, keys: Sequence[str], others: Sequence[str] = ()) -> dict[str, Any]:
    """Return named columns of a frame.

    Parameters
    ----------
    frame : frame or dict of columns
        Any that narwhals knows and that is in memory. It is not written to.
    role : str
        What the frame is called in messages.
    keys : sequence of str
        Columns in which no value may be missing.
    others : sequence of str, default=()
        Further columns.

    Returns
    -------
    dict of str to pyarrow.Array
        Of one length; categoricals are decoded, texts and bytes have 64-bit offsets.

    Raises
    ------
    TypeError
        If ``frame`` is no frame, or a column mixes types.
    ValueError
        If a column is not there, differs in length, or is a key and misses a value.
    """
    available = column_names(frame, role)
    names = [*keys, *others]
    absent = [name for name in names if name not in available]
    if absent:
        msg = f"There is no column {absent[0]!r} in {role}: the columns are {available}. Name one of these."
        raise ValueError(msg)
    table = frame if isinstance(frame, Mapping) else nw.from_native(frame, eager_only=True)
    columns = {name: _arrow(table[name], role, name) for name in names}
    check_lengths(columns, role)
    for name in keys:
        _check_present(table[name], columns[name], role, name)
    return columns


def column_names(frame: Any, role: str) -> list[str]:
    """Return the names of the columns of a frame.

    Parameters
    ----------
    frame : frame or dict of columns
        As for ``read_columns``.
    role : str
        What it is called in messages.

    Returns
    -------
    list of str
        In order.

    Raises
    ------
    TypeError
        If it is no frame, or a lazy one.
    """
    if isinstance(frame, Mapping):
        return list(frame)
    table = nw.from_native(frame, eager_only=True, pass_through=True)
    if not isinstance(table, nw.DataFrame):
        msg = (
            f"{role} must be a pandas or polars DataFrame, a pyarrow Table or a dict of columns: "
            f"got {type(frame).__name__}. Collect or convert it first."
        )
        raise TypeError(msg)
    return table.columns


def check_lengths(columns: Mapping[str, Any], role: str) -> None:
    """Check that columns are equally long.

    Parameters
    ----------
    columns : mapping of str to columns
        By name.
    role : str
        What the frame is called in messages.

    Raises
    ------
    TypeError
        If one is no list or array.
    ValueError
        If two differ.
    """
    for name, column in columns.items():
        is_other = isinstance(column, str | bytes | Mapping | Set) or getattr(column, "ndim", 1) == 0
        if is_other or not hasattr(column, "__len__"):
            msg = (
                f"Column {name!r} of {role} must be a list or an array: it is a {type(column).__name__}. "
                "Give one value per row."
            )
            raise TypeError(msg)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"The columns of {role} must have the same length: they have {lengths}. Give one value per row."
        raise ValueError(msg)


def check_new(frame: Any, role: str, names: Sequence[str], advice: str) -> None:
    """Check that a frame has no columns of the names that it is about to get.

    Parameters
    ----------
    frame : frame or dict of columns
        As for ``read_columns``.
    role : str
        What it is called in messages.
    names : sequence of str
        The new columns.
    advice : str
        What to do, as a sentence.

    Raises
    ------
    ValueError
        If there is one.
    """
    available = column_names(frame, role)
    for name in names:
        if name in available:
            msg = f"There is a column {name!r} in {role} already. {advice}"
            raise ValueError(msg)


def _arrow(values: Any, role: str, name: str) -> Any:
    """Return a column as one Arrow array: categoricals decoded, texts and bytes with 64-bit offsets."""
    try:
        column = arrow_array(values)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        msg = f"Column {name!r} of {role} must hold values of one type: {error}. Convert it, for example to strings."
        raise TypeError(msg) from error
    except ValueError as error:
        msg = (
            f"Column {name!r} of {role} cannot be read: {error}. "
            "Remove the lone surrogates, for example with .encode('utf-8', 'replace').decode()."
        )
        raise ValueError(msg) from error
    types = pa.types
    # Many copies of a text exceed 32-bit offsets.
    if types.is_string(column.type) or types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if types.is_binary(column.type) or types.is_binary_view(column.type) or types.is_fixed_size_binary(column.type):
        return column.cast(pa.large_binary())
    return column


def _check_present(values: Any, column: Any, role: str, name: str) -> None:
    if pa.types.is_float16(column.type):  # of which pyarrow 18 finds no NaN
        column = column.cast(pa.float32())
    is_missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    if is_missing.any():
        row = int(np.argmax(is_missing))
        series = nw.from_native(values, series_only=True, pass_through=True)
        value = series.item(row) if isinstance(series, nw.Series) else series[row]
        msg = (
            f"Column {name!r} of {role} must not have missing values: row {row} has {shown(value)}. "
            "Leave such rows out first."
        )
        raise ValueError(msg)
