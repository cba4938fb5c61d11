"""Mean and variance of columns: of blocks of rows, and of the rows of several processes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sklearn_din.nn._once import differentiable_once
from sklearn_din.nn._processes import Processes


class Moments(NamedTuple):
    """Mean and biased variance of columns, each of shape (units,)."""

    mean: Tensor
    variance: Tensor


def moments_of(h: Tensor) -> Moments:
    """Return the moments of the columns.

    Parameters
    ----------
    h : Tensor of shape (n, units)
        Any number of rows.

    Returns
    -------
    Moments
        Zeros where there are no rows.
    """
    if not len(h):
        return Moments(h.new_zeros(h.shape[1]), h.new_zeros(h.shape[1]))
    mean = h.mean(0)
    return Moments(mean, (h - mean).square_().mean(0))


def combined(parts: Sequence[Moments], sizes: Sequence[int]) -> Moments:
    """Return the moments of all rows from those of parts of them.

    Parameters
    ----------
    parts : sequence of Moments
        At least one.
    sizes : sequence of int
        The rows of each part.

    Returns
    -------
    Moments
        Zeros where there are no rows.
    """
    means, variances = (torch.stack(tensors) for tensors in zip(*parts, strict=True))  # (n_parts, units)
    shares = means.new_tensor(sizes)[:, None] / max(sum(sizes), 1)
    mean = (shares * means).sum(0)
    return Moments(mean, (shares * (variances + (means - mean).square())).sum(0))


def combined_over(processes: Processes, moments: Moments, n_rows: int) -> Moments:
    """Return the moments of the rows of all processes.

    Parameters
    ----------
    processes : Processes
        All of them call this.
    moments : Moments
        Of the rows of this process.
    n_rows : int
        How many these are.

    Returns
    -------
    Moments
        The same in each process, bit by bit.
    """
    size = moments.mean.new_tensor([n_rows])
    parts = processes.gather(torch.cat([size, *moments]).double())  # (count, 1 + 2 * units)
    sizes = [int(each) for each in parts[:, 0].tolist()]
    means_and_variances = [Moments(*part[1:].chunk(2)) for part in parts]
    mean, variance = combined(means_and_variances, sizes)
    return Moments(mean.to(moments.mean.dtype), variance.to(moments.mean.dtype))


def normalized_together(x: Tensor, processes: Processes, *, n_rows: int, eps: float) -> tuple[Tensor, Moments]:
    """Normalize columns by the moments of the rows of all processes.

    Parameters
    ----------
    x : Tensor of shape (n, units)
        The rows of this process; any number.
    processes : Processes
        All of them call this, and then compute the gradient.
    n_rows : int
        Of all processes together, at least 1.
    eps : float
        Added to the variance.

    Returns
    -------
    out : Tensor of shape (n, units)
        With mean 0 and variance 1 over all processes; differentiable once.
    moments : Moments
        Of all rows.
    """
    out, *moments = _NormalizedTogether.apply(x, processes, n_rows, eps)
    return out, Moments(*moments)


class _NormalizedTogether(torch.autograd.Function):
    """What ``torch.nn.SyncBatchNorm`` does, which needs a GPU and a batch that is cut into equal parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, processes: Processes, n_rows: int, eps: float) -> tuple[Tensor, ...]:
        moments = combined_over(processes, moments_of(x), len(x))
        scale = (moments.variance + eps).rsqrt()
        ctx.save_for_backward(x, moments.mean, scale)  # not the result, which Dice writes to
        ctx.processes, ctx.n_rows = processes, n_rows
        ctx.mark_non_differentiable(*moments)
        return (x - moments.mean) * scale, *moments

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, d_out: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, mean_of_x, scale = ctx.saved_tensors
        out = (x - mean_of_x) * scale
        sums = ctx.processes.sum(torch.stack([d_out.sum(0), (d_out * out).sum(0)]))
        mean, mean_of_product = sums / ctx.n_rows
        return (d_out - mean - out * mean_of_product) * scale, None, None, None
