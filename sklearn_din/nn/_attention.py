"""Attention over a behavior history: one score per behavior, and the weighted sum."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from sklearn_din.nn._activations import Dice
from sklearn_din.nn._blocked_scores import DiceLayer, blocked_scores, blocked_scores_of
from sklearn_din.nn._checks import check_offsets, check_option, check_width
from sklearn_din.nn._layers import reset_children
from sklearn_din.nn._mlp import MLP
from sklearn_din.nn._moments import Moments
from sklearn_din.nn._segments import segment_ids, segment_mean, segment_softmax, segment_sum, segment_weighted_sum
from sklearn_din.nn._share import Shared

INTERACTIONS = ("difference_product", "outer", "concatenation")
NORMALIZATIONS = ("softmax", "sigmoid", None)
UNIFORM_POOLINGS = ("mean", "sum")


class ActivationUnit(Shared):
    """The local activation unit: scores each behavior of a history against the candidate.

    A small fully connected network on the candidate ``a``, the behavior ``e`` and their interaction. Its parameters are
    those of the formula: the first layer has one weight of shape (units, columns of ``[a | e | interaction]``). Since
    ``a`` is the same for a whole history, its part is computed once per row; that concatenation is never made.

    Parameters
    ----------
    candidate_dim : int
        Columns of the candidate; 0 for a sequence without counterparts in the candidate.
    behavior_dim : int
        Columns of a behavior, at least ``candidate_dim``.
    hidden_layer_sizes : sequence of int, default=(80, 40)
        Units of the hidden layers; empty for a linear score.
    activation : {"dice", "prelu", "relu", "sigmoid", "tanh"}, default="dice"
        Of the hidden layers.
    interaction : {"difference_product", "outer", "concatenation"}, default="difference_product"
        What stands beside ``a`` and ``e``: ``[a - e, a * e]`` (the code that the authors released), the products of all
        pairs, those of the first entry of ``a`` first (the paper's text; takes ``candidate_dim ** 2`` numbers per
        behavior), or nothing. Fields that only a behavior has stand last in ``e``: difference and products take its
        first ``candidate_dim`` columns.
    dropout : float, default=0.0
        Share of the activations that training drops, at least 0 and below 1.

    Raises
    ------
    ValueError
        If a parameter is not one of the values above.

    References
    ----------
    Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, arXiv 1706.06978, section 4.3.

    Examples
    --------
    Three behaviors in two histories:

    >>> import torch
    >>> from sklearn_din.nn import ActivationUnit
    >>> unit = ActivationUnit(candidate_dim=4, behavior_dim=4)
    >>> unit(torch.zeros(2, 4), torch.zeros(3, 4), torch.tensor([0, 1, 3])).shape
    torch.Size([3])
    """

    def __init__(
        self,
        candidate_dim: int,
        behavior_dim: int,
        hidden_layer_sizes: Sequence[int] = (80, 40),
        *,
        activation: str = "dice",
        interaction: str = "difference_product",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_option("interaction", interaction, INTERACTIONS)
        if behavior_dim < candidate_dim:
            msg = (
                f"A behavior must have at least the columns of the candidate: got behavior_dim={behavior_dim} and "
                f"candidate_dim={candidate_dim}. Pass only the candidate columns that have a counterpart."
            )
            raise ValueError(msg)
        self.candidate_dim = candidate_dim
        self.behavior_dim = behavior_dim
        self.interaction = interaction
        in_features = candidate_dim + behavior_dim + sum(self._interaction_dims)
        self.mlp = MLP(in_features, hidden_layer_sizes, 1, activation=activation, dropout=dropout)
        is_plain_dice = activation == "dice" and dropout == 0 and len(self.mlp.hidden) > 0
        self.can_block = is_plain_dice and interaction != "outer"

    @property
    def _interaction_dims(self) -> tuple[int, ...]:
        if self.interaction == "difference_product":
            return (self.candidate_dim, self.candidate_dim)
        return (self.candidate_dim**2,) if self.interaction == "outer" else ()

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters anew and forget the batches seen.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        reset_children(self, generator)

    def forward(self, candidate: Tensor, behaviors: Tensor, offsets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Score the behaviors.

        Parameters
        ----------
        candidate : Tensor of shape (batch_size, candidate_dim)
            One candidate per history.
        behaviors : Tensor of shape (n_behaviors, behavior_dim)
            All histories, one after another.
        offsets : Tensor of shape (batch_size + 1,), int32 or int64
            Where each history begins, and the end of the last.
        rows : Tensor of shape (n_behaviors,), default=None
            The row that each behavior belongs to, if it is already known.

        Returns
        -------
        Tensor of shape (n_behaviors,)
            Scores; differentiable once.
        """
        check_width("candidate", candidate, self.candidate_dim)
        check_width("behaviors", behaviors, self.behavior_dim)
        check_offsets(offsets, candidate.shape[0])
        rows = segment_ids(offsets, behaviors.shape[0]) if rows is None else rows
        of_candidate, of_behavior, of_products = self._first_weights()
        of_row = functional.linear(candidate, of_candidate, self.mlp.first.bias)  # (batch_size, units)
        if self._in_blocks(behaviors):
            return self._score_in_blocks(of_row, candidate, behaviors, of_behavior, of_products, rows)
        units = _add_product(of_row.index_select(0, rows), behaviors, of_behavior)  # (n_behaviors, units)
        if of_products.shape[1]:
            products = self._products(candidate.index_select(0, rows), behaviors[:, : self.candidate_dim])
            units = _add_product(units, products, of_products)
        scores: Tensor = self.mlp.after_first(units).squeeze(1)  # (n_behaviors,)
        return scores.to(behaviors.dtype)  # a softmax in bfloat16 would know three digits of the weights

    def _first_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights of candidate, behaviors and products in the first layer, each (units, columns)."""
        weight = self.mlp.first.weight
        widths = [self.candidate_dim, self.behavior_dim, *self._interaction_dims]
        of_candidate, of_behavior, *of_interaction = torch.split(weight, widths, dim=1)
        if self.interaction == "difference_product":
            # W_d (a - e) = W_d a - W_d e, so the difference goes into the weights of a and e.
            of_difference = of_interaction.pop(0)
            of_candidate = of_candidate + of_difference
            of_behavior = of_behavior - functional.pad(of_difference, (0, self.behavior_dim - self.candidate_dim))
        return of_candidate, of_behavior, of_interaction[0] if of_interaction else weight[:, :0]

    def _products(self, candidate: Tensor, behaviors: Tensor) -> Tensor:
        if self.interaction == "outer":
            return (candidate[:, :, None] * behaviors[:, None, :]).flatten(1)  # (n_behaviors, candidate_dim ** 2)
        return candidate * behaviors  # (n_behaviors, candidate_dim)

    def _in_blocks(self, behaviors: Tensor) -> bool:
        """Whether ``blocked_scores`` applies; a GPU and autocast have no use for it, and one behavior no statistics."""
        has_one_mode = all(each.training == self.training for each in self.mlp.hidden.modules())
        if not (self.can_block and has_one_mode) or behaviors.is_cuda or _is_autocast(behaviors):
            return False
        n_behaviors = behaviors.shape[0] if self.share is None else self.share.n_rows
        return n_behaviors > 1 if self.training else not torch.is_grad_enabled()

    def _score_in_blocks(
        self,
        of_row: Tensor,
        candidate: Tensor,
        behaviors: Tensor,
        of_behavior: Tensor,
        of_products: Tensor,
        rows: Tensor,
    ) -> Tensor:
        dices = [layer for layer in self.mlp.hidden if isinstance(layer, Dice)]
        linears = [layer for layer in self.mlp.hidden if isinstance(layer, nn.Linear)] + [self.mlp.output]
        layers = [
            DiceLayer(dice.alpha, linear.weight, linear.bias) for dice, linear in zip(dices, linears[1:], strict=True)
        ]
        tensors = of_row, candidate[:, : of_products.shape[1]], behaviors, of_behavior.T, of_products.T, layers
        normalizations = [dice.normalization for dice in dices]
        eps = normalizations[0].eps
        if not self.training:
            known = [Moments(each.running_mean, each.running_var) for each in normalizations]
            return blocked_scores_of(known, *tensors, rows=rows, eps=eps)
        n, processes = behaviors.shape[0], None
        if self.share is not None:
            n, _, processes = self.share
        scores, moments = blocked_scores(*tensors, rows=rows, eps=eps, processes=processes)
        for each, (mean, variance) in zip(normalizations, moments, strict=True):
            each.track(mean, variance * (n / (n - 1)))
        return scores


def _add_product(units: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return ``units + x @ weight.T``, in place but under autocast, which leaves what is in place in its precision."""
    if _is_autocast(x):
        return torch.addmm(units, x, weight.T)
    return units.addmm_(x, weight.T)


def _is_autocast(x: Tensor) -> bool:
    return torch.is_autocast_enabled(x.device.type)


class AttentionPooling(nn.Module):
    """The interest in the candidate: the sum of the behaviors, weighted by the activation unit (equation 3).

    Parameters
    ----------
    unit : ActivationUnit
        Scores the behaviors.
    normalization : {"softmax", "sigmoid", None}, default="softmax"
        What makes weights of scores: a softmax over the history, a sigmoid of each score, or nothing (the paper's text,
        which keeps the intensity of the interest).

    Attributes
    ----------
    is_average : bool
        Whether the weights of a history sum to 1.

    Raises
    ------
    ValueError
        If ``normalization`` is not one of the values above.

    References
    ----------
    Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, arXiv 1706.06978, section 4.3,
    equation 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_din.nn import ActivationUnit, AttentionPooling
    >>> pooling = AttentionPooling(ActivationUnit(4, 4))
    >>> interest, weights = pooling(torch.zeros(2, 4), torch.ones(3, 4), torch.tensor([0, 0, 3]))
    >>> interest.detach().round(decimals=4)
    tensor([[0., 0., 0., 0.],
            [1., 1., 1., 1.]])
    """

    def __init__(self, unit: ActivationUnit, *, normalization: str | None = "softmax") -> None:
        super().__init__()
        check_option("normalization", normalization, NORMALIZATIONS)
        self.unit = unit
        self.normalization = normalization
        self.is_average = normalization == "softmax"

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters anew and forget the batches seen.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        self.unit.reset_parameters(generator)

    def forward(
        self, candidate: Tensor, behaviors: Tensor, offsets: Tensor, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pool the behaviors of each history.

        Parameters
        ----------
        candidate : Tensor of shape (batch_size, candidate_dim)
            One candidate per history.
        behaviors : Tensor of shape (n_behaviors, behavior_dim)
            All histories, one after another.
        offsets : Tensor of shape (batch_size + 1,), int32 or int64
            Where each history begins, and the end of the last.
        rows : Tensor of shape (n_behaviors,), default=None
            The row that each behavior belongs to, if it is already known.

        Returns
        -------
        interest : Tensor of shape (batch_size, behavior_dim)
            Weighted sums; zero where the history is empty. Differentiable once.
        weights : Tensor of shape (n_behaviors,)
            One per behavior.
        """
        rows = segment_ids(offsets, behaviors.shape[0]) if rows is None else rows
        weights = self.unit(candidate, behaviors, offsets, rows)  # (n_behaviors,)
        if self.normalization == "softmax":
            weights = segment_softmax(weights, offsets, rows)
        elif self.normalization == "sigmoid":
            weights = weights.sigmoid()
        return segment_weighted_sum(behaviors, weights, offsets, rows), weights


class UniformPooling(nn.Module):
    """Pooling that does not look at the candidate: the base models that attention is compared with.

    Parameters
    ----------
    pooling : {"mean", "sum"}
        Whether each behavior weighs one over the length of its history, or 1.

    Attributes
    ----------
    is_average : bool
        Whether the weights of a history sum to 1.

    Raises
    ------
    ValueError
        If ``pooling`` is not one of the values above.
    """

    def __init__(self, pooling: str) -> None:
        super().__init__()
        check_option("pooling", pooling, UNIFORM_POOLINGS)
        self.pooling = pooling
        self.is_average = pooling == "mean"

    def forward(
        self, candidate: Tensor, behaviors: Tensor, offsets: Tensor, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pool the behaviors of each history.

        Parameters
        ----------
        candidate : Tensor of shape (batch_size, candidate_dim)
            Not looked at.
        behaviors : Tensor of shape (n_behaviors, behavior_dim)
            All histories, one after another.
        offsets : Tensor of shape (batch_size + 1,), int32 or int64
            Where each history begins, and the end of the last.
        rows : Tensor of shape (n_behaviors,), default=None
            The row that each behavior belongs to, if it is already known.

        Returns
        -------
        interest : Tensor of shape (batch_size, behavior_dim)
            Means or sums; zero where the history is empty.
        weights : Tensor of shape (n_behaviors,)
            One per behavior.
        """
        check_offsets(offsets, candidate.shape[0])
        rows = segment_ids(offsets, behaviors.shape[0]) if rows is None else rows
        ones = behaviors.new_ones(behaviors.shape[0])
        if self.pooling == "sum":
            return segment_sum(behaviors, offsets, rows), ones
        return segment_mean(behaviors, offsets, rows), ones / offsets.diff().index_select(0, rows)
