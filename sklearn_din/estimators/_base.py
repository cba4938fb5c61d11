"""Training, state and raw predictions: what all estimators share."""

import math
import warnings
from abc import ABCMeta, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._input import as_table
from sklearn_din.estimators._network import architecture_of, load_module, make_module
from sklearn_din.estimators._parameters import DINParameters
from sklearn_din.estimators._training import train, train_one_pass
from sklearn_din.estimators._weights import as_shares, check_some_weight, check_weight
from sklearn_din.layout import FeatureLayout
from sklearn_din.training import (
    TensorTable,
    build_net,
    make_random_source,
    predict_raw,
    resolve_device,
    threads,
    warn_of_forks,
)
from sklearn_din.utils._fit_tasks import CallbackSupportMixin


class Mode(NamedTuple):
    """A way to go on with a fitted network: how the user asked for it, and what else to do."""

    how: str
    instead: str


WARM_START = Mode("warm_start=True", "Set warm_start to False")
PARTIAL_FIT = Mode("partial_fit", "Call fit")


class BaseDIN(CallbackSupportMixin, DINParameters, metaclass=ABCMeta):
    """An estimator that owns a skorch net; a subclass says what its target is."""

    net_: Any
    history_: list[dict[str, float]]
    n_epochs_: int

    @abstractmethod
    def _validate_target(self, y, name):
        """Return ``y`` as a 1-D array, or raise; ``name`` is what the user calls it."""

    @abstractmethod
    def _learn_target(self, y, sample_weight, *, is_first):
        """Learn what the target is from the training rows (its classes, or its scale), or check it (warm start)."""

    @abstractmethod
    def _learn_first_target(self, y, sample_weight):
        """Learn what the target is from the first part of the training rows (``partial_fit``)."""

    @abstractmethod
    def _encode_target(self, y, positions, name):
        """Return the target as the loss wants it; only the rows at ``positions`` must make sense."""

    @abstractmethod
    def _prior(self, examples):
        """Return the raw output ``(n_outputs,)`` of a model that knows nothing but the distribution of the target."""

    @abstractmethod
    def _make_criterion(self):
        """Return the loss, a module of ``training``."""

    @property
    @abstractmethod
    def _n_outputs(self):
        """Raw outputs per row."""

    @property
    def module_(self):
        """The trained ``nn.DIN``, a torch module."""
        return self.net_.module_

    def __sklearn_is_fitted__(self):
        return "net_" in self.__dict__

    def __sklearn_clone__(self):
        warn_of_forks()  # every tool that fits in parallel clones first
        return super().__sklearn_clone__()

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        previous = self.module_ if self.warm_start and self.__sklearn_is_fitted__() else None
        before = dict(self.__dict__)
        self.__dict__.pop("net_", None)  # what is interrupted from here on is unfitted
        try:
            self._check_parameters()
            module, examples = self._check_training(previous, X, y, sample_weight, WARM_START)
            valid = self._check_validation(X_val, y_val, sample_weight_val)
        except BaseException:
            if previous is not None:  # what was to go on is not lost for a mistake in the arguments, or Ctrl-C
                self.__dict__ = before
            raise
        del before
        random = make_random_source(self.random_state, self.device_)
        if valid is None and self.early_stopping:
            examples, valid = examples.split(self.validation_fraction, random.split)
        with threads(self.n_threads):
            if previous is None:
                self._initialize(module, examples, random)
            net, evaluation = train(self, module.to(self.device_), examples, valid, random, self._snapshot)
        self._finish(net, evaluation, stacklevel=6)
        net.optimizer_.state.clear()
        return self

    def _partial_fit(self, X, y, sample_weight):
        previous = self.net_ if self.__sklearn_is_fitted__() else None
        before = dict(self.__dict__)
        history, n_epochs = ([], 0) if previous is None else (self.history_, self.n_epochs_)
        weights = None
        try:
            self._validate_params()
            self._check_parameters()
            module = None if previous is None else previous.module_
            module, examples = self._check_training(module, X, y, sample_weight, PARTIAL_FIT)
            random = None
            if previous is None or previous.noise is None or previous.noise.device.type != self.device_.type:
                random = make_random_source(self.random_state, self.device_)
            with threads(self.n_threads):
                if previous is None:
                    self._initialize(module, examples, random)
                else:
                    weights = {name: value.clone() for name, value in module.state_dict().items()}
                net, evaluation = train_one_pass(self, module.to(self.device_), examples, random, previous)
            self._finish(net, evaluation, stacklevel=5)
        except BaseException:  # the model is not lost for bad rows, or Ctrl-C
            self.__dict__ = before
            if previous is not None and weights is not None:
                previous.module_.to(self.device_).load_state_dict(weights)
                previous.optimizer_.state.clear()
            raise
        self.history_ = [*history, *({**each, "epoch": n_epochs + each["epoch"]} for each in self.history_)]
        self.n_epochs_ = self.best_epoch_ = n_epochs + 1
        return self

    def _check_parameters(self):
        """Raise where parameters, each valid by itself, exclude each other."""
        is_sparse = self.sparse_embeddings != "auto" and self.sparse_embeddings
        if is_sparse and self.embedding_regularization == "l2" and self.embedding_alpha > 0:
            msg = (
                'embedding_regularization="l2" changes all rows of a table at each step, which sparse_embeddings=True '
                'is to avoid. Set sparse_embeddings to "auto", or embedding_regularization to "minibatch_aware".'
            )
            raise ValueError(msg)
        if self.scoring != "loss":
            get_scorer(self.scoring)

    def _check_training(self, previous, X, y, sample_weight, mode):
        """Return the network, ``previous`` or a new one, and the training rows. Raises before anything is trained."""
        architecture = architecture_of(self)
        self.device_ = resolve_device(self.device)
        table = as_table(self, X, reset=previous is None or mode is WARM_START)
        if previous is not None:
            self._check_same_network(previous, table.layout, architecture, mode)
        self.layout_, self._architecture = table.layout, architecture
        y, sample_weight = self._check_rows(X, y, sample_weight, name="y")
        if mode is WARM_START:
            self._learn_target(y, sample_weight, is_first=previous is None)
        elif previous is None:
            self._learn_first_target(y, sample_weight)
        module = make_module(table.layout, self._n_outputs, architecture) if previous is None else previous
        return module, self._examples(table, y, sample_weight, name="y")

    def _check_validation(self, X, y, sample_weight):
        """Return the rows given for validation, or None."""
        parts = {"X_val": X, "y_val": y, "sample_weight_val": sample_weight}
        if (X is None) != (y is None) or (X is None and sample_weight is not None):
            given = [name for name, part in parts.items() if part is not None]
            msg = f"X_val and y_val belong together: only {' and '.join(given)} is given. Give both or neither."
            raise ValueError(msg)
        if X is None:
            return None
        table = as_table(self, X, reset=False, name="X_val")
        y, sample_weight = self._check_rows(X, y, sample_weight, name="y_val")
        return self._examples(table, y, sample_weight, name="y_val")

    def _check_same_network(self, previous, layout, architecture, mode):
        """Raise where training can't go on with the network of the last fit."""
        if previous.embedding.layout != layout:
            msg = f"X was not encoded as in the last fit: {mode.how} goes on with its embeddings. {mode.instead}."
            raise ValueError(msg)
        for name, value in self._architecture.items():
            if architecture[name] != value:
                msg = (
                    f"{name} was {value!r} in the last fit and is {architecture[name]!r} now: {mode.how} goes on "
                    f"with the network of that fit. {mode.instead}, or set the parameter back."
                )
                raise ValueError(msg)

    def _check_rows(self, X, y, sample_weight, *, name):
        """Return target and weights of the rows, or raise."""
        if y is None:
            msg = f"{type(self).__name__} requires y to be passed, but the target {name} is None"
            raise ValueError(msg)
        check_consistent_length(X, y)
        y = self._validate_target(y, name)
        if sample_weight is not None:
            sample_weight = check_weight(sample_weight, y, "sample_weight" + name.removeprefix("y"))
        return y, sample_weight

    def _examples(self, table, y, sample_weight, *, name):
        """Rows with their target and weight; a weight of 0 is an absent row."""
        weight = self._class_weighted(y, None if sample_weight is None else as_shares(sample_weight), name)
        if weight is not None:
            check_some_weight(weight)
        positions = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        return Examples(table, self._encode_target(y, positions, name), y, sample_weight, weight, positions)

    def _class_weighted(self, y, weight, name):
        """Weights of the rows after ``class_weight``, which a classifier has."""
        return weight

    def _initialize(self, module, examples, random):
        """Draw the weights of a network from a private generator; its output is the prior."""
        module.reset_parameters(random.initialization)
        with torch.no_grad():
            module.mlp.output.bias.copy_(torch.as_tensor(self._prior(examples)))

    def _finish(self, net, evaluation, stacklevel):
        """Set the fitted attributes, and let go of the training rows."""
        if evaluation.diverged_:
            what = "the best weights before it are kept" if evaluation.best_ else "nothing was learnt"
            msg = (
                f"Training diverged: the loss, a weight or a prediction is no longer finite, and {what}. "
                f"learning_rate was {self.learning_rate}: lower it, and check the scale of numeric columns."
            )
            if evaluation.best_ is None:
                raise ValueError(msg)
            warnings.warn(msg, ConvergenceWarning, stacklevel=stacklevel)  # at what called the public method
            net.optimizer_.state.clear()
        evaluation.release()
        net.module_.zero_grad()
        best = evaluation.best_
        self.history_ = evaluation.records_
        self.n_epochs_ = math.ceil(evaluation.records_[-1]["epoch"])
        self.best_epoch_ = math.ceil(best["epoch"])
        self.best_score_ = best.get("valid_score")
        self.net_ = net

    def _snapshot(self, net):
        """Return the attributes of a copy of this estimator that is fitted as far as ``net`` is now."""
        weights = {name: value.cpu().numpy() for name, value in net.module_.state_dict().items()}
        return {"net_": self._make_net(weights)}

    def _make_net(self, weights):
        """Return a net that predicts with given weights, which are copied."""
        module = load_module(self.layout_, self._n_outputs, self._architecture, weights).to(self.device_)
        net = build_net(module, self._make_criterion()).initialize()
        module.eval()
        return net

    def _raw_output(self, X):
        check_is_fitted(self)
        table = as_table(self, X, reset=False)
        with threads(self.n_threads):
            return check_prediction(predict_raw(self.module_, TensorTable(table, self.device_)).numpy())

    def __getstate__(self):
        """Return parameters and fitted attributes as plain values and arrays, the network as its weights."""
        state = dict(super().__getstate__())
        net = state.pop("net_", None)
        if net is None:
            return state
        weights = {name: value.cpu().numpy() for name, value in net.module_.state_dict().items()}
        return state | {"layout_": self.layout_.to_json(), "device_": str(self.device_), "_weights": weights}

    def __setstate__(self, state):
        state = dict(state)
        weights = state.pop("_weights", None)
        if weights is None:
            super().__setstate__(state)
            return
        super().__setstate__(state | {"layout_": FeatureLayout.from_json(state["layout_"])})
        try:
            self.device_ = resolve_device(state["device_"])
        except ValueError:  # this machine doesn't have it
            self.device_ = torch.device("cpu")
        self.net_ = self._make_net(weights)


def check_prediction(values):
    """Return predictions ``(n_samples,)`` or ``(n_samples, n_outputs)``, or raise if one is not finite."""
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        row = int(np.argmax(is_bad.reshape(len(values), -1).any(axis=1)))
        msg = (
            f"The prediction for row {row} is not finite: numbers in X, or weights of the network, are too large. "
            "Scale or clip the numeric columns as in fit."
        )
        raise ValueError(msg)
    return values
