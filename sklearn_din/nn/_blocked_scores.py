"""The activation unit with Dice as one operation, in blocks of behaviors that stay in the processor's cache."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sklearn_din.nn._inference import linear
from sklearn_din.nn._moments import Moments, combined, combined_over, moments_of
from sklearn_din.nn._once import differentiable_once
from sklearn_din.nn._processes import Processes

BLOCK = 2048  # behaviors: 80 units of so many are 640 KiB


class DiceLayer(NamedTuple):
    """Dice on the pre-activations of a hidden layer, and the linear layer after it.

    Attributes
    ----------
    alpha : Tensor of shape (units,)
        The learnt parameter of Dice.
    weight : Tensor of shape (units of the next layer, units)
        Of the linear layer.
    bias : Tensor of shape (units of the next layer,)
        Of the linear layer.
    """

    alpha: Tensor
    weight: Tensor
    bias: Tensor


def blocked_scores(
    of_row: Tensor,
    candidate: Tensor,
    behaviors: Tensor,
    of_behavior: Tensor,
    of_products: Tensor,
    layers: Sequence[DiceLayer],
    *,
    rows: Tensor,
    eps: float,
    processes: Processes | None = None,
    block: int = BLOCK,
) -> tuple[Tensor, list[Moments]]:
    """Score behaviors with the statistics of this batch, keeping nothing but the pre-activations.

    The first pre-activations are ``of_row[rows] + e @ of_behavior + (a * e) @ of_products``. Dice takes the statistics
    of all behaviors, so each layer is swept once, forward and back. Up to rounding, scores and gradients are those of
    ``MLP.after_first``.

    Parameters
    ----------
    of_row : Tensor of shape (batch_size, units)
        What a row's candidate adds to the first pre-activations.
    candidate : Tensor of shape (batch_size, candidate_dim)
        Factors of the first columns of the behaviors; without columns, there are no products.
    behaviors : Tensor of shape (n_behaviors, behavior_dim)
        At least two, those of all processes together.
    of_behavior : Tensor of shape (behavior_dim, units)
        Weights of the behaviors in the first layer.
    of_products : Tensor of shape (candidate_dim, units)
        Weights of the products in the first layer.
    layers : sequence of DiceLayer
        At least one; the last linear layer has one unit.
    rows : Tensor of shape (n_behaviors,)
        The row that each behavior belongs to.
    eps : float
        Of Dice.
    processes : Processes, default=None
        Who has the other behaviors of the batch; None where all are here.
    block : int, default=2048
        Behaviors at a time, about: they are shared out evenly.

    Returns
    -------
    scores : Tensor of shape (n_behaviors,)
        Differentiable once.
    moments : list of Moments
        One for each layer.
    """
    n_blocks = max(1, round(len(behaviors) / block))
    block = max(1, math.ceil(len(behaviors) / n_blocks))
    flat = [tensor for layer in layers for tensor in layer]
    scores, *moments = _BlockedScores.apply(
        rows, eps, processes, block, of_row, candidate, behaviors, of_behavior, of_products, *flat
    )
    return scores.squeeze(1), [Moments(*pair) for pair in zip(moments[::2], moments[1::2], strict=True)]


def blocked_scores_of(
    moments: Sequence[Moments],
    of_row: Tensor,
    candidate: Tensor,
    behaviors: Tensor,
    of_behavior: Tensor,
    of_products: Tensor,
    layers: Sequence[DiceLayer],
    *,
    rows: Tensor,
    eps: float,
    block: int = BLOCK,
) -> Tensor:
    """Score behaviors with given statistics, without gradients: what inference does.

    Parameters
    ----------
    moments : sequence of Moments
        One for each layer.
    of_row, candidate, behaviors, of_behavior, of_products, layers, rows, eps, block
        As in ``blocked_scores``; any number of behaviors.

    Returns
    -------
    Tensor of shape (n_behaviors,)
        Scores.
    """
    dices = [_Dice(layer.alpha, pair, eps) for layer, pair in zip(layers, moments, strict=True)]
    first = torch.cat([of_behavior, of_products]).T.contiguous()  # (units, behavior_dim + candidate_dim)
    scores = behaviors.new_empty(len(behaviors), 1)
    for e, row, out in zip(behaviors.split(block), rows.split(block), scores.split(block), strict=True):
        x = torch.cat([e, _products(candidate, e, row)], dim=1) if len(of_products) else e
        h = linear(x, first, None).add_(of_row.index_select(0, row))
        for dice, layer in zip(dices, layers, strict=True):
            h = linear(dice(h), layer.weight, layer.bias)
        out.copy_(h)
    return scores.squeeze(1)


class _BlockedScores(torch.autograd.Function):
    """Names: ``h`` are pre-activations, ``x`` activations, and ``d_h`` is the gradient of the loss by ``h``."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        eps: float,
        processes: Processes | None,
        block: int,
        of_row: Tensor,
        candidate: Tensor,
        behaviors: Tensor,
        of_behavior: Tensor,
        of_products: Tensor,
        *flat: Tensor,
    ) -> tuple[Tensor, ...]:
        layers = _layers(flat)
        h = behaviors.new_empty(len(behaviors), of_behavior.shape[1])
        sizes = [len(part) for part in behaviors.split(block)]
        n_products, parts = len(of_products), []
        for h_part, e, row in zip(h.split(block), behaviors.split(block), rows.split(block), strict=True):
            torch.index_select(of_row, 0, row, out=h_part)
            h_part.addmm_(e, of_behavior)
            if n_products:
                h_part.addmm_(_products(candidate, e, row), of_products)
            parts.append(moments_of(h_part))
        kept, moments = [], []
        for layer in layers:
            kept.append(h)
            moments.append(combined(parts, sizes))
            if processes is not None:
                moments[-1] = combined_over(processes, moments[-1], len(behaviors))
            dice = _Dice(layer.alpha, moments[-1], eps)
            h = behaviors.new_empty(len(behaviors), len(layer.weight))
            parts = []
            for before, after in zip(kept[-1].split(block), h.split(block), strict=True):
                torch.addmm(layer.bias, dice(before), layer.weight.T, out=after)
                if layer is not layers[-1]:
                    parts.append(moments_of(after))
        flat_moments = [tensor for pair in moments for tensor in pair]
        ctx.save_for_backward(rows, of_row, candidate, behaviors, of_behavior, of_products, *flat, *kept, *flat_moments)
        ctx.eps, ctx.processes, ctx.block, ctx.n_layers = eps, processes, block, len(layers)
        ctx.mark_non_differentiable(*flat_moments)
        return h, *flat_moments

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, d_scores: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        block, n_layers = ctx.block, ctx.n_layers
        rows, of_row, candidate, behaviors, of_behavior, of_products, *rest = ctx.saved_tensors
        flat, kept, flat_moments = rest[: 3 * n_layers], rest[3 * n_layers : 4 * n_layers], rest[4 * n_layers :]
        gradient: Iterator[Tensor] = iter(d_scores.split(block))
        d_flat: list[Tensor] = []
        for i, layer in reversed(list(enumerate(_layers(flat)))):
            dice = _DiceBackward(layer.alpha, Moments(*flat_moments[2 * i : 2 * i + 2]), ctx.eps)
            d_weight, d_bias = torch.zeros_like(layer.weight), torch.zeros_like(layer.bias)
            d_h = torch.empty_like(kept[i])
            for d_after, h, out in zip(gradient, kept[i].split(block), d_h.split(block), strict=True):
                x = dice.backward(h, d_after @ layer.weight, out=out)
                d_weight.addmm_(d_after.T, x)
                d_bias += d_after.sum(0)
            gradient = dice.completed(d_h, kept[i], block, ctx.processes)
            d_flat = [dice.d_alpha, d_weight, d_bias, *d_flat]
        d_of_row, d_candidate, d_behaviors = map(torch.zeros_like, (of_row, candidate, behaviors))
        d_of_behavior, d_of_products = torch.zeros_like(of_behavior), torch.zeros_like(of_products)
        n_products = len(of_products)
        parts = behaviors.split(block), rows.split(block), d_behaviors.split(block)
        for d_units, e, row, d_e in zip(gradient, *parts, strict=True):
            d_of_row.index_add_(0, row, d_units)
            d_of_behavior.addmm_(e.T, d_units)
            torch.mm(d_units, of_behavior.T, out=d_e)
            if n_products:
                a, shared = candidate.index_select(0, row), e[:, :n_products]
                d_of_products.addmm_((shared * a).T, d_units)
                d_products = d_units @ of_products.T
                d_candidate.index_add_(0, row, d_products * shared)
                d_e[:, :n_products].addcmul_(d_products, a)
        return None, None, None, None, d_of_row, d_candidate, d_behaviors, d_of_behavior, d_of_products, *d_flat


class _Dice:
    """Dice with given statistics: ``h (alpha + (1 - alpha) sigmoid((h - mean) / std))``."""

    def __init__(self, alpha: Tensor, moments: Moments, eps: float) -> None:
        self.alpha = alpha
        self.rest = 1 - alpha
        self.scale = (moments.variance + eps).rsqrt()
        self.shift = -moments.mean * self.scale

    def __call__(self, h: Tensor) -> Tensor:
        p = torch.addcmul(self.shift, h, self.scale).sigmoid_()
        return torch.addcmul(self.alpha, p, self.rest, out=p).mul_(h)


class _DiceBackward:
    """The gradients of Dice, block by block, with ``q = 1 - p``: ``h (1 - (1 - alpha) sigmoid((mean - h) / std))``."""

    def __init__(self, alpha: Tensor, moments: Moments, eps: float) -> None:
        self.one = torch.ones_like(alpha)
        self.rest = 1 - alpha
        std_inverse = (moments.variance + eps).rsqrt()
        self.scale = -std_inverse
        self.shift = moments.mean * std_inverse
        self.sums = [torch.zeros_like(alpha) for _ in range(3)]

    def backward(self, h: Tensor, d_x: Tensor, out: Tensor) -> Tensor:
        """Write to ``out`` the gradient by ``h`` with the statistics held constant; return the activations."""
        z = torch.addcmul(self.shift, h, self.scale)
        q = z.sigmoid()
        slope = torch.addcmul(self.one, q, self.rest, value=-1)
        d_alpha = (d_x * h).mul_(q)
        d_z = torch.addcmul(d_alpha, d_alpha, q, value=-1)  # but for the factor alpha - 1
        torch.mul(d_x, slope, out=out).addcmul_(d_z, self.scale * self.rest, value=-1)
        for total, part in zip(self.sums, (d_alpha, d_z, z.mul_(d_z)), strict=True):
            total += part.sum(0)
        return slope.mul_(h)

    @property
    def d_alpha(self) -> Tensor:
        """The gradient by ``alpha``, once all blocks are through."""
        return self.sums[0]

    def completed(self, d_h: Tensor, h: Tensor, block: int, processes: Processes | None) -> Iterator[Tensor]:
        """Yield the blocks of ``d_h``, with the gradient through mean and variance, once all are through."""
        _, d_shift, d_scale = self.sums
        n_behaviors: int | Tensor = len(h)
        if processes is not None:
            sums = torch.stack([d_shift, d_scale, torch.full_like(d_shift, len(h))])
            d_shift, d_scale, n_behaviors = processes.sum(sums)
        factor = self.scale * self.rest / -n_behaviors
        by_variance = factor * d_scale
        constant = factor * d_shift + by_variance * self.shift
        for d_h_part, h_part in zip(d_h.split(block), h.split(block), strict=True):
            yield d_h_part.sub_(torch.addcmul(constant, h_part, by_variance * self.scale))


def _layers(flat: Sequence[Tensor]) -> list[DiceLayer]:
    return [DiceLayer(*flat[start : start + 3]) for start in range(0, len(flat), 3)]


def _products(candidate: Tensor, behaviors: Tensor, rows: Tensor) -> Tensor:
    """Return the products of a block of behaviors with their candidates: (block, candidate_dim)."""
    return behaviors[:, : candidate.shape[1]] * candidate.index_select(0, rows)
