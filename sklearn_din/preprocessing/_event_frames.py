"""Columns of any frame as Arrow arrays that compare exactly with those of other frames."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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
    check_lengths({name: len(column) for name, column in columns.items()}, role)
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


def check_lengths(lengths: Mapping[str, int], role: str) -> None:
    """Check that columns are equally long.

    Parameters
    ----------
    lengths : mapping of str to int
        By name of the column.
    role : str
        What the frame is called in messages.

    Raises
    ------
    ValueError
        If two differ.
    """
    if len(set(lengths.values())) > 1:
        msg = f"The columns of {role} must have the same length: they have {dict(lengths)}. Give one value per row."
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


def codes_of(columns: Mapping[str, Any], name: str, what: str) -> list[NDArray[np.int64]]:
    """Give equal values in all columns equal numbers, from 0 up in the order in which the values first occur.

    Parameters
    ----------
    columns : mapping of str to pyarrow.Array of shape (n_samples,)
        By the frame each is from, for messages; without missing values.
    name : str
        Of the column.
    what : str
        What a value is, for messages.

    Returns
    -------
    list of ndarray of shape (n_samples,), int64
        For each column.

    Raises
    ------
    TypeError
        If columns are of different kinds, or hold lists.
    """
    arrays = alike(columns, name)
    values = pa.concat_arrays(arrays)
    if pa.types.is_nested(values.type):
        msg = f"Column {name!r} must hold one {what} per row: it holds {values.type}. Split it into columns."
        raise TypeError(msg)
    if pa.types.is_floating(values.type):
        values = pc.add(values, 0.0)  # -0.0 is the same value as 0.0
    codes = values.dictionary_encode().indices.to_numpy().astype(np.int64)
    return np.split(codes, np.cumsum([len(array) for array in arrays])[:-1])


def alike(columns: Mapping[str, Any], name: str, *, is_time: bool = False) -> list[Any]:
    """Return columns in types whose values compare exactly.

    Parameters
    ----------
    columns : mapping of str to pyarrow.Array
        By the frame each is from, for messages. A column without values takes the type of the others.
    name : str
        Of the column.
    is_time : bool, default=False
        Whether integers compare with floats, and dates and timestamps with each other.

    Returns
    -------
    list of pyarrow.Array
        In the order given. Dates and timestamps keep their types.

    Raises
    ------
    TypeError
        If the columns are of different kinds.
    ValueError
        If a value has no equal in the common type.
    """
    kinds = {role: column.type for role, column in columns.items() if len(column)}
    if not kinds:
        kinds = {role: column.type for role, column in list(columns.items())[:1]}
    first = next(iter(kinds))
    for role in kinds:
        if not _is_comparable(kinds[first], kinds[role], is_time=is_time):
            _raise_unlike(columns, name, first, role)
    common = _common_type(set(kinds.values()), is_time=is_time)
    filled = [column if len(column) else pa.nulls(0, common or kinds[first]) for column in columns.values()]
    try:
        return filled if common is None else [column.cast(common) for column in filled]
    except pa.ArrowInvalid as error:
        roles = " and ".join(columns)
        msg = f"Column {name!r} does not compare exactly between {roles}: {error}. Give all the same type."
        raise ValueError(msg) from error


def places_in(
    ordered: NDArray[np.int64], values: NDArray[np.int64], side: Literal["left", "right"] = "left"
) -> NDArray[np.int64]:
    """Return where values would stand among others, as ``np.searchsorted`` does, in a fraction of its time.

    Parameters
    ----------
    ordered : ndarray of shape (n_ordered,), int64
        In ascending order.
    values : ndarray of any shape, int64
        In any order.
    side : {"left", "right"}, default="left"
        Before or behind equal ones.

    Returns
    -------
    ndarray of the shape of values, int64
        From 0 to ``n_ordered``.
    """
    # One after another in order the values need near parts of memory, one after another in any order far ones.
    order = np.argsort(values, axis=None)
    places = np.empty(values.size, dtype=np.int64)
    places[order] = np.searchsorted(ordered, values.ravel()[order], side=side)
    return places.reshape(values.shape)


def _arrow(values: Any, role: str, name: str) -> Any:
    """Return a column as one Arrow array: categoricals decoded, texts and bytes with 64-bit offsets."""
    try:
        column = arrow_array(values)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        msg = f"Column {name!r} of {role} must hold values of one type: {error}. Convert it, for example to strings."
        raise TypeError(msg) from error
    types = pa.types
    # Many copies of a text exceed 32-bit offsets.
    if types.is_string(column.type) or types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if types.is_binary(column.type) or types.is_binary_view(column.type) or types.is_fixed_size_binary(column.type):
        return column.cast(pa.large_binary())
    return column


def _check_present(values: Any, column: Any, role: str, name: str) -> None:
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


def _is_comparable(one: Any, other: Any, *, is_time: bool) -> bool:
    types = pa.types
    kinds = (one, other)
    if one == other or all(map(types.is_integer, kinds)) or all(map(types.is_floating, kinds)):
        return True
    if not is_time:
        return False
    is_number = all(types.is_integer(kind) or types.is_floating(kind) for kind in kinds)
    is_zoned = all(types.is_timestamp(kind) and kind.tz for kind in kinds)
    return is_number or is_zoned or all(map(_is_naive, kinds))


def _is_naive(kind: Any) -> bool:
    return bool(pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None))


def _common_type(kinds: set[Any], *, is_time: bool) -> Any:
    """Return the type of numbers of several types; None where no column need be cast."""
    if len(kinds) == 1 or any(pa.types.is_date(kind) or pa.types.is_timestamp(kind) for kind in kinds):
        return None
    if all(map(pa.types.is_integer, kinds)):
        return pa.decimal128(20) if pa.uint64() in kinds and not is_time else pa.int64()
    return pa.float64()


def _raise_unlike(columns: Mapping[str, Any], name: str, first: str, other: str) -> None:
    given = [f"{role} {columns[role].type} (row 0: {shown(columns[role][0].as_py())})" for role in (first, other)]
    msg = f"Column {name!r} must be of one kind in {first} and {other}: {', '.join(given)}. Convert one of them."
    raise TypeError(msg)
