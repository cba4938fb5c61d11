"""Flat values of one column as Arrow arrays, one for each type, whatever container they came in."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Offsets = NDArray[np.int64] | None


@dataclass(frozen=True)
class Piece:
    """The values of one type in a column.

    Attributes
    ----------
    values : pyarrow.Array
        Of type bool, int64, uint64, float16, float32, float64, large_string or large_binary; null where missing.
    positions : ndarray of shape (len(values),), int64, or None
        Where the values stand among the flat values of the column, ascending; None if they are all of them.
    """

    values: pa.Array
    positions: NDArray[np.int64] | None = None

    def take(self, kept: NDArray[np.int64]) -> "Piece":
        """Return the part at the positions ``kept`` (ascending), renumbered to stand at 0, 1, ….

        Parameters
        ----------
        kept : ndarray of shape (n_kept,), int64
            Positions among the flat values of the column.

        Returns
        -------
        Piece
            Values and their new positions.
        """
        if self.positions is None:
            return Piece(self.values.take(pa.array(kept)))
        place = np.searchsorted(kept, self.positions)
        is_kept = np.zeros(len(place), dtype=bool)
        inside = place < len(kept)
        is_kept[inside] = kept[place[inside]] == self.positions[inside]
        return Piece(self.values.filter(pa.array(is_kept)), place[is_kept])


def pieces_of_arrow(name: str, values: pa.Array, offsets: Offsets = None) -> tuple[Piece, ...]:
    """Return the values of an Arrow array that is no list array.

    Parameters
    ----------
    name : str
        The column, for messages.
    values : pyarrow.Array
        Any type; a dictionary is decoded.
    offsets : ndarray of shape (n_samples + 1,) or None
        Rows of the values, for messages; None if each is a row.

    Returns
    -------
    tuple of Piece
        One, or none if the type is null.

    Raises
    ------
    TypeError
        If the values are no booleans, integers, floats, strings or bytes.
    """
    types = pa.types
    if types.is_dictionary(values.type) and not isinstance(values.type.value_type, pa.BaseExtensionType):
        values = values.dictionary_decode()
    kind = values.type
    if types.is_null(kind):
        return ()
    if types.is_boolean(kind) or types.is_uint64(kind) or types.is_floating(kind):
        return (Piece(values),)
    targets: list[tuple[Callable[[pa.DataType], bool], pa.DataType]] = [
        (types.is_integer, pa.int64()),
        (lambda kind: types.is_string(kind) or types.is_large_string(kind), pa.large_string()),
        (types.is_string_view, pa.large_string()),
        (lambda kind: types.is_binary(kind) or types.is_large_binary(kind), pa.large_binary()),
        (lambda kind: types.is_binary_view(kind) or types.is_fixed_size_binary(kind), pa.large_binary()),
    ]
    for is_kind, target in targets:
        if is_kind(kind):
            return (Piece(values.cast(target)),)
    valid = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    if len(valid) == 0:
        return ()
    return raise_unusable(name, row_of(offsets, valid[0]), values[int(valid[0])], str(kind))


def row_of(offsets: Offsets, position: int) -> int:
    """Return the row of the flat value at ``position``.

    Parameters
    ----------
    offsets : ndarray of shape (n_samples + 1,) or None
        Where each row begins; None if each value is a row.
    position : int
        Among the flat values.

    Returns
    -------
    int
        0-based.
    """
    return int(position if offsets is None else np.searchsorted(offsets, position, side="right") - 1)


def shown(value: object) -> str:
    """Return ``repr(value)`` for a message, cut to 60 characters.

    Parameters
    ----------
    value : object
        A scalar of NumPy or Arrow is shown as the Python value.

    Returns
    -------
    str
        On one line.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, pa.Scalar):
        # Times that Python has no type for: beyond the year 9999, or of a zone that it does not know.
        with suppress(OverflowError, ValueError):
            value = value.as_py()
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def raise_unusable(name: str, row: int, value: object, kind: str | None = None) -> NoReturn:
    """Raise the ``TypeError`` for a value that is neither an id nor a number.

    Parameters
    ----------
    name : str
        The column.
    row : int
        0-based.
    value : object
        The value.
    kind : str or None
        What to call its type; None for the name of its Python type.

    Raises
    ------
    TypeError
        Always.
    """
    advice = "Convert the column first, for example with .astype(str), or to numbers."
    if isinstance(value, set | frozenset | dict):
        advice = "Histories are lists in order of time, oldest first: give a list."
    elif isinstance(value, list | tuple | np.ndarray):
        advice = "A list column holds one flat list of values in each row: split the nested lists into columns."
    elif isinstance(value, Decimal):
        advice = "Convert the column first: with .astype(str) for ids, with .astype(float) for numbers."
    msg = (
        f"Column {name!r} holds a value of type {kind or type(value).__name__}: row {row} has {shown(value)}. {advice}"
    )
    raise TypeError(msg)
