"""Whole mini-batches of flat tensors from an ``EncodedTable``: no padding, no Python per row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_din.layout import UNKNOWN_ID, FeatureLayout
from sklearn_din.nn._batch import Batch
from sklearn_din.preprocessing import EncodedTable


class TensorTable:
    """The columns of an ``EncodedTable`` as tensors on a device, from which any rows are gathered at once.

    Parameters
    ----------
    table : EncodedTable
        Read once; on the CPU the flat values of its list columns are shared, not copied.
    device : torch.device
        Where the tensors lie and the batches are gathered.
    """

    def __init__(self, table: EncodedTable, device: torch.device) -> None:
        layout = table.layout
        self.layout: FeatureLayout = layout
        self.n_rows = len(table)
        self.device = device
        self._ids = {column.name: self._tensor(table[column.name]) for column in layout.categorical}
        self._numeric = self._tensor(_stacked(table, layout.numeric))  # (n_samples, n_numeric)
        self._groups = [tuple(field.name for field in sequence.fields) for sequence in layout.sequences]
        self._groups += [(column.name,) for column in layout.bags]
        self._values = {name: self._tensor(table.ragged(name).values) for name in layout.list_columns}
        self._offsets = {names[0]: self._tensor(table.ragged(names[0]).offsets) for names in self._groups}

    def _tensor(self, array: np.ndarray) -> Tensor:
        array = np.ascontiguousarray(array)
        if not array.flags.writeable:  # torch can't mark a tensor as read-only and warns
            array = array.copy()
        return torch.from_numpy(array).to(self.device)

    @property
    def mean_behaviors(self) -> float:
        """Behaviors per row, those of all sequences together."""
        names = [sequence.name for sequence in self.layout.sequences]
        return sum(len(self._values[name]) for name in names) / max(self.n_rows, 1)

    def lengths(self, name: str) -> Tensor:
        """Return the behaviors in each row of a sequence or bag, shape (n_samples,), int64."""
        return self._offsets[name].diff()

    def batch(self, rows: Tensor) -> Batch:
        """Gather rows.

        Parameters
        ----------
        rows : Tensor of shape (batch_size,), int64
            Positions, on the device of the table.

        Returns
        -------
        Batch
            Scalars as ``(batch_size,)``, list columns as ``(values, offsets)``; fields of one sequence share offsets.
        """
        batch: Batch = {name: ids.index_select(0, rows) for name, ids in self._ids.items()}
        batch.update(zip(self.layout.numeric, self._numeric.index_select(0, rows).unbind(1), strict=True))
        for names in self._groups:
            positions, offsets = _gather(self._offsets[names[0]], rows)
            batch.update({name: (self._values[name].index_select(0, positions), offsets) for name in names})
        return batch


def _stacked(table: EncodedTable, names: tuple[str, ...]) -> np.ndarray:
    stacked = np.empty((len(table), len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        stacked[:, position] = table[name]
    return stacked


def _gather(offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of the values of ``rows``, and their offsets ``(batch_size + 1,)``."""
    start = offsets.index_select(0, rows)
    lengths = offsets.index_select(0, rows + 1) - start
    new = torch.zeros(len(rows) + 1, dtype=offsets.dtype, device=offsets.device)
    torch.cumsum(lengths, 0, out=new[1:])
    shift = torch.repeat_interleave(start - new[:-1], lengths)  # (n_behaviors,)
    return shift.add_(torch.arange(len(shift), device=offsets.device)), new


@dataclass(frozen=True)
class Rows(Dataset):
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


@dataclass(frozen=True)
class MiniBatch:
    """One step's worth of rows; its length is the number of rows, whatever the histories' lengths."""

    features: Batch
    target: Tensor
    weight: Tensor | None

    def __len__(self) -> int:
        return len(self.target)

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
        rows = self.rows
        order = torch.randperm(len(rows), generator=self.shuffling).to(rows.positions.device)
        steps = len(self)
        for step in range(steps):
            stop = len(order) if step == steps - 1 else (step + 1) * self.batch_size
            at = order[step * self.batch_size : stop]
            features = rows.table.batch(rows.positions[at])
            if self.unknown_rate:
                features = self._with_unknown(features)
            yield MiniBatch(features, rows.target[at], None if rows.weight is None else rows.weight[at])

    def _with_unknown(self, batch: Batch) -> Batch:
        return {
            name: (self._replaced(column[0]), column[1]) if isinstance(column, tuple) else self._replaced(column)
            for name, column in batch.items()
        }

    def _replaced(self, ids: Tensor) -> Tensor:
        if ids.is_floating_point():
            return ids
        is_replaced = torch.rand(ids.shape, generator=self.noise, device=ids.device) < self.unknown_rate
        return ids.masked_fill_(is_replaced, UNKNOWN_ID)  # the batch's own copy


def n_steps(n_rows: int, batch_size: int) -> int:
    """Return the number of batches of an epoch: a last batch of one row joins the one before it."""
    full, rest = divmod(n_rows, batch_size)
    return max(1, full + (rest > 1 or (rest == 1 and batch_size == 1)))


def batches_in_order(table: TensorTable, batch_size: int, positions: Tensor | None = None) -> Iterator[Batch]:
    """Yield the rows in order, in blocks of ``batch_size`` rows, for prediction."""
    if positions is None:
        positions = torch.arange(table.n_rows, device=table.device)
    for rows in positions.split(batch_size):
        yield table.batch(rows)
