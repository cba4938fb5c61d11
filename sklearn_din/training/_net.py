"""The skorch net: a DIN, its loss and its optimizer, trained on whole mini-batches."""

from collections.abc import Iterable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PassthroughScoring
from torch import Tensor

from sklearn_din.nn import DIN
from sklearn_din.nn._batch import Batch
from sklearn_din.training._batches import MiniBatch, TrainingRows
from sklearn_din.training._callbacks import StopTraining
from sklearn_din.training._optimizers import RowWiseAdagrad
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
    mixed_precision : bool
        Whether the products of matrices of a step are computed in bfloat16.
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
        mixed_precision: bool = False,
        shuffling: torch.Generator | None = None,
        noise: torch.Generator | None = None,
        **kwargs: Any,
    ) -> None:
        self.alpha = alpha
        self.unknown_rate = unknown_rate
        self.sparse = sparse
        self.mixed_precision = mixed_precision
        self.shuffling = shuffling
        self.noise = noise
        super().__init__(module, criterion, train_split=None, **kwargs)

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer()), ("train_loss", PassthroughScoring("train_loss", on_train=True))]

    def get_iterator(self, dataset: TrainingRows, training: bool = False) -> Iterable[MiniBatch]:
        """Return an epoch of shuffled mini-batches of ``dataset``."""
        return dataset.batches(
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

    @property
    def device_type(self) -> str:
        """Where the network is, as ``torch.autocast`` wants it."""
        kind: str = self.module_.mlp.output.weight.device.type
        return kind

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
        raw = self.raw_output(batch.features)
        loss = self.criterion_(raw, batch.target, batch.weight)
        loss.backward()
        return {"loss": loss.detach(), "y_pred": raw.detach()}

    def raw_output(self, features: Batch) -> Tensor:
        """Compute what the loss is taken of, in float32, whatever the precision of what is before it.

        bfloat16 has the range of float32, so that no gradient underflows and the loss needs no scale. The last step of
        the network, which adds the bias of the candidates, is one of float32.

        Parameters
        ----------
        features : Batch
            Of a mini-batch.

        Returns
        -------
        Tensor of shape (batch_size,) or (batch_size, n_outputs)
            Differentiable.
        """
        if not self.mixed_precision:
            return self.call_module(features)
        # A cache of rounded weights would outlive the step inside of another autocast.
        with torch.autocast(self.device_type, dtype=torch.bfloat16, cache_enabled=False):
            return self.call_module(features)

    def call_module(self, features: Batch) -> Tensor:
        """Call the network, which a subclass may do in another way.

        Parameters
        ----------
        features : Batch
            Of a mini-batch.

        Returns
        -------
        Tensor of shape (batch_size,) or (batch_size, n_outputs)
            Differentiable.
        """
        raw: Tensor = self.module_(features)
        return raw

    def partial_fit(self, X: TrainingRows, y: None = None, classes: None = None, **fit_params: Any) -> "DINNet":
        """Train on the rows. Unlike in skorch, Ctrl-C is not swallowed; a caller's autocast changes nothing."""
        if not self.initialized_:
            self.initialize()
        keep_freed_memory()
        tables = self.module_.embedding.tables
        tables.sparse = self.sparse
        try:
            self.notify("on_train_begin", X=X, y=y)
            with suppress(StopTraining), torch.autocast(self.device_type, enabled=False):  # gradients included
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
