"""Weighted losses on the raw output of the network."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class BinaryLogLoss(nn.Module):
    """Mean log loss of one logit per row; equal to the two-way softmax of the paper (section 4.2, eq. 2), in nats."""

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, shape ().

        Parameters
        ----------
        logits : Tensor of shape (batch_size,)
            Log odds of the second class.
        target : Tensor of shape (batch_size,)
            0 or 1, as floats.
        weight : Tensor of shape (batch_size,), optional
            Factors of the rows, with mean 1 over all training rows: the sum is divided by the number of rows.

        Returns
        -------
        Tensor of shape ()
            Differentiable.
        """
        return _mean(functional.binary_cross_entropy_with_logits(logits, target, reduction="none"), weight)


class MulticlassLogLoss(nn.Module):
    """Mean cross entropy of one logit per class, in nats."""

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, shape ().

        Parameters
        ----------
        logits : Tensor of shape (batch_size, n_classes)
            Unnormalised log probabilities.
        target : Tensor of shape (batch_size,), int64
            Class numbers.
        weight : Tensor of shape (batch_size,), optional
            Factors of the rows, with mean 1 over all training rows.

        Returns
        -------
        Tensor of shape ()
            Differentiable.
        """
        return _mean(functional.cross_entropy(logits, target, reduction="none"), weight)


class SquaredError(nn.Module):
    """Mean squared error of one prediction per row."""

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, shape ().

        Parameters
        ----------
        prediction : Tensor of shape (batch_size,)
            In the units of the target.
        target : Tensor of shape (batch_size,)
            What should be predicted.
        weight : Tensor of shape (batch_size,), optional
            Factors of the rows, with mean 1 over all training rows.

        Returns
        -------
        Tensor of shape ()
            Differentiable.
        """
        return _mean((prediction - target).square(), weight)


def _mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    return torch.mean(losses if weight is None else losses * weight)
