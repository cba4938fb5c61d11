"""The layers of a fully connected network in inference, where no gradient has to be thought of."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_din.nn._activations import Dice
from sklearn_din.nn._dropout import Dropout

FEW = 64  # rows: for fewer, or for one unit, the call of oneDNN takes longer than it saves


def layers_in_inference(layers: Iterable[nn.Module]) -> tuple[Tensor | None, list[Callable[[Tensor], Tensor]]]:
    """Return what layers compute in inference, to be called one after another, without gradients.

    The factors of Dice go into the linear layers around it: of ``h (alpha + (1 - alpha) sigmoid(scale h + shift))``
    there remains ``y (alpha / (1 - alpha) + sigmoid(y + shift))`` for ``y = scale h``.

    Parameters
    ----------
    layers : iterable of torch.nn.Module
        In evaluation mode, the last one linear; their parameters must not change until the last call.

    Returns
    -------
    scale : Tensor of shape (columns,) or None
        What the input is to be multiplied with before; None for nothing, as it is if the first layer is linear.
    steps : list of callable
        Each takes and returns a tensor (n, columns).
    """
    scale: Tensor | None = None
    factor: Tensor | None = None
    steps: list[Any] = []
    for layer in layers:
        if isinstance(layer, Dice):
            dice = _KnownDice(layer)
            if not steps:
                scale = dice.scale
            elif isinstance(steps[-1], _KnownLinear):
                steps[-1] = steps[-1].scaled(dice.scale)
            else:
                steps.append(dice.scale.mul)
            steps.append(dice)
            factor = dice.factor
        elif isinstance(layer, nn.Linear):
            steps.append(_KnownLinear(layer.weight if factor is None else layer.weight * factor, layer.bias))
            factor = None
        elif not isinstance(layer, Dropout):
            steps.append(layer)
    return scale, steps


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute what ``torch.nn.functional.linear`` does, without gradients.

    On processors of AMD the library that torch takes by itself, MKL, makes no use of AVX-512, and oneDNN does: on one
    thread of a Zen 5, 105 and 200 GFLOP/s were measured.

    Parameters
    ----------
    x : Tensor of shape (n, columns)
        Any number of rows.
    weight : Tensor of shape (units, columns)
        Contiguous.
    bias : Tensor of shape (units,) or None
        What is added.

    Returns
    -------
    Tensor of shape (n, units)
        ``x @ weight.T + bias``.
    """
    is_plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    is_large = x.shape[0] >= FEW and x.shape[1] > 0 and weight.shape[0] > 1
    if is_plain and is_large and torch.backends.mkldnn.is_available():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product
    return functional.linear(x, weight, bias)


class _KnownLinear:
    """A linear layer whose weights do not change."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight = weight
        self.bias = bias

    def scaled(self, scale: Tensor) -> "_KnownLinear":
        """Return the layer whose output is that of this one, multiplied by ``scale``, shape (units,)."""
        return _KnownLinear(self.weight * scale[:, None], self.bias * scale)

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class _KnownDice:
    """Dice with the statistics of inference, but for the factors before and after it.

    Attributes
    ----------
    scale : Tensor of shape (units,)
        What the input is to be multiplied with.
    factor : Tensor of shape (units,)
        What the output is to be multiplied with.
    """

    def __init__(self, dice: Dice) -> None:
        normalization, alpha = dice.normalization, dice.alpha
        smallest = torch.finfo(alpha.dtype).eps  # to divide by, where alpha is 1: less than what rounding does
        rest = 1 - alpha
        rest = torch.where(rest.abs() < smallest, smallest, rest)
        self.scale = (normalization.running_var + normalization.eps).rsqrt()
        self.factor = rest / self.scale
        self._shift = -normalization.running_mean * self.scale
        self._least = alpha / rest

    def __call__(self, y: Tensor) -> Tensor:
        return torch.add(y, self._shift).sigmoid_().add_(self._least).mul_(y)
