"""A net that is ready to train: optimizer, loss, and the callbacks in their order."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from skorch.callbacks import Callback

from sklearn_din.nn import DIN
from sklearn_din.nn._processes import Processes
from sklearn_din.training._net import DINNet
from sklearn_din.training._optimizers import OPTIMIZERS, GradientClipping
from sklearn_din.training._shared_net import SharedNet


def build_net(
    module: DIN,
    criterion: torch.nn.Module,
    *,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    regularization: Callback | None = None,
    clip_norm: float | None = None,
    callbacks: Sequence[Any] = (),
    processes: Processes | None = None,
    **parameters: Any,
) -> DINNet:
    """Return a net that is ready to train.

    Parameters
    ----------
    module : DIN
        Initialized, on its device.
    criterion : torch.nn.Module
        The loss.
    optimizer : {"adam", "adamw", "sgd", "adagrad"}
        Which one, in its fused form.
    learning_rate : float
        Of the first step.
    regularization : skorch.callbacks.Callback or None
        What adds to the gradients of the embeddings.
    clip_norm : float or None
        Largest norm of all gradients together, those of the regularization included.
    callbacks : sequence of skorch.callbacks.Callback, or pairs of a name and one
        Schedule, evaluation, and the user's own, in the order in which they are called.
    processes : Processes or None
        Who trains together; None for this process alone.
    **parameters
        Of ``DINNet``.

    Returns
    -------
    DINNet
        Not yet initialized.

    Raises
    ------
    TypeError
        If a callback is none.
    """
    for callback in callbacks:
        named = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
        if not (isinstance(named, Callback) or (isinstance(named, type) and issubclass(named, Callback))):
            msg = f"callbacks must be callbacks of skorch: got {named!r}. Derive it from skorch.callbacks.Callback."
            raise TypeError(msg)
    gradients = [] if regularization is None else [regularization]
    if clip_norm is not None:
        gradients.append(GradientClipping(clip_norm))
    make = DINNet if processes is None else partial(SharedNet, processes=processes)
    return make(
        module,
        criterion,
        optimizer=OPTIMIZERS[optimizer],
        lr=learning_rate,
        callbacks=[*gradients, *callbacks],
        verbose=0,
        device=None,  # the module is where it should be
        **parameters,
    )
