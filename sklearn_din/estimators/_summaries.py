"""What a target that is read in parts looks like on the whole: a few values that stand for all rows."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class TargetSummary(NamedTuple):
    """Values with the distribution of a target, as far as a fit looks at it.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Distinct.
    counts : ndarray of shape (n_values,)
        Rows that each stands for.
    weights : ndarray of shape (n_values,)
        Their weights, added up.
    present : ndarray of shape (n_values,)
        Those of them with a weight above 0.
    """

    values: NDArray[Any]
    counts: NDArray[np.float64]
    weights: NDArray[np.float64]
    present: NDArray[np.float64]


class LabelCounts:
    """How many rows have each label, and what they weigh."""

    def __init__(self) -> None:
        self.labels: NDArray[Any] = np.zeros(0)  # sorted; from the first rows on, of the type of the target
        self.totals = np.zeros((3, 0))  # rows of each, their weight, and those with a weight above 0

    def add(self, y: NDArray[Any], weight: NDArray[np.float64] | None) -> None:
        """Add rows.

        Parameters
        ----------
        y : ndarray of shape (n_samples,)
            Labels.
        weight : ndarray of shape (n_samples,) or None
            0 or greater; None for 1.
        """
        labels, codes = np.unique(y, return_inverse=True)
        weight = np.ones(len(y)) if weight is None else weight
        totals = [np.bincount(codes, each, len(labels)) for each in (np.ones(len(y)), weight, weight > 0)]
        known = self.labels if len(self.labels) else labels[:0]
        self.labels, codes = np.unique(np.concatenate([known, labels]), return_inverse=True)
        both = np.hstack([self.totals, totals])
        self.totals = np.array([np.bincount(codes, each, len(self.labels)) for each in both])

    def summary(self) -> TargetSummary:
        """Return each label with its counts.

        Returns
        -------
        TargetSummary
            In order of the labels; their type is that of the target.
        """
        return TargetSummary(self.labels, *self.totals)


@dataclass
class NumberMoments:
    """Mean and deviation of a target of numbers.

    Attributes
    ----------
    count, weight, present : float
        Rows, their weight, and those with a weight above 0.
    mean, squares : float
        Weighted mean, and weighted sum of the squared deviations from it.
    smallest, largest : float
        Of the rows with a weight above 0.
    """

    count: float = 0.0
    weight: float = 0.0
    present: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    smallest: float = math.inf
    largest: float = -math.inf

    def add(self, y: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        """Add rows.

        Parameters
        ----------
        y : ndarray of shape (n_samples,)
            Numbers.
        weight : ndarray of shape (n_samples,) or None
            0 or greater; None for 1.
        """
        weight = np.ones(len(y)) if weight is None else weight
        self.count += len(y)
        self.present += np.count_nonzero(weight)
        added = float(weight.sum())
        if not added:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.average(y, weights=weight)
            total, distance = self.weight + added, mean - self.mean
            self.squares += float(weight @ (y - mean) ** 2 + distance**2 * self.weight * added / total)
            self.mean += float(distance * added / total)
        self.weight = total
        there = y[weight > 0]
        self.smallest, self.largest = min(self.smallest, there.min()), max(self.largest, there.max())

    def summary(self) -> TargetSummary:
        """Return two values with the same mean and deviation.

        Returns
        -------
        TargetSummary
            One below and one above the mean; the smallest and the largest where the deviation is not finite.
        """
        deviation = math.sqrt(self.squares / self.weight) if self.weight else 0.0
        values = np.array([self.smallest, self.largest])
        if math.isfinite(deviation):
            values = self.mean + deviation * np.array([-1.0, 1.0])
        return TargetSummary(values, *(np.full(2, each / 2) for each in (self.count, self.weight, self.present)))
