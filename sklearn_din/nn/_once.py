"""Gradients made by hand can be differentiated no further, and have to say so."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch


def differentiable_once(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate the ``backward`` of an autograd function: it raises if the gradient is to be differentiated, too.

    ``torch.autograd.function.once_differentiable`` raises only if the second gradient comes to pass through the
    function; where it takes another way, it is silently wrong.

    Parameters
    ----------
    backward : callable
        Takes the context and gradients.

    Returns
    -------
    callable
        The same, with the check.
    """

    @wraps(backward)
    def checked(ctx: Any, *gradients: Any) -> Any:
        if torch.is_grad_enabled():  # so it is inside a backward pass with create_graph=True, and only there
            msg = (
                "The network can be differentiated once only: leave create_graph=True out, or take finite differences."
            )
            raise RuntimeError(msg)
        return backward(ctx, *gradients)

    return checked
