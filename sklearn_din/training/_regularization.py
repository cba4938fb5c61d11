"""L2 regularization of the embedding tables: mini-batch aware (paper, section 5.1), or of whole tables."""

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_din.layout import UNKNOWN_ID
from sklearn_din.nn import DIN
from sklearn_din.nn._lookup import gradient_of_rows, rows_of_gradient
from sklearn_din.training._batches import Rows

CHUNK = 8192  # rows whose ids are counted at a time


class MinibatchAwareL2(Callback):
    """Adds the gradient of mini-batch aware regularization: ``alpha / n_j * w_j`` for each id ``j`` in the batch.

    That is the derivative of ``alpha / 2 * sum of |w_j|^2 / n_j`` over the ids of the batch (paper, eq. 6), where
    ``n_j`` is the number of training rows in which the id occurs. Padding and ids that are absent from the batch are
    untouched; behaviors that the network drops in training are in the batch.

    Parameters
    ----------
    alpha : float
        The paper's lambda.
    counts : dict of table to Tensor of shape (n_ids,)
        ``n_j`` of each table; see ``count_rows``. An id that they lack counts as one that occurs once.

    References
    ----------
    Zhou et al., Deep Interest Network, arXiv 1706.06978, section 5.1, eq. 4 to 7.
    """

    def __init__(self, alpha: float, counts: dict[Any, Tensor]) -> None:
        self.alpha = alpha
        self.counts = counts

    def on_grad_computed(self, net: Any, named_parameters: Any, batch: Any = None, **kwargs: Any) -> None:
        """Add to the gradients of the tables."""
        embedding = net.module_.embedding
        for table, columns in embedding.ids_by_table(batch.features).items():
            weight, ids = embedding.weight(table), torch.cat(columns).long()
            present = torch.unique(ids) if table in embedding.tables.sparse else _distinct(ids, len(weight))
            factor = self.alpha / self.counts[table].index_select(0, present).clamp_(min=1)
            penalty = weight.detach().index_select(0, present).mul_(factor[:, None])
            weight.grad = _with_rows(weight.grad, present, penalty)


def _distinct(ids: Tensor, n_ids: int) -> Tensor:
    """Return each id once, ascending: what ``torch.unique`` does by sorting, faster where a pass over all ids is."""
    is_present = torch.zeros(n_ids, dtype=torch.bool, device=ids.device)
    return is_present.index_fill_(0, ids, True).nonzero().squeeze(1)


def _with_rows(gradient: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """Return a gradient of the same form with values added to rows; the rows of a sparse one must be among them."""
    if not gradient.is_sparse:
        return gradient.index_add_(0, rows, values)
    known, known_values = rows_of_gradient(gradient)
    values.index_add_(0, torch.searchsorted(rows, known), known_values)
    return gradient_of_rows(rows, values, gradient.shape)


class WholeTableL2(Callback):
    """Adds ``alpha * w`` to the gradient of every row of every table, present in the batch or not.

    Parameters
    ----------
    alpha : float
        Strength.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        """Add to the gradients of the tables."""
        embedding = net.module_.embedding
        for table in embedding.table_names:
            weight = embedding.weight(table)
            if weight.grad is not None:
                weight.grad.add_(weight.detach(), alpha=self.alpha)


def count_rows(
    module: DIN, rows: Rows, unknown_rate: float = 0.0, earlier: dict[Any, Tensor] | None = None
) -> dict[Any, Tensor]:
    """Count the training rows in which each id of each table occurs, candidate and history together.

    Parameters
    ----------
    module : DIN
        Whose tables are meant, those of recency included.
    rows : Rows
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
    embedding = module.embedding
    columns = rows.table.layout.columns_by_table
    counts: dict[Any, Tensor] = {
        table: torch.zeros(len(embedding.weight(table)), device=rows.positions.device) for table in columns
    }
    for positions in rows.positions.split(CHUNK):
        batch = rows.table.batch(positions)
        for table, names in columns.items():
            row, ids = _occurrences([batch[name] for name in names])
            counts[table] += _rows_per_id(row, ids, len(counts[table]), unknown_rate)
    for sequence in rows.table.layout.sequences:
        recency = "recency", sequence.name
        if recency in embedding.table_names:
            lengths = rows.table.lengths(sequence.name)[rows.positions]
            counts[recency] = _rows_per_distance(lengths, len(embedding.weight(recency)))
    if earlier is not None:
        counts = {table: count + earlier[table].to(count.device) for table, count in counts.items()}
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


def _rows_per_id(row: Tensor, ids: Tensor, n_ids: int, unknown_rate: float) -> Tensor:
    counts = torch.bincount(torch.unique(row * n_ids + ids) % n_ids, minlength=n_ids).float()
    if unknown_rate:
        replaced = (1 - (1 - unknown_rate) ** torch.bincount(row)).sum()
        counts[UNKNOWN_ID] = torch.maximum(counts[UNKNOWN_ID], replaced)
    return counts


def _rows_per_distance(lengths: Tensor, max_length: int) -> Tensor:
    """Return how many histories have a behavior at each distance from the newest."""
    per_length = torch.bincount(lengths.clamp(max=max_length), minlength=max_length + 1)
    return per_length.flip(0).cumsum(0).flip(0)[1:].float()
