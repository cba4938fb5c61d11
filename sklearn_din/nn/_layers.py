"""Layers whose initial values come from a generator that the caller may choose."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from sklearn_din.nn._moments import normalized_together
from sklearn_din.nn._share import Share, Shared


class Linear(nn.Linear):
    """``torch.nn.Linear`` that can draw its initial values from a given generator."""

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw weight and bias anew, as ``torch.nn.Linear`` does.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        if self.in_features == 0:
            nn.init.zeros_(self.bias)
            return
        bound = 1 / math.sqrt(self.in_features)
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        nn.init.uniform_(self.bias, -bound, bound, generator=generator)


class BatchNormalization(Shared):
    """Columns with mean 0 and variance 1: within the batch in training, by moving averages in inference.

    The variance of a batch is the biased one in training, and enters the moving average unbiased (divided by one less
    than the number of rows), as in ``torch.nn.BatchNorm1d``. Unlike there, the moving averages are plain averages over
    the first ``1 / momentum`` batches, so that they hold no trace of their start values 0 and 1 after a few batches.
    A batch of one row has no variance: it is normalized by the moving averages and leaves them, as one of no rows does.

    Parameters
    ----------
    num_features : int
        Columns.
    eps : float, default=1e-5
        Added to the variance.
    momentum : float, default=0.1
        Weight of the newest batch in the moving averages, from 0 to 1.
    affine : bool, default=True
        Whether to multiply each column by a learnt weight and add a learnt bias.
    """

    running_mean: Tensor
    running_var: Tensor
    n_batches: Tensor

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.empty(num_features)) if affine else None
        self.bias = nn.Parameter(torch.empty(num_features)) if affine else None
        self.register_buffer("running_mean", torch.empty(num_features))
        self.register_buffer("running_var", torch.empty(num_features))
        self.register_buffer("n_batches", torch.empty((), dtype=torch.int64))
        self.reset_parameters()

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Forget the batches seen; weight 1 and bias 0.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Not drawn from: the initial values are fixed.
        """
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)
        self.n_batches.zero_()
        if self.weight is not None and self.bias is not None:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the columns.

        Parameters
        ----------
        x : Tensor of shape (n, num_features)
            Any number of rows.

        Returns
        -------
        Tensor of shape (n, num_features)
            Normalized.
        """
        n_rows = x.shape[0] if self.share is None else self.share.n_rows
        if not self.training or n_rows < 2:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if self.share is not None:
            return self._normalized_share(x, self.share)
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        out = functional.batch_norm(
            x, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
        )
        self.track(mean, variance)
        return out

    def _normalized_share(self, x: Tensor, share: Share) -> Tensor:
        precise = x.to(self.running_mean.dtype)  # of autocast, which rounds x
        out, (mean, variance) = normalized_together(precise, share.processes, n_rows=share.n_rows, eps=self.eps)
        self.track(mean, variance * (share.n_rows / (share.n_rows - 1)))
        if self.weight is not None and self.bias is not None:
            out = torch.addcmul(self.bias, out, self.weight)
        return out.to(x.dtype)

    def track(self, mean: Tensor, variance: Tensor) -> None:
        """Enter a batch into the moving averages.

        Parameters
        ----------
        mean, variance : Tensor of shape (num_features,)
            Of the batch; the variance unbiased.
        """
        self.n_batches += 1
        # A tensor, since a Python number would wait for the GPU at each batch.
        share = (1 / self.n_batches).clamp(min=self.momentum).to(mean.dtype)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def extra_repr(self) -> str:
        """Return the parameters that ``repr`` shows."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"


def reset_children(module: nn.Module, generator: Generator | None) -> None:
    """Call ``reset_parameters(generator)`` of all modules inside a module, in the order of their definition.

    Parameters
    ----------
    module : torch.nn.Module
        Holds the modules, directly or in containers.
    generator : torch.Generator or None
        Where the values come from; None is torch's global generator.
    """
    for child in module.children():
        reset = getattr(child, "reset_parameters", None)
        if reset is None:
            reset_children(child, generator)
        else:
            reset(generator)
