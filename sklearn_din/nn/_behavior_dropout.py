"""Histories that lose behaviors in training, so that they are not learnt by heart."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from sklearn_din.layout import BehaviorSequence
from sklearn_din.nn._batch import Batch, offsets_of, values_of
from sklearn_din.nn._segments import gather_segments, segment_ids
from sklearn_din.nn._share import BatchShare


class BehaviorDropout(nn.Module):
    """Takes a random share of its behaviors from each history in training; the identity in inference.

    The share is drawn for each row and each time, uniformly between 0 and ``p``; one behavior at least stays, so that
    only an empty history is empty. What is left is a shorter history: its last behavior is the newest. Each behavior is
    as likely to stay as any other of its history, so that a mean of what is left estimates the mean of all (of vectors
    that do not tell the distance from the newest); a sum needs the factor.

    Parameters
    ----------
    sequences : sequence of BehaviorSequence
        Which columns of a batch are histories.
    p : float
        The greatest share, at least 0 and below 1.

    Attributes
    ----------
    generator : torch.Generator or None
        Where the shares and places come from, on the device of the batches; None is torch's global generator.

    Raises
    ------
    ValueError
        If ``p`` is out of range.
    """

    def __init__(self, sequences: Sequence[BehaviorSequence], p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            msg = f"behavior_dropout must be at least 0 and below 1: got {p!r}. Give the greatest share to drop."
            raise ValueError(msg)
        self.sequences = tuple(sequences)
        self.p = p
        self.generator: Generator | None = None

    def forward(self, batch: Batch, share: BatchShare | None = None) -> tuple[Batch, dict[str, Tensor]]:
        """Drop behaviors in training.

        Parameters
        ----------
        batch : dict
            Tensors by column.
        share : BatchShare, default=None
            Which part of a batch it is; gets the ``behaviors`` that are left. None for a whole batch.

        Returns
        -------
        batch : dict
            With what is left of the histories, in order; itself in inference or where ``p`` is 0.
        factors : dict of str to Tensor of shape (batch_size, 1)
            By sequence, the length of each history over what is left of it, by which sums are too small (1 where the
            history is empty); no sequences where nothing was dropped.
        """
        if not self.training or self.p == 0:
            if share is not None:
                share.behaviors |= {sequence.name: share.values(sequence.name) for sequence in self.sequences}
            return batch, {}
        thinned, factors = dict(batch), {}
        for sequence in self.sequences:
            offsets = offsets_of(batch, sequence.name)
            if share is None:
                kept, left = self._draw(offsets, values_of(batch, sequence.name).shape[0])
            else:
                kept, left = self._draw_share(offsets, sequence.name, share)
            for field in sequence.fields:
                thinned[field.name] = values_of(batch, field.name).index_select(0, kept), left
            factor = offsets.diff().clamp(min=1) / left.diff().clamp(min=1)  # (batch_size,)
            factors[sequence.name] = factor[:, None]
        return thinned, factors

    def _draw(self, offsets: Tensor, n_behaviors: int) -> tuple[Tensor, Tensor]:
        """Return the places of the behaviors that are kept, (n_left,), and their offsets, (batch_size + 1,)."""
        rows = segment_ids(offsets, n_behaviors)
        share = self.p * torch.rand(offsets.shape[0] - 1, generator=self.generator, device=offsets.device)
        drawn = torch.rand(n_behaviors, generator=self.generator, device=offsets.device)
        greatest = torch.zeros_like(share).scatter_reduce(0, rows, drawn, "amax")  # of each history: it stays
        is_kept = drawn >= torch.minimum(share, greatest).index_select(0, rows)
        kept_before = functional.pad(is_kept.cumsum(0), (1, 0))
        return is_kept.nonzero().squeeze(1), kept_before.index_select(0, offsets).to(offsets.dtype)

    def _draw_share(self, offsets: Tensor, name: str, share: BatchShare) -> tuple[Tensor, Tensor]:
        """Draw for the whole batch, and return the places and offsets of what is kept of the part that is here."""
        whole, rows = share.offsets[name], share.rows.rows
        kept, left = self._draw(whole, int(whole[-1]))
        share.behaviors[name] = share.segments(left)
        positions, own_left = gather_segments(left, rows)
        shift = whole.index_select(0, rows) - offsets[:-1]  # (batch_size,)
        own_kept = kept.index_select(0, positions) - shift.index_select(0, segment_ids(own_left, len(positions)))
        return own_kept, own_left.to(offsets.dtype)

    def extra_repr(self) -> str:
        """Return the parameters that ``repr`` shows."""
        return f"p={self.p}"
