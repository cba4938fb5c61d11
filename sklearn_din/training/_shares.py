"""Rows that are spread over processes: each has some, and knows of the others only how long their histories are."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn._batch import Batch
from sklearn_din.nn._processes import Processes
from sklearn_din.nn._share import BatchShare, Share, offsets_of_lengths
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training._tensor_table import TensorTable


@dataclass(frozen=True)
class TableShare:
    """Some rows of a table, the others of which are in other processes.

    Attributes
    ----------
    table : EncodedTable
        The rows here.
    rows : ndarray of shape (len(table),), int64
        Which of all rows they are, ascending.
    n_rows : int
        All rows.
    """

    table: EncodedTable
    rows: NDArray[np.int64]
    n_rows: int

    @classmethod
    def of(cls, table: EncodedTable, processes: Processes) -> "TableShare":
        """Return the part of a table, which each process has, that this process is to work on."""
        rows = np.array_split(np.arange(len(table)), processes.count)[processes.rank]
        return cls(table[rows], rows, len(table))

    @property
    def layout(self) -> FeatureLayout:
        """Of the table."""
        return self.table.layout

    @property
    def shape(self) -> tuple[int, int]:
        """All rows, and columns of ``table.to_numpy()``."""
        return self.n_rows, self.table.shape[1]

    def __len__(self) -> int:
        return self.n_rows

    def places(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of some positions among all rows are here, and where in ``table``."""
        places = np.searchsorted(self.rows, positions)
        here = np.flatnonzero(np.append(self.rows, -1)[places] == positions)
        return here, places[here]

    def collect(self, positions: NDArray[np.int64], processes: Processes) -> EncodedTable:
        """Return rows from wherever they are.

        Parameters
        ----------
        positions : ndarray of shape (n,), int64
            Among all rows; the same in every process.
        processes : Processes
            All of them call this.

        Returns
        -------
        EncodedTable
            These rows in order, in every process.
        """
        here, places = self.places(positions)
        parts = processes.gather_objects((here, self.table[places]))
        order = np.argsort(np.concatenate([part[0] for part in parts]))
        collected: EncodedTable = EncodedTable.concatenate([part[1] for part in parts])[order]
        return collected


class SharedTable(TensorTable):
    """The rows of a ``TableShare`` as tensors; positions are those among all rows.

    Parameters
    ----------
    share : TableShare
        The rows here.
    device : torch.device
        Where the tensors lie.
    processes : Processes
        Who has the others; all of them make a ``SharedTable``.
    """

    def __init__(self, share: TableShare, device: torch.device, processes: Processes) -> None:
        super().__init__(share.table, device)
        self.n_rows = share.n_rows
        self.processes = processes
        self._rows = self._tensor(share.rows)
        self._nowhere = torch.tensor([-1], device=device)  # after the last row
        self._lengths = {names[0]: self._gathered(self._offsets[names[0]].diff()) for names in self._groups}

    @property
    def mean_behaviors(self) -> float:
        """Behaviors per row of all processes, those of all sequences together."""
        total = sum(int(self._lengths[sequence.name].sum()) for sequence in self.layout.sequences)
        return total / max(self.n_rows, 1)

    def lengths(self, name: str) -> Tensor:
        """Return the behaviors in each of all rows, shape (n_rows,), int64."""
        return self._lengths[name].long()

    def batch(self, rows: Tensor) -> Batch:
        """Gather those of the rows that are here.

        Parameters
        ----------
        rows : Tensor of shape (batch_size,), int64
            Positions among all rows.

        Returns
        -------
        Batch
            Of the rows here, in their order.
        """
        here, places = self._places(rows)
        return super().batch(places[here])

    def share(self, rows: Tensor) -> BatchShare:
        """Return which of the rows are here, and the lengths of all."""
        here, _ = self._places(rows)
        offsets = {name: offsets_of_lengths(self._lengths[names[0]][rows]) for names in self._groups for name in names}
        return BatchShare(Share(len(rows), here, self.processes), offsets)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        return self.processes.sum(values)

    def _places(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return which of the rows are here, and the place that each would have here."""
        places = torch.searchsorted(self._rows, rows)
        found = torch.cat([self._rows, self._nowhere])[places]
        return (found == rows).nonzero().squeeze(1), places

    def _gathered(self, lengths: Tensor) -> Tensor:
        """Return the lengths of all rows, int32."""
        rows = torch.cat(self.processes.gather_rows(self._rows))
        everywhere = torch.cat(self.processes.gather_rows(lengths.int()))
        return torch.empty_like(everywhere).index_copy_(0, rows, everywhere)
