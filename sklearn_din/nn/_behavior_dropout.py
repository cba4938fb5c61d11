"""Histories that lose behaviors in training, so that they are not learnt by heart."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from sklearn_din.nn._embedding import EmbeddedSequence


class BehaviorDropout(nn.Module):
    """Takes a random share of its behaviors from each history in training; the identity in inference.

    The share is drawn for each row and each time, uniformly between 0 and ``p``. What is left keeps its vectors, that
    of its distance from the newest too. A mean of what is left estimates the mean of all; a sum needs the factor.

    Parameters
    ----------
    p : float
        The greatest share, at least 0 and below 1.

    Attributes
    ----------
    generator : torch.Generator or None
        Where the shares and places come from, on the device of the input; None is torch's global generator.

    Raises
    ------
    ValueError
        If ``p`` is out of range.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            msg = f"behavior_dropout must be at least 0 and below 1: got {p!r}. Give the greatest share to drop."
            raise ValueError(msg)
        self.p = p
        self.generator: Generator | None = None

    def forward(self, sequence: EmbeddedSequence) -> tuple[EmbeddedSequence, Tensor | None]:
        """Drop behaviors in training.

        Parameters
        ----------
        sequence : EmbeddedSequence
            Whole histories.

        Returns
        -------
        sequence : EmbeddedSequence
            What is left of them, in order; itself in inference or where ``p`` is 0.
        factor : Tensor of shape (batch_size, 1) or None
            The length of each history over what is left of it, by which sums are too small (1 where nothing is left);
            None where nothing was dropped.
        """
        if not self.training or self.p == 0:
            return sequence, None
        offsets, rows = sequence.offsets, sequence.rows
        share = self.p * torch.rand(offsets.shape[0] - 1, generator=self.generator, device=rows.device)  # (batch_size,)
        drawn = torch.rand(rows.shape, generator=self.generator, device=rows.device)  # (n_behaviors,)
        is_kept = drawn >= share.index_select(0, rows)
        kept_before = functional.pad(is_kept.cumsum(0), (1, 0))
        left = kept_before.index_select(0, offsets).to(offsets.dtype)  # (batch_size + 1,), offsets of what is left
        factor = torch.where(left.diff() > 0, offsets.diff() / left.diff().clamp(min=1), 1.0)
        thinned = sequence._replace(behaviors=sequence.behaviors[is_kept], offsets=left, rows=rows[is_kept])
        return thinned, factor[:, None]

    def extra_repr(self) -> str:
        """Return the parameters that ``repr`` shows."""
        return f"p={self.p}"
