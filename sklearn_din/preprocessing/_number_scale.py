"""The numbers of behaviors, standardised for the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.preprocessing._moments import Moments
from sklearn_din.utils._columns import Column
from sklearn_din.utils._pieces import shown


@dataclass(frozen=True)
class NumberScale:
    """Mean and standard deviation of a behavior field of numbers, over the behaviors of the training rows.

    Attributes
    ----------
    mean, scale : float
        0 and 1 where there is no number; ``scale`` is 1 where all numbers are equal.
    """

    mean: float
    scale: float

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "NumberScale":
        """Return the scale in a dict of the attributes, or raise KeyError, TypeError or ValueError."""
        mean, scale = float(state["mean"]), float(state["scale"])
        if not (np.isfinite([mean, scale]).all() and scale > 0):
            msg = f"A mean and a standard deviation must be finite, and the latter positive: got {mean} and {scale}."
            raise ValueError(msg)
        return cls(mean, scale)

    @classmethod
    def learn(cls, values: NDArray[np.float64]) -> "NumberScale":
        """Return mean and standard deviation of ``values`` ``(n_behaviors,)``; NaN is left out."""
        return cls.of(Moments.of(values))

    @classmethod
    def of(cls, moments: Moments) -> "NumberScale":
        """Return the scale of numbers of which the moments are known."""
        return cls(moments.mean, moments.deviation)

    def transform(self, column: Column, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return standardised values, 0 where missing.

        Parameters
        ----------
        column : Column
            Where the values are from, for the message.
        values : ndarray of shape (n_behaviors,)
            NaN where missing.

        Returns
        -------
        ndarray of shape (n_behaviors,), float32
            Finite.

        Raises
        ------
        ValueError
            If a standardised value does not fit in float32.
        """
        with np.errstate(over="ignore"):
            scaled = values - self.mean
            scaled /= self.scale
            numbers = scaled.astype(np.float32)
        bad = np.flatnonzero(np.isinf(numbers))
        if len(bad):
            msg = (
                f"Column {column.name!r} holds a number that is too large after standardising (mean {self.mean:.3g}, "
                f"standard deviation {self.scale:.3g}): row {column.row_of(bad[0])} has {shown(values[bad[0]])}. "
                "Clip it, or take its logarithm."
            )
            raise ValueError(msg)
        numbers[np.isnan(numbers)] = 0.0
        return numbers

    def inverse_transform(self, numbers: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the values ``(n_behaviors,)`` before standardising; the mean where one was missing."""
        return numbers.astype(np.float64) * self.scale + self.mean
