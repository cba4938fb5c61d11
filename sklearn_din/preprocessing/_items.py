"""Raw values of a column as items: what counts as the same value, whatever type it came in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sklearn_din.preprocessing._factors import factorize
from sklearn_din.utils._checks import check_finite
from sklearn_din.utils._columns import Column
from sklearn_din.utils._pieces import Piece, shown

# Kinds of number are stored apart, since no single type holds all of them exactly; they are one family.
FAMILIES = {
    "binary": "binary",
    "boolean": "boolean",
    "integer": "number",
    "large": "number",
    "fraction": "number",
    "string": "string",
}


@dataclass(frozen=True)
class ItemPart:
    """Items of one kind in a column.

    Attributes
    ----------
    kind : str
        A key of ``FAMILIES``: "integer" fits in int64, "large" only in uint64, "fraction" is a number that is no
        integer.
    values : pyarrow.Array
        None is missing; type large_binary, bool, int64, uint64, float64 or large_string.
    positions : ndarray of shape (len(values),), int64, or None
        Where they stand among the flat values of the column, ascending; None if they are all of them.
    """

    kind: str
    values: pa.Array
    positions: NDArray[np.int64] | None

    @cached_property
    def factors(self) -> tuple[pa.Array, NDArray[np.int32]]:
        """The distinct values, and the place of each value among them, shape (len(values),)."""
        return factorize(self.values)

    @property
    def is_factorized(self) -> bool:
        """Whether ``factors`` are there already."""
        return "factors" in self.__dict__


@dataclass(frozen=True)
class Items:
    """The items of a column.

    Attributes
    ----------
    column : Column
        Where they are from.
    parts : tuple of ItemPart
        Not empty ones; what is in none of them is missing.
    """

    column: Column
    parts: tuple[ItemPart, ...]

    @property
    def families(self) -> frozenset[str]:
        """Which of "binary", "boolean", "number" and "string" occur."""
        return frozenset(FAMILIES[part.kind] for part in self.parts)

    def offsets(self, part: ItemPart) -> NDArray[np.int64]:
        """Return where the values of each row begin among those of a part, shape (n_samples + 1,)."""
        column = self.column
        offsets = np.arange(column.n_samples + 1) if column.offsets is None else column.offsets
        return offsets if part.positions is None else np.searchsorted(part.positions, offsets)

    @property
    def n_missing(self) -> int:
        """How many flat values are missing."""
        return self.column.n_values - sum(len(part.values) for part in self.parts)


def items_of(column: Column) -> Items:
    """Return the items of a column.

    Parameters
    ----------
    column : Column
        Of ids or categories.

    Returns
    -------
    Items
        Integers of any width are equal, and the float 3.0 equals 3; ``"1"``, ``b"1"``, ``1`` and ``True`` differ.

    Raises
    ------
    ValueError
        If a float is infinite, or so large that it may have lost digits.
    """
    parts = (part for piece in column.pieces for part in _parts_of(column, piece))
    return Items(column, tuple(part for part in parts if len(part.values)))


def numbers_of(column: Column) -> NDArray[np.float64]:
    """Return the flat values of a column of numbers.

    Parameters
    ----------
    column : Column
        Of integers, floats or booleans.

    Returns
    -------
    ndarray of shape (n_values,)
        NaN where missing. Not to be written to: it may be the user's own.

    Raises
    ------
    TypeError
        If a value is text or bytes.
    ValueError
        If a number is infinite or does not fit in float32.
    """
    found = [(values, positions) for values, positions in map(_valid, column.pieces) if len(values)]
    for values, positions in found:
        if pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type):
            row = column.row_of(0 if positions is None else positions[0])
            msg = (
                f"Column {column.name!r} must hold numbers: row {row} has {shown(values[0].as_py())}. "
                "Name the column in categorical_features, or convert it with .astype(float)."
            )
            raise TypeError(msg)
    arrays = [values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False) for values, _ in found]
    numbers: NDArray[np.float64]
    if len(found) == 1 and found[0][1] is None:
        numbers = arrays[0]
    else:
        numbers = np.full(column.n_values, np.nan)
        for array, (_, positions) in zip(arrays, found, strict=True):
            numbers[positions] = array
    check_finite(column, numbers)
    return numbers


def _valid(piece: Piece) -> tuple[pa.Array, NDArray[np.int64] | None]:
    if piece.values.null_count == 0:
        return piece.values, piece.positions
    is_valid = piece.values.is_valid().to_numpy(zero_copy_only=False)
    return piece.values.drop_null(), _chosen(piece.positions, is_valid)


def _chosen(positions: NDArray[np.int64] | None, is_chosen: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    if is_chosen.all():
        return positions
    return np.flatnonzero(is_chosen) if positions is None else positions[is_chosen]


def _parts_of(column: Column, piece: Piece) -> Iterator[ItemPart]:
    values, positions = _valid(piece)
    kinds = {pa.bool_(): "boolean", pa.int64(): "integer", pa.large_string(): "string", pa.large_binary(): "binary"}
    if values.type in kinds:
        yield ItemPart(kinds[values.type], values, positions)
    elif pa.types.is_uint64(values.type):
        yield from _unsigned_parts(values.to_numpy(), positions)
    else:
        yield from _float_parts(column, values.to_numpy(zero_copy_only=False), positions)


def _unsigned_parts(values: NDArray[np.uint64], positions: NDArray[np.int64] | None) -> Iterator[ItemPart]:
    is_large = values > np.iinfo(np.int64).max
    yield ItemPart("integer", pa.array(values[~is_large].astype(np.int64)), _chosen(positions, ~is_large))
    yield ItemPart("large", pa.array(values[is_large]), _chosen(positions, is_large))


def _float_parts(
    column: Column, values: NDArray[np.floating], positions: NDArray[np.int64] | None
) -> Iterator[ItemPart]:
    is_number = ~np.isnan(values)
    values, positions = values[is_number], _chosen(positions, is_number)
    limit = 2.0 ** (np.finfo(values.dtype).nmant + 1)
    bad = np.flatnonzero(np.abs(values) >= limit)
    if len(bad):
        row = column.row_of(bad[0] if positions is None else positions[bad[0]])
        msg = (
            f"Column {column.name!r} holds ids as {values.dtype} numbers that may have lost digits (from 2**"
            f"{np.finfo(values.dtype).nmant + 1} on): row {row} has "
            f"{shown(values[bad[0]])}. Read the ids as integers (pandas: dtype 'Int64') or as strings."
        )
        raise ValueError(msg)
    numbers = values.astype(np.float64)
    is_integer = numbers == np.floor(numbers)
    yield ItemPart("integer", pa.array(numbers[is_integer].astype(np.int64)), _chosen(positions, is_integer))
    yield ItemPart("fraction", pa.array(numbers[~is_integer]), _chosen(positions, ~is_integer))
