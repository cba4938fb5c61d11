"""Dropout that draws from a generator of its own."""

import math

import torch
from torch import Generator, Tensor

from sklearn_din.nn._share import Shared

N_LEVELS = 2**16  # of an int16


class Dropout(Shared):
    """Zeros in random places in training, the rest scaled up to keep the mean; the identity in inference.

    Parameters
    ----------
    p : float
        Share of the values that become zero, at least 0 and below 1; rounded to a multiple of 1 / 65,536.

    Attributes
    ----------
    generator : torch.Generator or None
        Where the places come from, on the device of the input; None is torch's global generator.

    Raises
    ------
    ValueError
        If ``p`` is out of range.

    Examples
    --------
    >>> import torch
    >>> from sklearn_din.nn._dropout import Dropout
    >>> dropout = Dropout(0.5)
    >>> dropout.generator = torch.Generator().manual_seed(0)
    >>> sorted(set(dropout(torch.ones(20)).tolist()))
    [0.0, 2.0]
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            msg = f"dropout must be at least 0 and below 1: got {p!r}. Give the share of the values to drop."
            raise ValueError(msg)
        self.p = p
        self.generator: Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop values in training.

        Parameters
        ----------
        x : Tensor
            Of any shape.

        Returns
        -------
        Tensor
            Of the same shape; ``x`` itself in inference or where ``p`` is 0.
        """
        if not self.training or self.p == 0:
            return x
        n_dropped = min(round(self.p * N_LEVELS), N_LEVELS - 1)  # of the levels
        kept = self._levels(x) >= n_dropped - N_LEVELS // 2
        return x * kept.to(x.dtype).mul_(N_LEVELS / (N_LEVELS - n_dropped))

    def _levels(self, x: Tensor) -> Tensor:
        """Draw one of the 65,536 values of an int16 for each value: four from one draw, which is what takes time."""
        shape = x.shape if self.share is None else torch.Size((self.share.n_rows, *x.shape[1:]))
        draws = torch.empty(math.ceil(shape.numel() / 4), dtype=torch.int64, device=x.device)
        draws.random_(torch.iinfo(torch.int64).min, None, generator=self.generator)
        levels = draws.view(torch.int16)[: shape.numel()].view(shape)
        return levels if self.share is None else levels.index_select(0, self.share.rows)

    def extra_repr(self) -> str:
        """Return the parameters that ``repr`` shows."""
        return f"p={self.p}"
