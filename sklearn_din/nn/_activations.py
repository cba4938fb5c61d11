"""Activation functions: Dice, and a choice by name."""

import torch
from torch import Generator, Tensor, nn

from sklearn_din.nn._checks import check_option, check_width
from sklearn_din.nn._layers import BatchNormalization

ACTIVATIONS = ("dice", "prelu", "relu", "sigmoid", "tanh")


class Dice(nn.Module):
    r"""The data adaptive activation function of the paper: PReLU with a smooth step where the data are.

    .. math:: f(s) = p(s)\, s + (1 - p(s))\, \alpha s, \qquad
              p(s) = \mathrm{sigmoid}\left(\frac{s - E[s]}{\sqrt{Var[s] + \epsilon}}\right)

    Parameters
    ----------
    num_features : int
        Columns, each with its own :math:`\alpha`.
    eps : float, default=1e-8
        Added to the variance.
    momentum : float, default=0.1
        Weight of the newest batch in the moving averages, from 0 to 1.

    Notes
    -----
    In training, mean and (biased) variance are those of the batch; in inference, moving averages over the training
    batches, the variance unbiased. Over the first ``1 / momentum`` batches they are plain averages, so that training
    with few steps leaves no trace of the start values 0 and 1. A batch of one row has no variance: in training, too,
    it takes the moving averages and leaves them as they are. No rows give no rows.

    References
    ----------
    Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, arXiv 1706.06978, section 5.2,
    equation 9.

    Examples
    --------
    >>> import torch
    >>> from sklearn_din.nn import Dice
    >>> Dice(1)(torch.tensor([[-1.0], [1.0]])).detach().round(decimals=3)
    tensor([[-0.2690],
            [ 0.7310]])
    """

    def __init__(self, num_features: int, *, eps: float = 1e-8, momentum: float = 0.1) -> None:
        super().__init__()
        self.num_features = num_features
        self.alpha = nn.Parameter(torch.empty(num_features))
        self.normalization = BatchNormalization(num_features, eps=eps, momentum=momentum, affine=False)
        self.reset_parameters()

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Forget the batches seen; the learnt parameter starts at 0, as in the paper.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Not drawn from: the initial values are fixed.
        """
        nn.init.zeros_(self.alpha)
        self.normalization.reset_parameters(generator)

    def forward(self, s: Tensor) -> Tensor:
        """Activate.

        Parameters
        ----------
        s : Tensor of shape (n, num_features)
            One row per real position: padding would enter the statistics.

        Returns
        -------
        Tensor of shape (n, num_features)
            Activations.
        """
        check_width("s", s, self.num_features)
        p = self.normalization(s).sigmoid_()
        return s * torch.addcmul(self.alpha, 1 - self.alpha, p)  # p s + (1 - p) alpha s


class PReLU(nn.PReLU):
    """``torch.nn.PReLU`` that is initialized like the other layers here."""

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Set the slopes to their initial value.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Not drawn from: the initial values are fixed.
        """
        nn.init.constant_(self.weight, self.init)


def make_activation(name: str, num_features: int) -> nn.Module:
    """Build the activation function of this name.

    Parameters
    ----------
    name : {"dice", "prelu", "relu", "sigmoid", "tanh"}
        Which one.
    num_features : int
        Columns of its input: Dice and PReLU learn one parameter for each.

    Returns
    -------
    torch.nn.Module
        Keeps the shape of its input, (n, num_features).

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    check_option("activation", name, ACTIVATIONS)
    if name == "dice":
        return Dice(num_features)
    if name == "prelu":
        return PReLU(num_features)
    if name == "relu":
        return nn.ReLU()
    return nn.Sigmoid() if name == "sigmoid" else nn.Tanh()
