"""The optimizers, and what they share: rows of big tables that a batch does not hold cost nothing."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch._dynamo  # the first optimizer of a process imports it, and then a fit would change the environment
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn._lookup import rows_of_gradient

SPARSE_FROM = 250_000  # ids: where a step on the rows of a batch is faster than one on the whole table


class _RowWise(torch.optim.Optimizer):
    """Mixin that takes sparse gradients, updates nothing but their rows, and leaves what is dense to torch's optimizer.

    The gradients must hold a row once, as ``gradient_of_rows`` makes them. Weight decay does not reach them.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make a step.

        Parameters
        ----------
        closure : callable, default=None
            Computes the gradients and returns the loss.

        Returns
        -------
        object
            What the closure returns.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        sparse = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    sparse.append((parameter, parameter.grad))
                    self._step_rows(parameter, *rows_of_gradient(parameter.grad), group)
                    parameter.grad = None  # torch's optimizer must not see it
        super().step()
        for parameter, gradient in sparse:
            parameter.grad = gradient
        return loss

    def _step_rows(self, parameter: nn.Parameter, rows: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        raise NotImplementedError


class LazyAdam(_RowWise, torch.optim.Adam):
    """Adam; the moments of a row with sparse gradients decay when a batch holds it, not at each step.

    So it is in ``torch.optim.SparseAdam``, at half the speed. A row that each batch holds is updated as by
    ``torch.optim.Adam``.
    """

    def _step_rows(self, parameter: nn.Parameter, rows: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:  # in the form that torch's own step gives it, which may take its turn with this one
            state["step"] = torch.zeros((), device=parameter.device if group["fused"] else "cpu")
            state |= {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        state["step"] += 1
        n_steps = int(state["step"])
        beta1, beta2 = group["betas"]
        correction1, correction2 = 1 - beta1**n_steps, 1 - beta2**n_steps
        mean = state["exp_avg"].index_select(0, rows).lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].index_select(0, rows).mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        deviation = square.div_(correction2).sqrt_().add_(group["eps"])
        parameter.index_add_(0, rows, mean.div_(deviation).mul_(-group["lr"] / correction1))


class RowWiseSGD(_RowWise, torch.optim.SGD):
    """SGD without momentum: a row without gradient stays, so that sparse gradients give what dense ones do."""

    def _step_rows(self, parameter: nn.Parameter, rows: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        parameter.index_add_(0, rows, gradient * -group["lr"])  # its argument alpha takes a path of half the speed


class RowWiseAdagrad(_RowWise, torch.optim.Adagrad):
    """Adagrad without decay of the rate: a row without gradient stays, as with ``RowWiseSGD``."""

    def _step_rows(self, parameter: nn.Parameter, rows: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        total = self.state[parameter]["sum"].index_add_(0, rows, gradient.square()).index_select(0, rows)
        parameter.index_add_(0, rows, total.sqrt_().add_(group["eps"]).reciprocal_().mul_(gradient).mul_(-group["lr"]))


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": LazyAdam,
    "adamw": partial(LazyAdam, decoupled_weight_decay=True),
    "sgd": RowWiseSGD,
    "adagrad": RowWiseAdagrad,
}


class GradientClipping(Callback):
    """Scales all gradients, dense and sparse, so that their norm together is at most ``max_norm``.

    Parameters
    ----------
    max_norm : float
        The largest norm.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def on_grad_computed(self, net: Any, named_parameters: Iterable[tuple[str, nn.Parameter]], **kwargs: Any) -> None:
        """Scale the gradients."""
        gradients = [each.grad for _, each in named_parameters if each.grad is not None]
        gradients = [rows_of_gradient(each)[1] if each.is_sparse else each for each in gradients]
        norm = nn.utils.get_total_norm(gradients)
        factor = (self.max_norm / (norm + 1e-6)).clamp_(max=1)  # a tensor, since a number would wait for the GPU
        for gradient in gradients:
            gradient.mul_(factor)


def sparse_tables(layout: FeatureLayout, sparse_embeddings: bool | str) -> frozenset[str]:
    """Return which embedding tables get sparse gradients.

    Parameters
    ----------
    layout : FeatureLayout
        The tables and their sizes.
    sparse_embeddings : bool or "auto"
        All, none, or those of at least 250,000 ids.

    Returns
    -------
    frozenset of str
        Names of ``layout.tables``.
    """
    if sparse_embeddings == "auto":
        return frozenset(name for name, n_ids in layout.tables.items() if n_ids >= SPARSE_FROM)
    return frozenset(layout.tables if sparse_embeddings else ())
