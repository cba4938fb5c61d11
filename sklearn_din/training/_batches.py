"""What one fit trains on, and mini-batches of it in random order."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_din.layout import UNKNOWN_ID
from sklearn_din.nn import DIN
from sklearn_din.nn._batch import Batch
from sklearn_din.nn._share import BatchShare, Share
from sklearn_din.training._counts import count_rows
from sklearn_din.training._prediction import predict_raw
from sklearn_din.training._tensor_table import TensorTable


class TrainingRows(Dataset):
    """What one fit trains on, wherever it lies: its length is the number of rows."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def mean_behaviors(self) -> float:
        """Behaviors per row, those of all sequences together."""

    @abstractmethod
    def batches(self, **parameters: Any) -> Iterable["MiniBatch"]:
        """Return an epoch of shuffled mini-batches, which has a length.

        Parameters
        ----------
        **parameters
            Of ``ShuffledBatches``.

        Returns
        -------
        iterable of MiniBatch
            In a new order each time.
        """

    @abstractmethod
    def count(
        self, module: DIN, unknown_rate: float = 0.0, earlier: dict[Any, Tensor] | None = None
    ) -> dict[Any, Tensor]:
        """Count the rows in which each id occurs; see ``count_rows``.

        Parameters
        ----------
        module, unknown_rate, earlier
            As there.

        Returns
        -------
        dict of table to Tensor of shape (n_ids,)
            As there.
        """

    @abstractmethod
    def is_predictable(self, module: DIN) -> bool:
        """Return whether the predictions for all rows are finite.

        Parameters
        ----------
        module : DIN
            On the device of the rows.

        Returns
        -------
        bool
            Of all processes that share the rows.
        """


@dataclass(frozen=True)
class Rows(TrainingRows):
    """Rows of a table with their target and weight: what one fit trains on or validates with.

    Attributes
    ----------
    table : TensorTable
        All rows.
    positions : Tensor of shape (n_samples,), int64
        Which of them.
    target : Tensor of shape (n_samples,)
        Of these rows: float for two classes and regression, int64 class numbers otherwise.
    weight : Tensor of shape (n_samples,) or None
        Of these rows, with mean 1.
    """

    table: TensorTable
    positions: Tensor
    target: Tensor
    weight: Tensor | None

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def mean_behaviors(self) -> float:
        """Behaviors per row of the table, those of all sequences together."""
        return self.table.mean_behaviors

    def batches(self, **parameters: Any) -> "ShuffledBatches":
        """Return an epoch of shuffled mini-batches."""
        return ShuffledBatches(self, **parameters)

    def count(
        self, module: DIN, unknown_rate: float = 0.0, earlier: dict[Any, Tensor] | None = None
    ) -> dict[Any, Tensor]:
        """Count the rows in which each id occurs."""
        return count_rows(module, self.table, self.positions, unknown_rate, earlier)

    def is_predictable(self, module: DIN) -> bool:
        """Return whether the predictions for all rows are finite."""
        raw = predict_raw(module, self.table, self.positions)
        return not self.table.total((~raw.float().isfinite()).sum().to(self.table.device))


@dataclass(frozen=True)
class MiniBatch:
    """One step's worth of rows; its length is the number of rows, whatever the histories' lengths.

    Where several processes have a part of it each, its columns are those of one part, and its length that of the whole.
    """

    features: Batch
    target: Tensor
    weight: Tensor | None
    share: BatchShare | None = None

    def __len__(self) -> int:
        return len(self.target) if self.share is None else self.share.rows.n_rows

    def __iter__(self) -> Iterator[Any]:
        """Yield features and target: skorch's scoring callbacks unpack a batch into these two."""
        return iter((self.features, self.target))


class ShuffledBatches:
    """An epoch of mini-batches in uniformly random order; a new order each time it is iterated.

    Batches are of one size, but for the last of an epoch, which is smaller; a last batch of a single row joins the one
    before it, since there is no variance of one row (Dice, batch normalization).

    Parameters
    ----------
    rows : Rows
        The training rows.
    batch_size : int
        Rows per batch.
    unknown_rate : float
        Share of the ids that are replaced by unknown, so that the vector of unknown is learnt.
    shuffling, noise : torch.Generator or None
        Randomness of the order, and of the replaced ids; None is torch's global generator.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        batch_size: int,
        unknown_rate: float,
        shuffling: torch.Generator | None,
        noise: torch.Generator | None,
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.unknown_rate = unknown_rate
        self.shuffling = shuffling
        self.noise = noise

    def __len__(self) -> int:
        return n_steps(len(self.rows), self.batch_size)

    def __iter__(self) -> Iterator[MiniBatch]:
        order = torch.randperm(len(self.rows), generator=self.shuffling).to(self.rows.positions.device)
        steps = len(self)
        for step in range(steps):
            stop = len(order) if step == steps - 1 else (step + 1) * self.batch_size
            yield self._batch(order[step * self.batch_size : stop])

    def _batch(self, at: Tensor) -> MiniBatch:
        rows = self.rows
        share = rows.table.share(rows.positions[at])
        if share is not None:
            at = at[share.rows.rows]
        features = rows.table.batch(rows.positions[at])
        if self.unknown_rate:
            features = with_unknown(features, self.unknown_rate, self.noise, share)
        return MiniBatch(features, rows.target[at], None if rows.weight is None else rows.weight[at], share)


def with_unknown(
    batch: Batch, rate: float, generator: torch.Generator | None, share: BatchShare | None = None
) -> Batch:
    """Replace ids at random places by unknown.

    Parameters
    ----------
    batch : dict
        Tensors by column, which are written to.
    rate : float
        Share of the ids.
    generator : torch.Generator or None
        Where the places come from.
    share : BatchShare or None
        Which part of a batch it is: places are drawn for the whole.

    Returns
    -------
    dict
        Tensors by column.
    """

    def replaced(ids: Tensor, of_whole: Share | None) -> Tensor:
        if ids.is_floating_point():
            return ids
        shape = ids.shape if of_whole is None else (of_whole.n_rows,)
        is_replaced = torch.rand(shape, generator=generator, device=ids.device) < rate
        return ids.masked_fill_(is_replaced if of_whole is None else is_replaced[of_whole.rows], UNKNOWN_ID)

    columns: Batch = {}
    for name, column in batch.items():
        if isinstance(column, tuple):
            columns[name] = replaced(column[0], None if share is None else share.values(name)), column[1]
        else:
            columns[name] = replaced(column, None if share is None else share.rows)
    return columns


def n_steps(n_rows: int, batch_size: int) -> int:
    """Return the number of batches of an epoch: a last batch of one row joins the one before it."""
    full, rest = divmod(n_rows, batch_size)
    return max(1, full + (rest > 1 or (rest == 1 and batch_size == 1)))
