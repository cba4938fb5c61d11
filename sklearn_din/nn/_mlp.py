"""The fully connected network at the end of DIN and inside its activation unit."""

from collections.abc import Sequence

from torch import Generator, Tensor, nn

from sklearn_din.nn._activations import ACTIVATIONS, make_activation
from sklearn_din.nn._checks import check_option, check_width
from sklearn_din.nn._dropout import Dropout
from sklearn_din.nn._layers import BatchNormalization, Linear, reset_children


class MLP(nn.Module):
    """Hidden layers (linear, batch normalization if wanted, activation, dropout), then a linear layer.

    Parameters
    ----------
    in_features : int
        Columns of the input.
    hidden_layer_sizes : sequence of int
        Units of the hidden layers; empty for none.
    out_features : int
        Columns of the output.
    activation : {"dice", "prelu", "relu", "sigmoid", "tanh"}, default="dice"
        Of the hidden layers.
    dropout : float, default=0.0
        Share of the activations that training drops, at least 0 and below 1.
    batch_norm : bool, default=False
        Whether to normalize before each activation. A batch of one row takes the moving averages in training, too.

    Attributes
    ----------
    output : torch.nn.Linear
        The last layer.

    Raises
    ------
    ValueError
        If ``activation`` or ``dropout`` is not one of the values above.

    Examples
    --------
    >>> import torch
    >>> from sklearn_din.nn import MLP
    >>> MLP(3, (8, 4), 1)(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int,
        hidden_layer_sizes: Sequence[int],
        out_features: int,
        *,
        activation: str = "dice",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        check_option("activation", activation, ACTIVATIONS)
        self.in_features = in_features
        layers: list[nn.Module] = []
        width = in_features
        for size in hidden_layer_sizes:
            layers.append(Linear(width, size))
            if batch_norm:
                layers.append(BatchNormalization(size))
            layers += [make_activation(activation, size), Dropout(dropout)]
            width = size
        self.hidden = nn.Sequential(*layers)
        self.output = Linear(width, out_features)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters anew and forget the batches seen.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        reset_children(self, generator)

    @property
    def first(self) -> nn.Linear:
        """The first linear layer; the output layer where nothing is hidden."""
        first = next(iter(self.hidden), self.output)
        return first if isinstance(first, nn.Linear) else self.output

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        x : Tensor of shape (n, in_features)
            Any number of rows.

        Returns
        -------
        Tensor of shape (n, out_features)
            Outputs.
        """
        check_width("x", x, self.in_features)
        return self.after_first(self.first(x))

    def after_first(self, x: Tensor) -> Tensor:
        """Compute the outputs from the output of the first linear layer, for callers that compute that themselves.

        Parameters
        ----------
        x : Tensor of shape (n, units of the first linear layer)
            What ``first`` returns.

        Returns
        -------
        Tensor of shape (n, out_features)
            Outputs.
        """
        rest = [*self.hidden, self.output][1:]
        for layer in rest:
            x = layer(x)
        return x
