"""The part of a batch that one of several processes computes.

A batch of several processes is computed as if one had it whole: the same random numbers, the same statistics. Each
process draws the random numbers of the whole batch and takes those of its rows, and adds up statistics with the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from sklearn_din.nn._processes import Processes
from sklearn_din.nn._segments import gather_segments


class Share(NamedTuple):
    """Which rows (or behaviors) of a whole batch are here.

    Attributes
    ----------
    n_rows : int
        Of the whole batch.
    rows : Tensor of shape (n,), int64
        Those here, ascending.
    processes : Processes
        Who has the others.
    """

    n_rows: int
    rows: Tensor
    processes: Processes


@dataclass
class BatchShare:
    """The part of a batch that is here.

    Attributes
    ----------
    rows : Share
        Of the rows.
    offsets : dict of str to Tensor of shape (n_rows + 1,)
        Of the list columns of the whole batch, by the first column of those that share them.
    behaviors : dict of str to Share
        Of the behaviors of each sequence, by its name; set by ``BehaviorDropout``, to those that are left.
    """

    rows: Share
    offsets: Mapping[str, Tensor]
    behaviors: dict[str, Share] = field(default_factory=dict)

    def values(self, name: str) -> Share:
        """Return the share of the flat values of a list column.

        Parameters
        ----------
        name : str
            A key of ``offsets``.

        Returns
        -------
        Share
            Of all values of the whole batch.
        """
        return self.segments(self.offsets[name])

    def segments(self, offsets: Tensor) -> Share:
        """Return the share of flat values.

        Parameters
        ----------
        offsets : Tensor of shape (n_rows + 1,)
            Where those of each row of the whole batch begin.

        Returns
        -------
        Share
            Of the values.
        """
        own, _ = gather_segments(offsets, self.rows.rows)
        return Share(int(offsets[-1]), own, self.rows.processes)


class Shared(nn.Module):
    """A module that behaves otherwise where it computes a part of a batch.

    Attributes
    ----------
    share : Share or None
        Of the rows of its input; None where the batch is whole.
    """

    share: Share | None = None


def set_share(modules: Iterable[nn.Module], share: Share | None) -> None:
    """Tell modules of which part of a batch their input is.

    Parameters
    ----------
    modules : iterable of torch.nn.Module
        Those that are no ``Shared`` are left as they are.
    share : Share or None
        None for a whole batch.
    """
    for module in modules:
        if isinstance(module, Shared):
            module.share = share


def offsets_of_lengths(lengths: Tensor) -> Tensor:
    """Return where each of some segments begins, and the end of the last.

    Parameters
    ----------
    lengths : Tensor of shape (batch_size,)
        Of the segments.

    Returns
    -------
    Tensor of shape (batch_size + 1,), int64
        Offsets.
    """
    return functional.pad(lengths.long().cumsum(0), (1, 0))
