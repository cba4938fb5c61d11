"""Vectors for the numbers of behaviors, so that a sum over a history tells more than their mean."""

import torch
from torch import Generator, Tensor, nn

from sklearn_din.nn._layers import Linear, reset_children


class NumberEmbedding(nn.Module):
    """The number itself, and learnt hinges of it: ``[x, max(0, w_1 x + b_1), max(0, w_2 x + b_2), …]``.

    Behaviors are added up, and a sum of numbers can't tell a history of middling ratings from one of extremes: what is
    not linear has to happen before.

    Parameters
    ----------
    width : int
        Number of hinges.

    References
    ----------
    Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning, NeurIPS 2022, arXiv 2203.05556,
    section 3.3 (linear layer and ReLU).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hinges = Linear(1, width)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw slopes and positions of the hinges anew.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        reset_children(self, generator)

    def forward(self, numbers: Tensor) -> Tensor:
        """Embed numbers.

        Parameters
        ----------
        numbers : Tensor of shape (n_behaviors,)
            Standardised.

        Returns
        -------
        Tensor of shape (n_behaviors, 1 + number of hinges)
            The numbers, then the hinges.
        """
        column = numbers[:, None].to(self.hinges.weight.dtype)  # (n_behaviors, 1)
        return torch.cat([column, self.hinges(column).relu()], dim=1)
