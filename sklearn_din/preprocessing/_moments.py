"""Number, mean and spread of numbers that come in parts: the same whatever the parts are, and in whatever order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.preprocessing._factors import BLOCK

_UNIT = 1074  # every float64 is a multiple of 2**-1074
_BITS = 36  # that one step of the sum keeps: a block of 2**16 values then adds up to at most 2**52 units


@dataclass(frozen=True)
class Moments:
    """What the mean and the standard deviation of numbers need.

    Attributes
    ----------
    n : int
        How many numbers there are.
    total : int
        Their sum, exactly, in units of 2**-1074: means are rounded once, whatever the order of the numbers is. The
        fingerprint of an encoder has six digits of them.
    squares : float
        Sum of the squared distances from the mean; 0 if and only if all numbers are equal.
    """

    n: int = 0
    total: int = 0
    squares: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Moments":
        """Return the moments of ``values`` ``(n_values,)``, finite ones; NaN is left out."""
        is_missing = np.isnan(values)
        present = values[~is_missing] if is_missing.any() else values
        if not len(present):
            return cls()
        n, total = len(present), exact_sum(present)
        mean, squares = _quotient(total, n), 0.0
        for start in range(0, n, BLOCK):
            distances = present[start : start + BLOCK] - mean
            squares += float(np.dot(distances, distances))
        rounding = _quotient(total - n * exact_sum(np.array([mean])), n)  # of the mean, which squares see
        return cls(n, total, max(squares - n * rounding * rounding, 0.0))

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of the numbers of both (Chan, Golub and LeVeque, 1983, equation 2.1)."""
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        distance = _quotient(self.total * other.n - other.total * self.n, self.n * other.n)  # of the means
        squares = self.squares + other.squares + distance * distance * (self.n * other.n / n)
        return Moments(n, self.total + other.total, squares)

    def to_state(self) -> list[Any]:
        """Return the moments as plain values, the sum without the zeros at its end."""
        n_zeros = (self.total & -self.total).bit_length() - 1 if self.total else 0
        return [self.n, self.total >> n_zeros, n_zeros, self.squares]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> "Moments":
        """Return the moments that ``to_state`` described."""
        n, total, n_zeros, squares = state
        return cls(n, total << n_zeros, squares)

    @property
    def mean(self) -> float:
        """The mean; 0 where there is no number."""
        return _quotient(self.total, self.n) if self.n else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation; 1 where all numbers are equal, or there is none."""
        return (math.sqrt(self.squares / self.n) if self.n else 0.0) or 1.0


def exact_sum(values: NDArray[np.float64]) -> int:
    """Return the sum of numbers without any rounding.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Finite.

    Returns
    -------
    int
        In units of 2**-1074.
    """
    total = 0
    for start in range(0, len(values), BLOCK):
        rest = values[start : start + BLOCK].copy()
        largest, place = float(np.abs(rest).max()), 0
        while largest and place > -_UNIT:
            # What is added and taken away again rounds to multiples of 2**place, whose sum is exact.
            place = max(math.frexp(largest)[1] - _BITS, -_UNIT)
            shift = math.ldexp(1.5, place + 52)
            part = (rest + shift) - shift
            total += int(math.ldexp(float(part.sum()), -place)) << (place + _UNIT)
            rest -= part
            largest = float(np.abs(rest).max())
    return total


def _quotient(total: int, n: int) -> float:
    return total / (n << _UNIT)  # rounded once
