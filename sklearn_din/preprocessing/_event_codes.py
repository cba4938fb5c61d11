"""Equal values in the columns of several frames as equal numbers, whatever exact type each frame holds them in."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.utils._arrow import first_refused
from sklearn_din.utils._pieces import shown


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
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_nested(values.type):
        first = f" (row 0 of the first: {shown(values[0])})" if len(values) else ""
        msg = f"Column {name!r} must hold one {what} per row: it holds {kind}{first}. Split it into columns."
        raise TypeError(msg)
    if pa.types.is_floating(values.type):
        if pa.types.is_float16(values.type):
            values = values.cast(pa.float32())
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
    if common is None:
        return filled
    return [
        _cast(column, common, role, name, " and ".join(columns)) for role, column in zip(columns, filled, strict=True)
    ]


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


def _cast(column: Any, kind: Any, role: str, name: str, roles: str) -> Any:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        row = first_refused(column, lambda part: part.cast(kind))
        msg = (
            f"Column {name!r} does not compare exactly between {roles}: row {row} of {role} has {shown(column[row])} "
            f"({error}). Give all the same type."
        )
        raise ValueError(msg) from error


def _raise_unlike(columns: Mapping[str, Any], name: str, first: str, other: str) -> None:
    given = [f"{role} {columns[role].type} (row 0: {shown(columns[role][0])})" for role in (first, other)]
    msg = f"Column {name!r} must be of one kind in {first} and {other}: {', '.join(given)}. Convert one of them."
    raise TypeError(msg)
