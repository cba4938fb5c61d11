"""A training loop for one network written by hand in plain torch: the speed that the library is measured against.

    python benchmarks/reference.py

compares its gradients in float64 with those of a plain form of the same network, and prints the largest difference.

The network is that of the contest (``rivals.py``): two fields of a behavior, item and category, with embeddings of 16
numbers in one table; an activation unit of 80 and 40 units with Dice, whose scores are the weights; a final network of
200 and 80 units with Dice on the candidate and the interest; Adam with a learning rate of 1e-3. What makes it fast:

- There is no padding. The behaviors of a batch lie one after another, and offsets say where each history begins.
- The first layer of the unit never sees ``[a, e, a - e, a * e]``: the weights of the difference go to those of ``a``
  and ``e``, and the part of ``a`` is computed once per row.
- The unit and the weighted sum are one function, whose gradient is written by hand, on blocks of behaviors that stay in
  the processor's cache (``blocked_attention.py``). What it remembers of the forward pass is the units before Dice.
- The gradient of the table is added up in a tensor that is there already.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from blocked_attention import AttentionFunction, BlockedAttention
from dice import EPS, Dice
from rows import PAIRS
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_DIM = 16
WIDTH = EMBEDDING_DIM * len(PAIRS)  # of a candidate, of a behavior and of the interest
ATTENTION_UNITS, UNITS = (80, 40), (200, 80)
BATCH_SIZE, LEARNING_RATE = 1024, 1e-3
INIT_STD = 0.01  # of the embeddings


class EncodedRows(NamedTuple):
    """Rows as ids of the one table."""

    candidates: Tensor  # (n_samples, 2), int64
    behaviors: Tensor  # (n_behaviors, 2), int64, all histories one after another
    offsets: Tensor  # (n_samples + 1,), int64

    def batch(self, rows):
        """Gather rows, given by their positions: their ids, and the offsets of their behaviors."""
        start = self.offsets[rows]
        lengths = self.offsets[rows + 1] - start
        offsets = functional.pad(lengths.cumsum(0), (1, 0))  # (batch_size + 1,)
        shift = torch.repeat_interleave(start - offsets[:-1], lengths)  # (n_behaviors,)
        positions = shift.add_(torch.arange(len(shift), device=shift.device))
        ids = torch.cat([self.candidates.index_select(0, rows), self.behaviors.index_select(0, positions)])
        return ids, offsets


def encode(X, device="cpu"):
    """Give the values of a frame with list columns their rows of the table; return them and the size of the table."""
    columns, size = [], 0
    for history, candidate in PAIRS.items():
        codes, values = pd.factorize(np.concatenate([X[candidate].to_numpy(), *X[history]]))
        columns.append(codes + size)
        size += len(values)
    ids = torch.from_numpy(np.stack(columns, axis=1)).to(device)
    lengths = torch.tensor([len(behaviors) for behaviors in X[history]], device=device)
    return EncodedRows(ids[: len(X)], ids[len(X) :], functional.pad(lengths.cumsum(0), (1, 0))), size


class ReferenceLoop:
    """The network, its optimizer and the order of the rows.

    Parameters
    ----------
    n_ids : int
        Rows of the table.
    device : str or torch.device, default="cpu"
        Where all tensors lie.
    seed : int, default=0
        Of the initial weights and the order.
    """

    def __init__(self, n_ids, device="cpu", seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.net = ReferenceNetwork(n_ids).to(device)
        self.net.table.grad = torch.zeros_like(self.net.table)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE, fused=True)

    def epoch(self, rows, y):
        """Take a step for each batch of the rows, in random order."""
        self.net.train()
        order = torch.randperm(len(y), generator=self.generator).to(y.device)
        for at in order.split(BATCH_SIZE):
            self.step(*rows.batch(at), y[at])

    def step(self, ids, offsets, y):
        """Take a step."""
        dense = [parameter for parameter in self.net.parameters() if parameter is not self.net.table]
        for parameter in dense:
            parameter.grad = None
        vectors = self.net.look_up(ids).requires_grad_()
        functional.binary_cross_entropy_with_logits(self.net(vectors, offsets), y).backward()
        self.net.table.grad.zero_().index_add_(0, ids.view(-1), vectors.grad.view(-1, EMBEDDING_DIM))
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self, rows):
        """Return the probability of the positive class, of shape (n_samples,)."""
        self.net.eval()
        batches = torch.arange(len(rows.candidates), device=rows.offsets.device).split(BATCH_SIZE)
        logits = [self.net(self.net.look_up(ids), offsets) for ids, offsets in map(rows.batch, batches)]
        return torch.cat(logits).sigmoid().cpu().numpy()


class ReferenceNetwork(nn.Module):
    """The parameters, and what a batch goes through."""

    def __init__(self, n_ids):
        super().__init__()
        self.table = nn.Parameter(torch.empty(n_ids, EMBEDDING_DIM).normal_(std=INIT_STD))
        first, second = ATTENTION_UNITS
        self.unit = nn.ModuleList([nn.Linear(4 * WIDTH, first), nn.Linear(first, second), nn.Linear(second, 1)])
        self.unit_dice = nn.ModuleList(map(Dice, ATTENTION_UNITS))
        first, second = UNITS
        self.final = nn.ModuleList([nn.Linear(2 * WIDTH, first), nn.Linear(first, second), nn.Linear(second, 1)])
        self.final_dice = nn.ModuleList(map(Dice, UNITS))

    def look_up(self, ids):
        """Return the vectors of ids of shape (n, 2), without a gradient for the table."""
        return functional.embedding(ids, self.table.detach()).view(-1, WIDTH)

    def forward(self, vectors, offsets):
        """Return the logits, of the vectors of the candidates and behind them those of the behaviors."""
        hidden = self.attend(vectors, offsets)  # (batch_size, 2 * WIDTH)
        for layer, dice in zip(self.final, self.final_dice, strict=False):
            hidden = dice(layer(hidden))
        return self.final[-1](hidden).squeeze(1)

    def attend(self, vectors, offsets):
        """Return the candidates with the interest in them beside."""
        parameters = [parameter for layer in self.unit for parameter in (layer.weight, layer.bias)]
        parameters += [each.alpha for each in self.unit_dice]
        if not self.training:
            known = [each.standardization() for each in self.unit_dice]
            return BlockedAttention(vectors, offsets, *parameters).predict(*known)
        hidden, *found = AttentionFunction.apply(vectors, offsets, *parameters)
        for each, mean, variance in zip(self.unit_dice, found[::2], found[1::2], strict=True):
            each.remember(mean, variance)
        return hidden


# ---------------------------------------------------------------------------------------------------------------- check


def plain_logits(net, vectors, offsets):
    """Do what the network does as one would write it down, for autograd to differentiate."""
    n_rows = len(offsets) - 1
    candidate, e = vectors[:n_rows], vectors[n_rows:]
    rows = torch.repeat_interleave(torch.arange(n_rows), offsets.diff())
    a = candidate[rows]
    hidden = torch.cat([a, e, a - e, a * e], dim=1)
    for layer, each in zip(net.unit, net.unit_dice, strict=False):
        hidden = plain_dice(layer(hidden), each.alpha)
    interest = torch.zeros_like(candidate).index_add(0, rows, net.unit[-1](hidden) * e)
    hidden = torch.cat([candidate, interest], dim=1)
    for layer, each in zip(net.final, net.final_dice, strict=False):
        hidden = plain_dice(layer(hidden), each.alpha)
    return net.final[-1](hidden).squeeze(1)


def plain_dice(x, alpha):
    """Apply Dice in training."""
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    p = torch.sigmoid((x - mean) / torch.sqrt(variance + EPS))
    return p * x + alpha * (1 - p) * x


def largest_difference(seed=0):
    """Return how far gradients are from those of the plain form, relative to the greatest of each parameter."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, 60, (300,), generator=generator)
    offsets = functional.pad(lengths.cumsum(0), (1, 0))
    ids = torch.randint(0, 500, (len(lengths) + int(offsets[-1]), len(PAIRS)), generator=generator)
    y = torch.randint(0, 2, (len(lengths),), generator=generator).double()
    net = ReferenceLoop(500).net.double()
    for each in (*net.unit_dice, *net.final_dice):
        nn.init.normal_(each.alpha, generator=generator)
    nn.init.normal_(net.table, generator=generator)
    gradients = []
    for logits in (net, lambda *batch: plain_logits(net, *batch)):
        vectors = net.look_up(ids).requires_grad_()
        loss = functional.binary_cross_entropy_with_logits(logits(vectors, offsets), y)
        parameters = [each for each in net.parameters() if each is not net.table]
        gradients.append(torch.autograd.grad(loss, [vectors, *parameters]))
    return max(float((ours - plain).abs().max() / plain.abs().max()) for ours, plain in zip(*gradients, strict=True))


if __name__ == "__main__":
    print(f"largest relative difference of a gradient from that of the plain form: {largest_difference():.1e}")
