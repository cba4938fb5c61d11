"""Lists of different lengths as flat values with offsets, and their padded form; nothing else knows padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """A column of lists: row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        All rows, one after another.
    offsets : ndarray of shape (n_samples + 1,), int64
        Where each row begins and ends; starts at 0 and ends at ``n_values``.
    """

    values: NDArray
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Values of each row, shape (n_samples,)."""
        return np.diff(self.offsets)

    def take(self, rows: NDArray[np.int64]) -> "Ragged":
        """Return the rows at the positions ``rows``, in that order."""
        start = self.offsets[rows]
        lengths = self.offsets[rows + 1] - start
        return Ragged(self.values[ranges(start, lengths)], offsets_of(lengths))

    def newest(self, max_length: int) -> "Ragged":
        """Keep the last ``max_length`` values of each row."""
        lengths = np.minimum(self.lengths, max_length)
        return self._part(self.offsets[1:] - lengths, lengths)

    def first(self, max_length: int) -> "Ragged":
        """Keep the first ``max_length`` values of each row."""
        return self._part(self.offsets[:-1], np.minimum(self.lengths, max_length))

    def _part(self, start: NDArray[np.int64], lengths: NDArray[np.int64]) -> "Ragged":
        if lengths.sum() == len(self.values):
            return self
        return Ragged(self.values[ranges(start, lengths)], offsets_of(lengths))

    def padded(self, length: int) -> NDArray:
        """Return the values as ``(n_samples, length)``, zeros after the end of each row."""
        out = np.zeros((len(self), length), dtype=self.values.dtype)
        out[np.arange(length) < self.lengths[:, None]] = self.values
        return out


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the offsets ``(n_samples + 1,)`` of rows of these lengths ``(n_samples,)``."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(start: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``start[i], start[i] + 1, …`` (``lengths[i]`` of them) for each row, one after another."""
    shift = start - offsets_of(lengths)[:-1]
    return np.arange(lengths.sum()) + np.repeat(shift, lengths)


def concatenate(columns: Sequence[Ragged]) -> Ragged:
    """Return the rows of all columns, one column after another."""
    lengths = np.concatenate([column.lengths for column in columns])
    return Ragged(np.concatenate([column.values for column in columns]), offsets_of(lengths))


def take_together(columns: Sequence[Ragged], rows: NDArray[np.int64]) -> list[Ragged]:
    """Return the rows at the positions ``rows`` of columns that share their offsets, which the results do too."""
    start = columns[0].offsets[rows]
    lengths = columns[0].offsets[rows + 1] - start
    where, offsets = ranges(start, lengths), offsets_of(lengths)
    return [Ragged(column.values[where], offsets) for column in columns]


def from_padded(padded: NDArray, is_value: NDArray[np.bool_]) -> Ragged:
    """Return the values of ``padded`` ``(n_samples, length)`` where ``is_value`` (same shape), row by row."""
    return Ragged(padded[is_value], offsets_of(is_value.sum(axis=1, dtype=np.int64)))


def first_gap(is_value: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Return row and position of the first padding between values, in ``is_value`` ``(n_samples, length)``, or None."""
    before = np.logical_or.accumulate(is_value, axis=1)
    after = np.logical_or.accumulate(is_value[:, ::-1], axis=1)[:, ::-1]
    gaps = np.argwhere(before & after & ~is_value)
    return (int(gaps[0, 0]), int(gaps[0, 1])) if len(gaps) else None
