"""Raw values of a column as items: what counts as the same value, whatever type it came in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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
    positions : ndarray of shape (len(values),), int64
        Where they stand among the flat values of the column.
    """

    kind: str
    values: pa.Array
    positions: NDArray[np.int64]


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

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The row of each flat value, shape (n_values,)."""
        if self.column.offsets is None:
            return np.arange(self.column.n_samples)
        return np.repeat(np.arange(self.column.n_samples), self.column.lengths)

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
        NaN where missing.

    Raises
    ------
    TypeError
        If a value is text or bytes.
    ValueError
        If a number is infinite or does not fit in float32.
    """
    numbers = np.full(column.n_values, np.nan)
    for piece in column.pieces:
        values, positions = _valid(column, piece)
        if not len(values):
            continue
        if pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type):
            msg = (
                f"Column {column.name!r} must hold numbers: row {column.row_of(positions[0])} has "
                f"{shown(values[0].as_py())}. Name the column in categorical_features, or convert it with "
                ".astype(float)."
            )
            raise TypeError(msg)
        numbers[positions] = values.to_numpy(zero_copy_only=False).astype(np.float64)
    check_finite(column, numbers)
    return numbers


def _valid(column: Column, piece: Piece) -> tuple[pa.Array, NDArray[np.int64]]:
    positions = np.arange(column.n_values) if piece.positions is None else piece.positions
    if piece.values.null_count == 0:
        return piece.values, positions
    is_valid = piece.values.is_valid().to_numpy(zero_copy_only=False)
    return piece.values.drop_null(), positions[is_valid]


def _parts_of(column: Column, piece: Piece) -> Iterator[ItemPart]:
    values, positions = _valid(column, piece)
    kinds = {pa.bool_(): "boolean", pa.int64(): "integer", pa.large_string(): "string", pa.large_binary(): "binary"}
    if values.type in kinds:
        yield ItemPart(kinds[values.type], values, positions)
    elif pa.types.is_uint64(values.type):
        yield from _unsigned_parts(values.to_numpy(), positions)
    else:
        yield from _float_parts(column, values.to_numpy(zero_copy_only=False), positions)


def _unsigned_parts(values: NDArray[np.uint64], positions: NDArray[np.int64]) -> Iterator[ItemPart]:
    is_large = values > np.iinfo(np.int64).max
    yield ItemPart("integer", pa.array(values[~is_large].astype(np.int64)), positions[~is_large])
    yield ItemPart("large", pa.array(values[is_large]), positions[is_large])


def _float_parts(column: Column, values: NDArray[np.floating], positions: NDArray[np.int64]) -> Iterator[ItemPart]:
    is_number = ~np.isnan(values)
    values, positions = values[is_number], positions[is_number]
    limit = 2.0 ** (np.finfo(values.dtype).nmant + 1)
    bad = np.flatnonzero(np.abs(values) >= limit)
    if len(bad):
        msg = (
            f"Column {column.name!r} holds ids as {values.dtype} numbers that may have lost digits (from 2**"
            f"{np.finfo(values.dtype).nmant + 1} on): row {column.row_of(positions[bad[0]])} has "
            f"{shown(values[bad[0]])}. Read the ids as integers (pandas: dtype 'Int64') or as strings."
        )
        raise ValueError(msg)
    numbers = values.astype(np.float64)
    is_integer = numbers == np.floor(numbers)
    yield ItemPart("integer", pa.array(numbers[is_integer].astype(np.int64)), positions[is_integer])
    yield ItemPart("fraction", pa.array(numbers[~is_integer]), positions[~is_integer])
