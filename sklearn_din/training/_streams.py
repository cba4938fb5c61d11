"""Rows that are read again in each epoch, a buffer of them at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_din.nn import DIN
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training._batches import MiniBatch, Rows, ShuffledBatches, TrainingRows, n_steps
from sklearn_din.training._tensor_table import TensorTable


class Part(NamedTuple):
    """Some training rows.

    Attributes
    ----------
    table : EncodedTable
        The rows.
    target : ndarray of shape (n_samples,)
        As of ``Rows``.
    weight : ndarray of shape (n_samples,), float32, or None
        With mean 1 over all parts; None in all of them.
    """

    table: EncodedTable
    target: NDArray[Any]
    weight: NDArray[np.float32] | None

    def take(self, rows: NDArray[np.int64]) -> "Part":
        """Return the rows at some positions."""
        return Part(self.table[rows], self.target[rows], None if self.weight is None else self.weight[rows])

    def to_rows(self, device: torch.device) -> Rows:
        """Return the rows as tensors."""
        return Rows(
            table=TensorTable(self.table, device),
            positions=torch.arange(len(self.table), device=device),
            target=torch.from_numpy(self.target).to(device),
            weight=None if self.weight is None else torch.from_numpy(self.weight).to(device),
        )

    @staticmethod
    def joined(parts: Sequence["Part"]) -> "Part":
        """Return the rows of parts one after another."""
        weights = [part.weight for part in parts if part.weight is not None]
        return Part(
            EncodedTable.concatenate(part.table for part in parts),
            np.concatenate([part.target for part in parts]),
            np.concatenate(weights) if weights else None,
        )


@dataclass(frozen=True)
class StreamedRows(TrainingRows):
    """What one fit trains on, where not all of it is in memory.

    Attributes
    ----------
    load : callable
        ``load(i)`` reads a part.
    sizes : ndarray of shape (n_parts,), int64
        Rows of each.
    behaviors : int
        Those of all rows and sequences together.
    buffer_size : int
        Rows that are mixed with each other; those of the part that is read come on top.
    device : torch.device
        Where the batches are gathered.
    """

    load: Callable[[int], Part]
    sizes: NDArray[np.int64]
    behaviors: int
    buffer_size: int
    device: torch.device

    def __len__(self) -> int:
        return int(self.sizes.sum())

    @property
    def mean_behaviors(self) -> float:
        """Behaviors per row, those of all sequences together."""
        return self.behaviors / max(len(self), 1)

    def batches(self, **parameters: Any) -> "StreamedBatches":
        """Return an epoch of shuffled mini-batches; parameters are those of ``ShuffledBatches``."""
        return StreamedBatches(self, **parameters)

    def count(
        self, module: DIN, unknown_rate: float = 0.0, earlier: dict[Any, Tensor] | None = None
    ) -> dict[Any, Tensor]:
        """Count the rows of all parts in which each id occurs."""
        counts = earlier
        for part in self._parts():
            counts = part.count(module, unknown_rate, counts)
        return counts or {}

    def is_predictable(self, module: DIN) -> bool:
        """Return whether the predictions for all rows are finite."""
        return all(part.is_predictable(module) for part in self._parts())

    def _parts(self) -> Iterator[Rows]:
        return (self.load(i).to_rows(self.device) for i, size in enumerate(self.sizes) if size)


class StreamedBatches:
    """An epoch of mini-batches of parts in random order, mixed in a buffer.

    A buffer is filled with parts, shuffled, and emptied to one half, which the next parts are mixed with. Batches are
    as many as ``ShuffledBatches`` has, and as large.

    Parameters
    ----------
    rows : StreamedRows
        The training rows.
    batch_size : int
        Rows per batch.
    shuffling : torch.Generator or None
        Randomness of the order.
    **parameters
        Of ``ShuffledBatches``.
    """

    def __init__(
        self, rows: StreamedRows, *, batch_size: int, shuffling: torch.Generator | None, **parameters: Any
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.shuffling = shuffling
        self.parameters = parameters

    def __len__(self) -> int:
        return n_steps(len(self.rows), self.batch_size)

    def __iter__(self) -> Iterator[MiniBatch]:
        left = len(self.rows)
        buffered: list[Part] = []
        for i in torch.randperm(len(self.rows.sizes), generator=self.shuffling).tolist():
            if not self.rows.sizes[i]:
                continue
            buffered.append(self.rows.load(i))
            n_buffered = sum(len(part.target) for part in buffered)
            if n_buffered >= self.rows.buffer_size and n_buffered < left:
                # More than a batch stays, so that the last one is not of a single row.
                n_kept = max(min(n_buffered, self.rows.buffer_size) // 2, self.batch_size + 1)
                n_out = max(n_buffered - n_kept, 0) // self.batch_size * self.batch_size
                buffered = self._split(buffered, n_out)
                yield from self._batches(buffered.pop())
                left -= n_out
        yield from self._batches(Part.joined(buffered))

    def _split(self, buffered: list[Part], n_out: int) -> list[Part]:
        """Return the rows of parts at random as two parts, the second with ``n_out`` of them."""
        part = Part.joined(buffered)
        order = torch.randperm(len(part.target), generator=self.shuffling).numpy()
        return [part.take(order[n_out:]), part.take(order[:n_out])]

    def _batches(self, part: Part) -> Iterator[MiniBatch]:
        if len(part.target):
            yield from ShuffledBatches(
                part.to_rows(self.rows.device),
                batch_size=self.batch_size,
                shuffling=self.shuffling,
                **self.parameters,
            )
