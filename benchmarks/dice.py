"""Dice with a gradient written by hand, of all rows at once or in blocks, for the loop in ``reference.py``."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

EPS, MOMENTUM = 1e-8, 0.1


class Dice(nn.Module):
    """``x * g``, where ``g`` goes from alpha to 1 as the sigmoid of the standardized ``x`` goes from 0 to 1."""

    def __init__(self, n_units):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(n_units))
        self.register_buffer("mean", torch.zeros(n_units))
        self.register_buffer("variance", torch.ones(n_units))

    def forward(self, x):
        """Apply it to rows of units."""
        if not self.training:
            return dice(x, self.standardization(), self.alpha)
        activation, mean, variance = DiceFunction.apply(x, self.alpha)
        self.remember(mean, variance)
        return activation

    def standardization(self):
        """Return what was learnt about the batches seen."""
        return Standardization.of(self.mean, self.variance)

    @torch.no_grad()
    def remember(self, mean, variance):
        """Take a batch into the running averages."""
        self.mean.lerp_(mean, MOMENTUM)
        self.variance.lerp_(variance, MOMENTUM)


class DiceFunction(torch.autograd.Function):
    """Dice of one tensor in training."""

    @staticmethod
    def forward(ctx, x, alpha):
        by = standardization_of([moments(x)])
        ctx.save_for_backward(x, alpha, *by)
        ctx.mark_non_differentiable(by.mean, by.variance)
        return dice(x, by, alpha), by.mean, by.variance

    @staticmethod
    def backward(ctx, gradient, *_):
        x, alpha, *by = ctx.saved_tensors
        back = DiceGradient(Standardization(*by), alpha)
        direct, _ = back.direct(gradient, x)
        return back.whole(direct, x), back.of_alpha()


class Standardization(NamedTuple):
    """How units are standardized: ``z = scale * x + shift``. All are of shape (n_units,)."""

    mean: Tensor
    variance: Tensor
    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, mean, variance):
        """Return that of a mean and a variance."""
        scale = (variance + EPS).rsqrt()
        return cls(mean, variance, scale, -mean * scale)


def moments(x):
    """Return of a block of rows how many there are, their mean, and the sum of squared differences from it."""
    mean = x.sum(0).div_(len(x))
    return len(x), mean, (x - mean).square_().sum(0)


def standardization_of(blocks):
    """Put together the moments of blocks, exactly."""
    counts, means, squares = zip(*blocks, strict=True)
    means, counts = torch.stack(means), torch.tensor(counts, dtype=means[0].dtype, device=means[0].device)[:, None]
    n_rows = counts.sum()
    mean = (counts * means).sum(0) / n_rows
    squares = torch.stack(squares) + counts * (means - mean).square()
    return Standardization.of(mean, squares.sum(0) / n_rows)


def dice(x, by, alpha):
    """Apply Dice to rows of units that are standardized in a known way."""
    p = torch.addcmul(by.shift, x, by.scale).sigmoid_()
    return torch.addcmul(alpha, p, 1 - alpha).mul_(x)


class DiceGradient:
    """The gradient of Dice, in two steps: a part that each row has by itself, and one through mean and variance.

    With ``z = (x - mean) * scale`` and ``d`` the gradient with respect to ``z``, the second part is
    ``-scale * (mean of d + z * mean of (d * z))``, means being over all rows of the batch.
    """

    def __init__(self, by, alpha):
        self.by, self.alpha, self.n_rows = by, alpha, 0
        self.sums = torch.zeros(4, len(alpha), dtype=alpha.dtype, device=alpha.device)

    def direct(self, gradient, x):
        """Return the first part for a block of rows, and the activation, which the forward pass didn't keep."""
        z = torch.addcmul(self.by.shift, x, self.by.scale)
        p = z.sigmoid()
        slope = torch.addcmul(self.alpha, p, 1 - self.alpha)
        of_slope = gradient * x
        through = torch.ops.aten.sigmoid_backward(of_slope, p)  # d / (1 - alpha)
        sums, self.n_rows = self.sums, self.n_rows + len(x)
        sums[0] += of_slope.sum(0)
        sums[1] += of_slope.mul_(p).sum(0)
        sums[2] += through.sum(0)
        sums[3] += z.mul_(through).sum(0)
        part = (gradient * slope).addcmul_(through, (1 - self.alpha) * self.by.scale)
        return part, slope.mul_(x)

    def whole(self, direct, x):
        """Add the second part to the first, in place, when all blocks have been through ``direct``."""
        of_mean, of_variance = self.sums[2:] * (1 - self.alpha) * self.by.scale / self.n_rows
        of_x = of_variance * self.by.scale
        return direct.addcmul_(x, of_x, value=-1).sub_(of_mean - self.by.mean * of_x)

    def of_alpha(self):
        """Return the gradient of alpha."""
        return self.sums[0] - self.sums[1]
