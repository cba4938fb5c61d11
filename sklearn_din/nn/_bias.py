"""A number per candidate that is added to the logit, whatever the history."""

import torch
from torch import Generator, Tensor, nn

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn._batch import Batch, values_of
from sklearn_din.nn._lookup import look_up


class CandidateBias(nn.Module):
    """The bias of each value of each candidate column, as the authors' released code has it for items; 0 at first.

    Parameters
    ----------
    layout : FeatureLayout
        The columns.
    n_outputs : int
        Logits per row.

    Raises
    ------
    ValueError
        If the layout has no candidate column.

    Notes
    -----
    Id 0 pads: its bias stays 0. Id 1, unknown, has a bias of its own.
    """

    def __init__(self, layout: FeatureLayout, n_outputs: int) -> None:
        super().__init__()
        if not layout.candidates:
            msg = (
                "candidate_bias needs a candidate column: no behavior sequence of the layout shares one. "
                "Set candidate_bias to False, or map a list column to its candidate column."
            )
            raise ValueError(msg)
        self.columns = layout.candidates
        self.weights = nn.ParameterList(torch.zeros(layout.tables[name], n_outputs) for name in self.columns)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Set all biases to 0.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Not drawn from.
        """
        for weight in self.weights:
            nn.init.zeros_(weight)

    def forward(self, batch: Batch) -> Tensor:
        """Add up the biases of a row's candidate.

        Parameters
        ----------
        batch : dict
            Tensors by column.

        Returns
        -------
        Tensor of shape (batch_size, n_outputs)
            One bias per candidate column, summed.
        """
        pairs = zip(self.columns, self.weights, strict=True)
        biases = [look_up(weight, values_of(batch, name)) for name, weight in pairs]
        return torch.stack(biases).sum(0)  # (batch_size, n_outputs)
