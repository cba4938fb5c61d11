"""Softmax, sums and mean over the segments of a flat tensor: the histories of a batch, one after another."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_din.nn._once import differentiable_once


def segment_ids(offsets: Tensor, n_values: int | None = None) -> Tensor:
    """Return the segment that each value belongs to.

    Parameters
    ----------
    offsets : Tensor of shape (batch_size + 1,), int32 or int64
        Segment ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    n_values : int, default=None
        The last of ``offsets`` where the caller knows it, so that a GPU need not be waited for.

    Returns
    -------
    Tensor of shape (n_behaviors,), int64
        Numbers of segments, ascending; an empty segment does not occur.
    """
    segments = torch.arange(offsets.shape[0] - 1, device=offsets.device)
    return torch.repeat_interleave(segments, offsets.diff(), output_size=n_values)


def segment_sum(values: Tensor, offsets: Tensor, rows: Tensor | None = None) -> Tensor:
    """Add up the values of each segment.

    Parameters
    ----------
    values : Tensor of shape (n_behaviors,) or (n_behaviors, embedding_dim)
        All segments, one after another.
    offsets : Tensor of shape (batch_size + 1,), int32 or int64
        Where they begin, and the end of the last.
    rows : Tensor of shape (n_behaviors,), default=None
        What ``segment_ids`` returns for them, if it is already known.

    Returns
    -------
    Tensor of shape (batch_size,) or (batch_size, embedding_dim)
        Sums; zero where the segment is empty.
    """
    rows = segment_ids(offsets, values.shape[0]) if rows is None else rows
    zeros = values.new_zeros((offsets.shape[0] - 1, *values.shape[1:]))
    return zeros.index_add(0, rows, values)


def segment_mean(values: Tensor, offsets: Tensor, rows: Tensor | None = None) -> Tensor:
    """Average the values of each segment.

    Parameters
    ----------
    values : Tensor of shape (n_behaviors,) or (n_behaviors, embedding_dim)
        All segments, one after another.
    offsets : Tensor of shape (batch_size + 1,), int32 or int64
        Where they begin, and the end of the last.
    rows : Tensor of shape (n_behaviors,), default=None
        What ``segment_ids`` returns for them, if it is already known.

    Returns
    -------
    Tensor of shape (batch_size,) or (batch_size, embedding_dim)
        Means; zero where the segment is empty.
    """
    totals = segment_sum(values, offsets, rows)
    lengths = offsets.diff().clamp(min=1).to(values.dtype)
    return totals / lengths.reshape(-1, *[1] * (values.ndim - 1))


def segment_weighted_sum(values: Tensor, weights: Tensor, offsets: Tensor, rows: Tensor | None = None) -> Tensor:
    """Add up the weighted values of each segment.

    Parameters
    ----------
    values : Tensor of shape (n_behaviors, embedding_dim)
        All segments, one after another.
    weights : Tensor of shape (n_behaviors,)
        One per row of ``values``.
    offsets : Tensor of shape (batch_size + 1,), int32 or int64
        Where the segments begin, and the end of the last.
    rows : Tensor of shape (n_behaviors,), default=None
        What ``segment_ids`` returns for them, if it is already known.

    Returns
    -------
    Tensor of shape (batch_size, embedding_dim)
        Sums; zero where the segment is empty. Differentiable once.
    """
    rows = segment_ids(offsets, values.shape[0]) if rows is None else rows
    sums: Tensor = _SegmentWeightedSum.apply(values, weights, offsets, rows)
    return sums


class _SegmentWeightedSum(torch.autograd.Function):
    """``torch.nn.functional.embedding_bag`` sorts the segments for its gradient, which are sorted here."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor, offsets: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(values, weights, rows)
        # The values taken as an embedding table: weighting and summing in one pass, without the products in memory.
        positions = torch.arange(values.shape[0], dtype=offsets.dtype, device=offsets.device)
        return functional.embedding_bag(
            positions, values, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, d_sums: Tensor) -> tuple[Tensor | None, ...]:
        values, weights, rows = ctx.saved_tensors
        d_products = d_sums.index_select(0, rows)  # (n_behaviors, embedding_dim)
        d_weights = (values * d_products).sum(1) if ctx.needs_input_grad[1] else None
        return d_products.mul_(weights[:, None]), d_weights, None, None


def segment_softmax(scores: Tensor, offsets: Tensor, rows: Tensor | None = None) -> Tensor:
    """Apply the softmax function within each segment.

    Parameters
    ----------
    scores : Tensor of shape (n_behaviors,)
        All segments, one after another; finite.
    offsets : Tensor of shape (batch_size + 1,), int32 or int64
        Where they begin, and the end of the last.
    rows : Tensor of shape (n_behaviors,), default=None
        What ``segment_ids`` returns for them, if it is already known.

    Returns
    -------
    Tensor of shape (n_behaviors,)
        Positive, with the sum 1 in each segment that is not empty.
    """
    rows = segment_ids(offsets, scores.shape[0]) if rows is None else rows
    # Each segment is shifted by its greatest score, so that no exponential overflows. The result does not depend on the
    # shift, so the gradient need not pass through it.
    lowest = scores.new_full((offsets.shape[0] - 1,), -torch.inf)
    greatest = lowest.scatter_reduce(0, rows, scores.detach(), "amax")  # (batch_size,)
    exponentials = (scores - greatest.index_select(0, rows)).exp()  # (n_behaviors,)
    totals = segment_sum(exponentials, offsets, rows)  # (batch_size,)
    return exponentials / totals.index_select(0, rows)


def gather_segments(offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the values of some segments are.

    Parameters
    ----------
    offsets : Tensor of shape (n_segments + 1,), int32 or int64
        Where the segments begin, and the end of the last.
    rows : Tensor of shape (batch_size,), int64
        Which of them.

    Returns
    -------
    positions : Tensor of shape (n_behaviors,), int64
        Of their values among all, segment by segment.
    offsets : Tensor of shape (batch_size + 1,)
        Of the chosen segments.
    """
    start = offsets.index_select(0, rows)
    lengths = offsets.index_select(0, rows + 1) - start
    new = torch.zeros(len(rows) + 1, dtype=offsets.dtype, device=offsets.device)
    torch.cumsum(lengths, 0, out=new[1:])
    shift = torch.repeat_interleave(start - new[:-1], lengths)  # (n_behaviors,)
    return shift.add_(torch.arange(len(shift), device=offsets.device)), new
