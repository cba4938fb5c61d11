"""Values as codes, and how many rows hold each, without Python code per value and with little memory beside them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# Values handled at a time: so few that what is computed on the way stays in the cache of the processor. Whole arrays
# of 4.5 million values took 1.4 times as long, and memory for several more such arrays.
BLOCK = 2**16


def factorize(values: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return the distinct values and the code of each value, its place among them.

    Parameters
    ----------
    values : pyarrow.Array
        Without nulls.

    Returns
    -------
    distinct : pyarrow.Array
        Each value once, in any order.
    codes : ndarray of shape (len(values),), int32
        Not to be written to.
    """
    if pa.types.is_int64(values.type) and len(values):
        integers = values.to_numpy()
        low, high = int(integers.min()), int(integers.max())
        if high - low < len(integers):
            return _factorize_dense(integers, low, high)
    encoded = values.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy()


def _factorize_dense(integers: NDArray[np.int64], low: int, high: int) -> tuple[pa.Array, NDArray[np.int32]]:
    """Factorize integers from ``low`` to ``high`` with a table of that length, in two thirds of the time of hashing."""
    is_there = np.zeros(high - low + 1, dtype=bool)
    for block in _blocks(integers):
        is_there[block - low] = True
    places = np.flatnonzero(is_there)
    codes = np.empty(len(is_there), dtype=np.int32)
    codes[places] = np.arange(len(places), dtype=np.int32)
    return pa.array(places + low), gather(codes, integers, first=low)


def gather(table: NDArray[Any], places: NDArray[np.integer], *, first: int = 0) -> NDArray[Any]:
    """Return ``table[places - first]``.

    Parameters
    ----------
    table : ndarray of shape (n,)
        What to look up.
    places : ndarray of shape (n_values,), integers
        From ``first`` to ``first + n - 1``.
    first : int, default=0
        The place of the first entry.

    Returns
    -------
    ndarray of shape (n_values,)
        Of the type of ``table``.
    """
    out = np.empty(len(places), dtype=table.dtype)
    for block, out_block in zip(_blocks(places), _blocks(out), strict=True):
        # Another mode than "raise" writes to ``out`` without a buffer.
        np.take(table, block - first, out=out_block, mode="clip")
    return out


def count_rows(columns: Sequence[tuple[NDArray[np.int32], NDArray[np.int64]]], n_codes: int) -> NDArray[np.int64]:
    """Return the number of rows that hold each code, in whichever column.

    Parameters
    ----------
    columns : sequence of (codes, offsets)
        Codes below ``n_codes``, shape (n_values,), and where those of each row begin, shape (n_samples + 1,); of the
        same rows.
    n_codes : int
        How many codes there are.

    Returns
    -------
    ndarray of shape (n_codes,), int64
        A code counts once per row.
    """
    n_bits = int(n_codes).bit_length()
    counts = np.zeros(n_codes, dtype=np.int64)
    ends = np.sum([offsets for _, offsets in columns], axis=0)
    # A block pays for a pass over the counts: with more codes it is larger.
    starts = np.searchsorted(ends, np.arange(0, ends[-1], max(BLOCK, n_codes)))
    edges = np.unique(np.concatenate([[0], starts, [len(ends) - 1]]))
    for start, stop in pairwise(edges):
        keys = np.concatenate([_sorted_keys(*_rows(column, start, stop), n_bits) for column in columns])
        if len(columns) > 1:
            keys.sort(kind="stable")  # which merges runs that are in order
        is_first = np.ones(len(keys), dtype=bool)
        np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
        counts += np.bincount(keys.compress(is_first) & (2**n_bits - 1), minlength=n_codes)
    return counts


def _rows(
    column: tuple[NDArray[np.int32], NDArray[np.int64]], start: int, stop: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return codes and lengths of the rows from ``start`` to ``stop - 1``."""
    codes, offsets = column
    return codes[offsets[start] : offsets[stop]], np.diff(offsets[start : stop + 1])


def _sorted_keys(codes: NDArray[np.int32], lengths: NDArray[np.int64], n_bits: int) -> NDArray[np.int64]:
    """Return an integer for each pair of row and code, in order of rows and then of codes."""
    keys: NDArray[np.int64] = np.repeat(np.arange(len(lengths), dtype=np.int64) << n_bits, lengths)
    keys |= codes
    longest = int(lengths.max(initial=0))
    if longest > 1:
        _sort_runs(keys, longest)
    return keys


def _sort_runs(keys: NDArray[np.int64], longest: int) -> None:
    """Sort keys that are in order but for runs of at most ``longest``, in place.

    Windows of two runs are sorted, and then those half a window further on, which hold whole the runs that the first
    ones cut. Sorting few keys at a time takes a tenth of the time of sorting all.
    """
    width = max(128, 2 ** (2 * longest - 1).bit_length())
    for start in (0, width // 2):
        stop = start + max(len(keys) - start, 0) // width * width
        keys[start:stop].reshape(-1, width).sort(axis=1)
        keys[stop:].sort()


def _blocks(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[start : start + BLOCK] for start in range(0, len(values), BLOCK))
