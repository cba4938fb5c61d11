"""L2 regularization of the embedding tables: mini-batch aware (paper, section 5.1), or of whole tables."""

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_din.nn._lookup import gradient_of_rows, rows_of_gradient
from sklearn_din.nn._processes import Processes


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
    processes : Processes or None
        Who has the other parts of each batch; None where batches are whole.

    References
    ----------
    Zhou et al., Deep Interest Network, arXiv 1706.06978, section 5.1, eq. 4 to 7.
    """

    def __init__(self, alpha: float, counts: dict[Any, Tensor], processes: Processes | None = None) -> None:
        self.alpha = alpha
        self.counts = counts
        self.processes = processes

    def on_grad_computed(self, net: Any, named_parameters: Any, batch: Any = None, **kwargs: Any) -> None:
        """Add to the gradients of the tables."""
        embedding = net.module_.embedding
        ids = {table: torch.cat(columns).long() for table, columns in embedding.ids_by_table(batch.features).items()}
        sizes = {table: len(embedding.weight(table)) for table in ids if table not in embedding.tables.sparse}
        for table, present in _distinct(ids, sizes, self.processes).items():
            weight = embedding.weight(table)
            factor = self.alpha / self.counts[table].index_select(0, present).clamp_(min=1)
            penalty = weight.detach().index_select(0, present).mul_(factor[:, None])
            weight.grad = _with_rows(weight.grad, present, penalty)


def _distinct(ids: dict[Any, Tensor], sizes: dict[Any, int], processes: Processes | None) -> dict[Any, Tensor]:
    """Return each id of each table once, ascending, those of other processes too.

    ``torch.unique`` sorts; a pass over all ids is faster where there is one anyway: for the tables of ``sizes``.
    """
    distinct = {table: torch.unique(each) for table, each in ids.items() if table not in sizes}
    if processes is not None:
        gathered = {table: torch.cat(processes.gather_rows(each)) for table, each in distinct.items()}
        distinct = {table: torch.unique(each) for table, each in gathered.items()}
    if not sizes:
        return distinct
    parts = {table: torch.zeros(n, dtype=torch.uint8, device=ids[table].device) for table, n in sizes.items()}
    for table, is_present in parts.items():
        is_present.index_fill_(0, ids[table], 1)
    if processes is not None:  # by one message for all tables
        joined = processes.greatest(torch.cat(list(parts.values())))
        parts = dict(zip(parts, joined.split(list(sizes.values())), strict=True))
    return distinct | {table: is_present.nonzero().squeeze(1) for table, is_present in parts.items()}


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
