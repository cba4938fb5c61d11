"""How often the candidate itself stands in the history: what a softmax forgets."""

import torch
from torch import Tensor

from sklearn_din.layout import UNKNOWN_ID, BehaviorField, FeatureLayout
from sklearn_din.nn._batch import Batch, offsets_of, values_of
from sklearn_din.nn._segments import segment_ids, segment_sum


def match_counts(layout: FeatureLayout, batch: Batch) -> list[Tensor]:
    """Count the behaviors that have the candidate's id.

    Parameters
    ----------
    layout : FeatureLayout
        The columns.
    batch : dict
        Tensors by column.

    Returns
    -------
    list of Tensor of shape (batch_size, number of shared fields)
        log(1 + count) for each sequence that shares a field with the candidate. Unknown ids match nothing.
    """
    counts = []
    for sequence in layout.sequences:
        if sequence.shared:
            offsets = offsets_of(batch, sequence.name)
            rows = segment_ids(offsets, values_of(batch, sequence.name).shape[0])
            matches = torch.stack([_matches(batch, field, rows) for field in sequence.shared], dim=1)
            counts.append(segment_sum(matches, offsets, rows).log1p())
    return counts


def _matches(batch: Batch, field: BehaviorField, rows: Tensor) -> Tensor:
    """Return 1 for each behavior with the candidate's id, else 0: (n_behaviors,)."""
    ids = values_of(batch, field.name)
    candidate = values_of(batch, field.table).index_select(0, rows)  # (n_behaviors,)
    return ((ids == candidate) & (ids != UNKNOWN_ID)).float()
