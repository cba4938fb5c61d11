"""Looking up rows of a table, with a gradient that is quick to make: of the whole table, or of the rows looked up."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_din.layout import PADDING_ID
from sklearn_din.nn._once import differentiable_once


def look_up(weight: Tensor, ids: Tensor, *, has_padding: bool = True, is_sparse: bool = False) -> Tensor:
    """Return the rows of a table, as ``torch.nn.functional.embedding`` does.

    Parameters
    ----------
    weight : Tensor of shape (number of ids, embedding_dim)
        The table.
    ids : Tensor of shape (n,), int32 or int64
        Its rows.
    has_padding : bool, default=True
        Whether row 0 pads: it gets no gradient.
    is_sparse : bool, default=False
        Whether the gradient of the table is a coalesced sparse tensor of the distinct ids, rather than a dense one.

    Returns
    -------
    Tensor of shape (n, embedding_dim)
        Differentiable once.
    """
    if weight.is_cuda and not is_sparse:  # adding up in a fixed order is what CUDA has a kernel for
        return functional.embedding(ids, weight, padding_idx=PADDING_ID if has_padding else None)
    rows: Tensor = _LookUp.apply(weight, ids.long(), has_padding, is_sparse)
    return rows


class _LookUp(torch.autograd.Function):
    """``torch.nn.functional.embedding`` makes the gradient on the CPU at a third of the speed."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, has_padding: bool, is_sparse: bool) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.shape, ctx.has_padding, ctx.is_sparse = weight.shape, has_padding, is_sparse
        return weight.index_select(0, ids)

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Tensor | None, ...]:
        (ids,) = ctx.saved_tensors
        if not ctx.is_sparse:
            gradient = d_rows.new_zeros(ctx.shape).index_add_(0, ids, d_rows)
            if ctx.has_padding:
                gradient[PADDING_ID] = 0
            return gradient, None, None, None
        distinct, places = torch.unique(ids, return_inverse=True)
        gradient = d_rows.new_zeros((len(distinct), ctx.shape[1]))
        if d_rows.is_cuda:
            gradient.index_put_((places,), d_rows, accumulate=True)  # adds up in a fixed order there
        else:
            gradient.index_add_(0, places, d_rows)
        if ctx.has_padding:
            gradient.masked_fill_((distinct == PADDING_ID)[:, None], 0)
        return gradient_of_rows(distinct, gradient, ctx.shape), None, None, None


def gradient_of_rows(rows: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the gradient of a table that is zero but for some rows, in memory proportional to these.

    Parameters
    ----------
    rows : Tensor of shape (n,), int64
        Which rows, ascending, each once.
    values : Tensor of shape (n, embedding_dim)
        Their gradient.
    shape : (int, int)
        Of the table.

    Returns
    -------
    Tensor of shape (number of ids, embedding_dim)
        Sparse and coalesced.
    """
    return torch.sparse_coo_tensor(rows[None], values, tuple(shape), is_coalesced=True, check_invariants=False)


def rows_of_gradient(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of a sparse gradient and their values, to be changed in place.

    Parameters
    ----------
    gradient : Tensor of shape (number of ids, embedding_dim)
        What ``gradient_of_rows`` gave, maybe by way of autograd, which forgets that it is coalesced.

    Returns
    -------
    rows : Tensor of shape (n,), int64
        Ascending, each once.
    values : Tensor of shape (n, embedding_dim)
        Their gradient.
    """
    return gradient._indices()[0], gradient._values()
