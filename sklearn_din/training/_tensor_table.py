"""The columns of an ``EncodedTable`` as tensors, from which whole mini-batches are gathered without padding."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn._batch import Batch
from sklearn_din.nn._segments import gather_segments
from sklearn_din.nn._share import BatchShare
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
            positions, offsets = gather_segments(self._offsets[names[0]], rows)
            batch.update({name: (self._values[name].index_select(0, positions), offsets) for name in names})
        return batch

    def share(self, rows: Tensor) -> BatchShare | None:
        """Return which of the rows are here, where other processes have the others; None where all are here.

        Parameters
        ----------
        rows : Tensor of shape (batch_size,), int64
            Of a whole batch.

        Returns
        -------
        BatchShare or None
            Of that batch.
        """
        return None

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of what each process has counted of its rows.

        Parameters
        ----------
        values : Tensor
            Counted of the rows here; may be written to.

        Returns
        -------
        Tensor
            Of all rows.
        """
        return values


def _stacked(table: EncodedTable, names: tuple[str, ...]) -> np.ndarray:
    stacked = np.empty((len(table), len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        stacked[:, position] = table[name]
    return stacked


def batches_in_order(table: TensorTable, batch_size: int, positions: Tensor | None = None) -> Iterator[Batch]:
    """Yield the rows in order, in blocks of ``batch_size`` rows, for prediction."""
    if positions is None:
        positions = torch.arange(table.n_rows, device=table.device)
    for rows in positions.split(batch_size):
        yield table.batch(rows)
