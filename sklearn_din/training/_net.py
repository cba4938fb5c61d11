"""The skorch net: a DIN, its loss, its optimizer, and the callbacks that train it."""

from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PassthroughScoring

from sklearn_din.nn import DIN
from sklearn_din.training._batches import MiniBatch, Rows, ShuffledBatches
from sklearn_din.training._callbacks import StopTraining
from sklearn_din.training._optimizers import OPTIMIZERS, GradientClipping, RowWiseAdagrad
from sklearn_din.training._regularization import MinibatchAwareL2
from sklearn_din.training._runtime import keep_freed_memory


class DINNet(NeuralNet):
    """A skorch net that trains on whole mini-batches of flat tensors.

    Parameters
    ----------
    module : DIN
        Initialized, on its device.
    criterion : torch.nn.Module
        ``criterion(raw, target, weight)``.
    alpha : float
        L2 regularization (for ``"adamw"`` decoupled) of the weight matrices: not of biases and embeddings.
    unknown_rate : float
        Share of ids replaced by unknown in training.
    sparse : frozenset of str
        Embedding tables that a step updates only in the rows that its batch holds.
    shuffling, noise : torch.Generator or None
        Randomness of the order of the rows, and of the ids replaced by unknown; None is torch's global generator.
    **kwargs
        Of ``skorch.NeuralNet``.
    """

    def __init__(
        self,
        module: DIN,
        criterion: torch.nn.Module,
        *,
        alpha: float = 0.0,
        unknown_rate: float = 0.0,
        sparse: frozenset[str] = frozenset(),
        shuffling: torch.Generator | None = None,
        noise: torch.Generator | None = None,
        **kwargs: Any,
    ) -> None:
        self.alpha = alpha
        self.unknown_rate = unknown_rate
        self.sparse = sparse
        self.shuffling = shuffling
        self.noise = noise
        super().__init__(module, criterion, train_split=None, **kwargs)

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer()), ("train_loss", PassthroughScoring("train_loss", on_train=True))]

    def get_iterator(self, dataset: Rows, training: bool = False) -> ShuffledBatches:
        """Return an epoch of shuffled mini-batches of ``dataset``."""
        return ShuffledBatches(
            dataset,
            batch_size=self.batch_size,
            unknown_rate=self.unknown_rate,
            shuffling=self.shuffling,
            noise=self.noise,
        )

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> "DINNet":
        """Create the optimizer: ``alpha`` applies to the matrices of the network."""
        decayed: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, parameter in self.module_.named_parameters():
            is_matrix = parameter.ndim > 1 and not name.startswith(("embedding.tables.", "candidate_bias."))
            (decayed if is_matrix else others).append(parameter)
        groups = [{"params": decayed, "weight_decay": self.alpha}, {"params": others, "weight_decay": 0.0}]
        is_fused = self.optimizer is not RowWiseAdagrad or not others[0].is_cuda  # torch has no such kernel
        self.optimizer_ = self.optimizer([group for group in groups if group["params"]], lr=self.lr, fused=is_fused)
        return self

    @property
    def row_counts(self) -> dict[Any, torch.Tensor] | None:
        """The counts of ``count_rows`` that the regularization divides by; None where it needs none."""
        regularizations = (each for _, each in self.callbacks_ if isinstance(each, MinibatchAwareL2))
        return next((each.counts for each in regularizations), None)

    def go_on_from(self, previous: "DINNet") -> None:
        """Copy the moments of the optimizer of a net with an equal module.

        Parameters
        ----------
        previous : DINNet
            Nothing is copied where its optimizer is another one, or has made no step.
        """
        state = previous.optimizer_.state_dict()["state"]
        if state and type(previous.optimizer_) is type(self.optimizer_):
            groups = self.optimizer_.state_dict()["param_groups"]
            self.optimizer_.load_state_dict({"state": deepcopy(state), "param_groups": groups})

    def train_step_single(self, batch: MiniBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a mini-batch and its gradients."""
        self._set_training(True)
        raw = self.module_(batch.features)
        loss = self.criterion_(raw, batch.target, batch.weight)
        loss.backward()
        return {"loss": loss.detach(), "y_pred": raw.detach()}

    def partial_fit(self, X: Rows, y: None = None, classes: None = None, **fit_params: Any) -> "DINNet":
        """Train on the rows. Unlike in skorch, Ctrl-C is not swallowed."""
        if not self.initialized_:
            self.initialize()
        keep_freed_memory()
        tables = self.module_.embedding.tables
        tables.sparse = self.sparse
        try:
            self.notify("on_train_begin", X=X, y=y)
            with suppress(StopTraining):
                self.fit_loop(X)
            self.notify("on_train_end", X=X, y=y)
        finally:
            tables.sparse = frozenset()
        return self

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call the callbacks; skorch's EarlyStopping, which stops by ``KeyboardInterrupt``, ends the training.

        Whoever stops it at the end of an epoch, the others are told of that end too.
        """
        getattr(self, method_name)(self, **kwargs)
        is_over = False
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except StopTraining:
                if method_name != "on_epoch_end":
                    raise
                is_over = True
            except KeyboardInterrupt:
                if not isinstance(callback, EarlyStopping):
                    raise
                is_over = True
        if is_over:
            raise StopTraining


def build_net(
    module: DIN,
    criterion: torch.nn.Module,
    *,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    regularization: Callback | None = None,
    clip_norm: float | None = None,
    callbacks: Sequence[Any] = (),
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
    return DINNet(
        module,
        criterion,
        optimizer=OPTIMIZERS[optimizer],
        lr=learning_rate,
        callbacks=[*gradients, *callbacks],
        verbose=0,
        device=None,  # the module is where it should be
        **parameters,
    )
