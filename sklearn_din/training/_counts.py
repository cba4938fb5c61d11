"""In how many training rows each id occurs: what mini-batch aware regularization divides by."""

from typing import Any

import torch
from torch import Tensor

from sklearn_din.layout import UNKNOWN_ID
from sklearn_din.nn import DIN
from sklearn_din.training._tensor_table import TensorTable

CHUNK = 8192  # rows whose ids are counted at a time


def count_rows(
    module: DIN,
    table: TensorTable,
    positions: Tensor,
    unknown_rate: float = 0.0,
    earlier: dict[Any, Tensor] | None = None,
) -> dict[Any, Tensor]:
    """Count the training rows in which each id of each table occurs, candidate and history together.

    Parameters
    ----------
    module : DIN
        Whose tables are meant, those of recency included.
    table : TensorTable
        Of rows; where it has those of one process, the counts are of all processes.
    positions : Tensor of shape (n_samples,), int64
        The training rows.
    unknown_rate : float
        Share of ids that training replaces by unknown: unknown counts as often as it is then expected to occur.
    earlier : dict of table to Tensor of shape (n_ids,), optional
        Counts of rows that were trained on before, to which these are added.

    Returns
    -------
    dict of table to Tensor of shape (n_ids,), float32
        0 where an id does not occur.
    """
    columns, weight = table.layout.columns_by_table, module.embedding.weight
    counts: dict[Any, Tensor] = {name: torch.zeros(len(weight(name)), device=positions.device) for name in columns}
    replaced = {name: torch.zeros((), dtype=torch.float64, device=positions.device) for name in columns}
    for part in positions.split(CHUNK):
        batch = table.batch(part)
        for name, sharing in columns.items():
            row, ids = _occurrences([batch[column] for column in sharing])
            counts[name] += _rows_per_id(row, ids, len(counts[name]))
            replaced[name] += _rows_with_replaced(row, ids, unknown_rate)
    for name, count in counts.items():
        table.total(count)[UNKNOWN_ID] += table.total(replaced[name]).float()
    for sequence in table.layout.sequences:
        recency = "recency", sequence.name
        if recency in module.embedding.table_names:
            lengths = table.lengths(sequence.name)[positions]
            counts[recency] = _rows_per_distance(lengths, len(weight(recency)))
    if earlier is not None:
        counts = {name: count + earlier[name].to(count.device) for name, count in counts.items()}
    return counts


def _occurrences(columns: list[Tensor | tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Row and id of each occurrence in the columns of one table, int64."""
    rows, ids = [], []
    for column in columns:
        if isinstance(column, tuple):
            values, offsets = column
            row = torch.repeat_interleave(torch.arange(len(offsets) - 1, device=offsets.device), offsets.diff())
        else:
            values, row = column, torch.arange(len(column), device=column.device)
        rows.append(row)
        ids.append(values.long())
    return torch.cat(rows), torch.cat(ids)


def _rows_per_id(row: Tensor, ids: Tensor, n_ids: int) -> Tensor:
    return torch.bincount(torch.unique(row * n_ids + ids) % n_ids, minlength=n_ids).float()


def _rows_with_replaced(row: Tensor, ids: Tensor, unknown_rate: float) -> Tensor:
    """Return in how many rows without an unknown id one is to be expected to be replaced by it, float64."""
    n_ids = torch.bincount(row)
    n_unknown = torch.bincount(row[ids == UNKNOWN_ID], minlength=len(n_ids))
    return ((1 - (1 - unknown_rate) ** n_ids.double()) * (n_unknown == 0)).sum()


def _rows_per_distance(lengths: Tensor, max_length: int) -> Tensor:
    """Return how many histories have a behavior at each distance from the newest."""
    per_length = torch.bincount(lengths.clamp(max=max_length), minlength=max_length + 1)
    return per_length.flip(0).cumsum(0).flip(0)[1:].float()
