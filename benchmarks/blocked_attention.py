"""The activation unit and its weighted sum with a gradient written by hand, for the loop in ``reference.py``.

It works on blocks of about 2,048 behaviors, which stay in the processor's cache. Dice standardizes by the whole batch,
so that a block can't be finished at once: there are three sweeps over the blocks forward and three back.
"""

from itertools import pairwise

import torch
from dice import DiceGradient, dice, moments, standardization_of
from torch.nn import functional

BLOCK = 2048  # behaviors, about; on a GPU a block is the whole batch


class AttentionFunction(torch.autograd.Function):
    """The candidates and the interests in them, with a gradient written by hand."""

    @staticmethod
    def forward(ctx, vectors, offsets, *parameters):
        ctx.attention = BlockedAttention(vectors, offsets, *parameters)
        hidden = ctx.attention.train()
        found = [each for by in ctx.attention.by for each in (by.mean, by.variance)]
        ctx.mark_non_differentiable(*found)
        return hidden, *found

    @staticmethod
    def backward(ctx, gradient, *_):
        vectors, *parameters = ctx.attention.backward(gradient)
        del ctx.attention
        return vectors, None, *parameters


class BlockedAttention:
    """The activation unit and the sum of the behaviors by its weights, for one batch, block by block.

    Parameters
    ----------
    vectors : Tensor of shape (batch_size + n_behaviors, width)
        Candidates, and behind them the behaviors.
    offsets : Tensor of shape (batch_size + 1,)
        Where each history begins, and the end of the last.
    w_1, b_1, w_2, b_2, w_3, b_3 : Tensor
        Of the three layers of the unit.
    alpha_1, alpha_2 : Tensor
        Of its two Dice.
    """

    def __init__(self, vectors, offsets, w_1, b_1, w_2, b_2, w_3, b_3, alpha_1, alpha_2):
        n_rows = len(offsets) - 1
        self.vectors, self.candidate, self.behaviors = vectors, vectors[:n_rows], vectors[n_rows:]
        of_a, of_e, of_difference, of_product = w_1.split(vectors.shape[1], dim=1)
        self.w_candidate = of_a + of_difference
        self.w_behavior = torch.cat([of_e - of_difference, of_product], dim=1)  # of [e, a * e]
        self.own = torch.addmm(b_1, self.candidate, self.w_candidate.T)  # (batch_size, units)
        self.w_2, self.b_2, self.w_3, self.b_3 = w_2, b_2, w_3, b_3
        self.alphas = alpha_1, alpha_2
        self.blocks = blocks_of(offsets)

    def train(self):
        """Return the candidates and the interests in them, of shape (batch_size, 2 * width), in three sweeps."""
        by_1 = standardization_of([moments(self.first_layer(block)) for block in self.blocks])
        by_2 = standardization_of([moments(self.second_layer(block, by_1)) for block in self.blocks])
        self.by = by_1, by_2
        return self.pooled(self.pool(block, by_2) for block in self.blocks)

    def predict(self, by_1, by_2):
        """Return the same in one sweep, since it is known how to standardize."""
        return self.pooled(self.all_layers(block, by_1, by_2) for block in self.blocks)

    def all_layers(self, block, by_1, by_2):
        """Take a block through the unit."""
        self.first_layer(block)
        self.second_layer(block, by_1)
        return self.pool(block, by_2)

    def first_layer(self, block):
        """Return the units of the first layer of a block, before Dice."""
        inputs = self.inputs(block)
        block.units_1 = self.own.index_select(0, block.rows).addmm_(inputs, self.w_behavior.T)
        return block.units_1

    def inputs(self, block):
        """Return ``[e, a * e]`` of a block."""
        behaviors = self.behaviors[block.slice]
        return torch.cat([behaviors, behaviors * self.candidate.index_select(0, block.rows)], dim=1)

    def second_layer(self, block, by_1):
        """Return the units of the second layer of a block, before Dice."""
        block.units_2 = torch.addmm(self.b_2, dice(block.units_1, by_1, self.alphas[0]), self.w_2.T)
        return block.units_2

    def pool(self, block, by_2):
        """Return the interests of the rows of a block."""
        block.weights = torch.addmm(self.b_3, dice(block.units_2, by_2, self.alphas[1]), self.w_3.T)
        return block.sums(self.behaviors[block.slice], block.weights.squeeze(1))

    def pooled(self, interests):
        """Return the candidates with the interests beside."""
        return torch.cat([self.candidate, torch.cat(list(interests))], dim=1)

    def backward(self, gradient):
        """Return the gradients of the vectors and the parameters, in three sweeps."""
        self.d_vectors = torch.empty_like(self.vectors)
        self.d_candidate, self.d_behaviors = self.d_vectors[: len(gradient)], self.d_vectors[len(gradient) :]
        back_1, back_2 = map(DiceGradient, self.by, self.alphas)
        width = self.vectors.shape[1]
        of_candidate, of_interest = gradient.split(width, dim=1)
        w_3, b_3 = add_up(self.pool_backward(block, of_interest, back_2) for block in self.blocks)
        w_2, b_2 = add_up(self.second_layer_backward(block, back_2, back_1) for block in self.blocks)
        own, w_behavior = [], []
        for block in self.blocks:
            d_own, d_w_behavior = self.first_layer_backward(block, back_1)
            own.append(d_own)
            w_behavior.append(d_w_behavior)
        own = torch.cat(own)  # (batch_size, units)
        self.d_candidate.add_(of_candidate).addmm_(own, self.w_candidate)
        of_a = own.T @ self.candidate
        of_e, of_product = torch.stack(w_behavior).sum(0).split(width, dim=1)
        w_1 = torch.cat([of_a, of_e, of_a - of_e, of_product], dim=1)
        return self.d_vectors, w_1, own.sum(0), w_2, b_2, w_3, b_3, back_1.of_alpha(), back_2.of_alpha()

    def pool_backward(self, block, of_interest, back):
        """Go back from the interests to the units of the second layer, but for what their statistics do."""
        of_interest, behaviors = of_interest.index_select(0, block.rows), self.behaviors[block.slice]
        d_weights = (of_interest * behaviors).sum(1, keepdim=True)  # (n_behaviors, 1)
        torch.mul(of_interest, block.weights, out=self.d_behaviors[block.slice])
        block.d_units_2, activation = back.direct(d_weights * self.w_3, block.units_2)
        return d_weights.T @ activation, d_weights.sum(0)

    def second_layer_backward(self, block, back_2, back_1):
        """Go back to the units of the first layer, but for what their statistics do."""
        d_units = back_2.whole(block.d_units_2, block.units_2)
        block.d_units_1, activation = back_1.direct(d_units @ self.w_2, block.units_1)
        return d_units.T @ activation, d_units.sum(0)

    def first_layer_backward(self, block, back):
        """Go back to the vectors; return the gradients of the candidate's part of the units, and of the weights."""
        d_units = back.whole(block.d_units_1, block.units_1)
        of_e, of_product = (d_units @ self.w_behavior).split(self.vectors.shape[1], dim=1)
        self.d_behaviors[block.slice].add_(of_e).addcmul_(of_product, self.candidate.index_select(0, block.rows))
        self.d_candidate[block.first : block.last] = block.sums(of_product * self.behaviors[block.slice])
        return block.sums(d_units), d_units.T @ self.inputs(block)


class Block:
    """Some whole histories of a batch, and what is computed of them on the way."""

    def __init__(self, first, last, slice_, rows, offsets):
        self.first, self.last = first, last  # rows
        self.slice = slice_  # of the behaviors
        self.rows = rows  # of each behavior, (n_behaviors,)
        self.offsets = offsets  # within the block, (n_rows,)
        self.positions = torch.arange(len(rows), device=rows.device)

    def sums(self, values, weights=None):
        """Add up, in each history, the values of its behaviors; 0 where it is empty."""
        return functional.embedding_bag(
            self.positions, values, self.offsets, mode="sum", per_sample_weights=weights
        )  # (n_rows, n_columns)


def blocks_of(offsets):
    """Cut a batch into blocks of whole histories, each with a behavior at least."""
    n_rows = len(offsets) - 1
    rows = torch.repeat_interleave(torch.arange(n_rows, device=offsets.device), offsets.diff())
    if offsets.is_cuda:
        return [Block(0, n_rows, slice(None), rows, offsets[:-1])]
    starts = rows[::BLOCK].unique_consecutive().tolist()  # each is the row of a behavior
    bounds = [0, *starts[1:], n_rows]
    blocks = []
    for first, last in pairwise(bounds):
        start, stop = offsets[[first, last]].tolist()
        blocks.append(Block(first, last, slice(start, stop), rows[start:stop], offsets[first:last] - start))
    return blocks


def add_up(pairs):
    """Add up the gradients that the blocks give."""
    return (torch.stack(each).sum(0) for each in zip(*pairs, strict=True))
