"""Rows with their target and weight: what is trained on, and what is held out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import Rows, TensorTable


class Examples(NamedTuple):
    """Rows of a table with what they should be predicted as.

    Attributes
    ----------
    table : EncodedTable or TableShare
        All rows, or those of this process.
    target : ndarray of shape (n_samples,)
        Of all rows, as the loss wants it: float32 for one output, int64 class numbers for several.
    y : ndarray of shape (n_samples,)
        Of all rows, as it was given.
    sample_weight : ndarray of shape (n_samples,) or None
        Of all rows, as it was given.
    weight : ndarray of shape (n_samples,) or None
        Of all rows, ``class_weight`` included.
    positions : ndarray of shape (n_rows,), int64
        Which of the rows are meant.
    """

    table: Any
    target: NDArray
    y: NDArray
    sample_weight: NDArray[np.float64] | None
    weight: NDArray[np.float64] | None
    positions: NDArray[np.int64]

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """Weights of the meant rows, shape (n_rows,); None where all are 1."""
        return None if self.weight is None else self.weight[self.positions]

    def split(self, fraction: float, rng: np.random.Generator) -> tuple["Examples", "Examples | None"]:
        """Hold out a random part of the rows, each target value in proportion.

        Parameters
        ----------
        fraction : float
            Share of the rows that is held out, between 0 and 1, rounded down to whole rows.
        rng : numpy.random.Generator
            Which ones.

        Returns
        -------
        tuple of Examples
            The rows to train on, and those held out: None where ``fraction`` of the rows is less than one.
        """
        target = self.target[self.positions]
        strata = target if target.dtype == np.int64 or len(np.unique(target)) == 2 else None
        is_held_out = hold_out(len(self.positions), fraction, rng, strata)
        if not is_held_out.any():
            return self, None
        train, held_out = self.positions[~is_held_out], self.positions[is_held_out]
        return self._replace(positions=train), self._replace(positions=held_out)

    def alone(self, table: Any) -> "Examples":
        """Return the meant rows without the others.

        Parameters
        ----------
        table : EncodedTable
            These rows in order.

        Returns
        -------
        rows : Examples
        --------
            All of whose rows are meant.
        """
        chosen, weight = self.positions, self.sample_weight
        return Examples(
            table=table,
            target=self.target[chosen],
            y=self.y[chosen],
            sample_weight=None if weight is None else weight[chosen],
            weight=self.weights,
            positions=np.arange(len(chosen)),
        )

    @staticmethod
    def joined(parts: Sequence["Examples"]) -> "Examples":
        """Return the rows of parts one after another.

        Parameters
        ----------
        parts : sequence of Examples
            What ``alone`` returned; with weights all or none.

        Returns
        -------
        rows : Examples
        --------
            All of whose rows are meant.
        """
        sample_weights = [part.sample_weight for part in parts if part.sample_weight is not None]
        weights = [part.weight for part in parts if part.weight is not None]
        return Examples(
            table=EncodedTable.concatenate(part.table for part in parts),
            target=np.concatenate([part.target for part in parts]),
            y=np.concatenate([part.y for part in parts]),
            sample_weight=np.concatenate(sample_weights) if sample_weights else None,
            weight=np.concatenate(weights) if weights else None,
            positions=np.arange(sum(len(part.positions) for part in parts)),
        )

    def to_rows(self, tensors: TensorTable, unit: float | None = None) -> Rows:
        """Return the meant rows as tensors.

        Parameters
        ----------
        tensors : TensorTable
            The table on its device.
        unit : float, default=None
            The weight that becomes 1; None for the mean.

        Returns
        -------
        Rows
            On that device.
        """
        weights = self.weights
        scaled = None
        if weights is not None:
            scaled = (weights / (weights.mean() if unit is None else unit)).astype(np.float32)
        return Rows(
            table=tensors,
            positions=torch.from_numpy(self.positions).to(tensors.device),
            target=torch.from_numpy(self.target[self.positions]).to(tensors.device),
            weight=None if scaled is None else torch.from_numpy(scaled).to(tensors.device),
        )


def hold_out(
    n_rows: int, fraction: float, rng: np.random.Generator, strata: NDArray | None = None
) -> NDArray[np.bool_]:
    """Choose ``floor(n_rows * fraction)`` rows at random, from each stratum in proportion to its size.

    The rows are put in random order, sorted by stratum, and every (1 / fraction)-th is taken, but never all of a
    stratum: what remains has a row of each. Unlike ``train_test_split``, this works for strata of any size.

    Parameters
    ----------
    n_rows : int
        Rows to choose from.
    fraction : float
        Between 0 and 1.
    rng : numpy.random.Generator
        Randomness.
    strata : ndarray of shape (n_rows,), optional
        What is kept in proportion; None for nothing.

    Returns
    -------
    ndarray of shape (n_rows,), bool
        True for the chosen rows.

    Examples
    --------
    >>> import numpy as np
    >>> hold_out(10, 0.2, np.random.default_rng(0), np.repeat([0, 1], 5)).reshape(2, 5).sum(axis=1)
    array([1, 1])
    """
    order = rng.permutation(n_rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    quota = np.floor(np.arange(n_rows + 1) * fraction + 1e-9)
    chosen = np.zeros(n_rows, dtype=bool)
    chosen[order[np.diff(quota) > 0]] = True
    if strata is not None:
        _, first, stratum, sizes = np.unique(strata, return_index=True, return_inverse=True, return_counts=True)
        chosen[first[np.bincount(stratum, chosen) == sizes]] = False
    return chosen
