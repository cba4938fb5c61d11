"""Training, state and raw predictions: what all estimators share."""

import math
import warnings
from abc import ABCMeta, abstractmethod
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._input import as_table
from sklearn_din.estimators._network import architecture_of, load_module, make_module
from sklearn_din.estimators._parameters import DINParameters
from sklearn_din.estimators._preparation import data_of, prepared
from sklearn_din.estimators._training import train, train_one_pass
from sklearn_din.estimators._weights import as_shares, check_some_weight, check_weight
from sklearn_din.layout import FeatureLayout
from sklearn_din.training import (
    TensorTable,
    build_net,
    current_processes,
    draw_seed,
    make_random_source,
    predict_raw,
    resolve_device,
    threads,
    warn_of_forks,
)
from sklearn_din.utils._fit_tasks import CallbackSupportMixin

PRIVATE = {"_architecture", "_class_weights", "_mean", "_scale"}  # what fit sets beside attributes that end with "_"


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
    score_name_: str

    @abstractmethod
    def _validate_target(self, y, name):
        """Return ``y`` as a 1-D array, or raise; ``name`` is what the user calls it."""

    @abstractmethod
    def _learn_target(self, y, sample_weight, *, is_first):
        """Learn what the target is from the training rows (its classes, or its scale), or check it (warm start)."""

    @abstractmethod
    def _start_summary(self):
        """Return what adds up a target that is read in parts; see ``_summaries``."""

    def _learn_summary(self, summary):
        """Do as ``_learn_target`` in a first fit, from the ``TargetSummary`` of all rows."""
        self._learn_target(summary.values, summary.weights, is_first=True)

    @abstractmethod
    def _encode_target(self, y, positions, name):
        """Return the target as the loss wants it; only the rows at ``positions`` must make sense."""

    @abstractmethod
    def _prior(self, examples, *, is_part):
        """Return the raw output ``(n_outputs,)`` of a model that knows nothing but the distribution of the target.

        ``is_part`` says that more rows will follow.
        """

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
        previous = self.net_ if self.warm_start and self.__sklearn_is_fitted__() else None
        with self._undo(previous), threads(self.n_threads):
            self._check_parameters()
            module, examples = self._check_training(previous, X, y, sample_weight, self._learn_target, WARM_START)
            valid = self._check_validation(X_val, y_val, sample_weight_val)
            random = self._make_random_source()
            if valid is None and self.early_stopping:
                examples, valid = examples.split(self.validation_fraction, random.split)
            if previous is None:
                self._initialize(module, examples, random)
            rows, validate = prepared(self, examples, valid)
            data = data_of(examples)
            net, evaluation = train(self, module.to(self.device_), rows, validate, random, self._snapshot, **data)
            fitted = self._fitted(net, evaluation)
            if evaluation.diverged_:
                msg = self._divergence("the best weights before it are kept")
                warnings.warn(msg, ConvergenceWarning, stacklevel=5)  # at what called fit
            net.optimizer_.state.clear()
            net.module_.zero_grad()
            evaluation.release()
            self.__dict__.update(fitted)
        return self

    def _partial_fit(self, X, y, sample_weight, learn):
        previous = self.net_ if self.__sklearn_is_fitted__() else None
        history, n_epochs = ([], 0) if previous is None else (self.history_, self.n_epochs_)
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()  # what may have been set since the first call
        with self._undo(previous), threads(self.n_threads):
            self._check_parameters()
            module, examples = self._check_training(previous, X, y, sample_weight, learn, PARTIAL_FIT)
            goes_on = previous is not None and _is_on(previous.noise, self.device_)
            random = None if goes_on else self._make_random_source()
            if previous is None:
                self._initialize(module, examples, random, is_part=True)
            rows, _ = prepared(self, examples, None, self._unit_of_weight(examples))
            net, evaluation = train_one_pass(self, module.to(self.device_), rows, random, previous)
            if evaluation.diverged_:
                raise ValueError(self._divergence("nothing was learnt"))
            records = [{**each, "epoch": n_epochs + each["epoch"]} for each in evaluation.records_]
            counts = {"history_": [*history, *records], "n_epochs_": n_epochs + 1, "best_epoch_": n_epochs + 1}
            fitted = self._fitted(net, evaluation) | counts
            if previous is not None:
                fitted["score_name_"] = self.score_name_  # nothing was scored since
            net.module_.zero_grad()
            evaluation.release()
            self.__dict__.update(fitted)
        return self

    @contextmanager
    def _undo(self, previous):
        """Leave the estimator as it was where the block fails; unfitted where it does not go on from ``previous``."""
        if previous is None:
            self.__dict__.pop("net_", None)
        before = {name: value for name, value in self.__dict__.items() if _is_learnt(name)}
        try:
            yield
        except BaseException:
            for name in filter(_is_learnt, list(self.__dict__)):
                del self.__dict__[name]
            self.__dict__.update(before)
            raise

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

    def _check_training(self, previous, X, y, sample_weight, learn, mode):
        """Return the network, new or a copy of the previous one, and the training rows."""
        architecture = architecture_of(self)
        self.device_ = resolve_device(self.device)
        table = as_table(self, X, reset=previous is None or mode is WARM_START)
        if len(table) == 0:
            msg = f"Found array with 0 sample(s) (shape={table.shape}) while a minimum of 1 is required."
            raise ValueError(msg)
        if previous is not None:
            self._check_same_network(previous.module_, table.layout, architecture, mode)
        self.layout_, self._architecture = table.layout, architecture
        y, sample_weight = self._check_rows(X, y, sample_weight, name="y")
        learn(y, sample_weight, is_first=previous is None)
        examples = self._examples(table, y, sample_weight, name="y")
        if previous is None:
            return make_module(table.layout, self._n_outputs, architecture), examples
        return load_module(table.layout, self._n_outputs, architecture, _weights_of(previous)), examples

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

    def _unit_of_weight(self, examples):
        """Return the weight that counts as 1 in a part of the rows; None where there are no weights."""
        return None if examples.weights is None else examples.weights.mean()

    def _make_random_source(self):
        """Return the generators of a fit, the same for all processes that share it."""
        seed, processes = draw_seed(self.random_state), current_processes()
        return make_random_source(seed if processes is None else processes.first(seed), self.device_)

    def _initialize(self, module, examples, random, *, is_part=False):
        """Draw the weights of a network from a private generator; its output is the prior."""
        module.reset_parameters(random.initialization)
        with torch.no_grad():
            module.mlp.output.bias.copy_(torch.as_tensor(self._prior(examples, is_part=is_part)))

    def _divergence(self, kept):
        return (
            f"Training diverged: the loss, a weight or a prediction is no longer finite, and {kept}. "
            f"learning_rate was {self.learning_rate}: lower it, and check the scale of numeric columns."
        )

    def _fitted(self, net, evaluation):
        """Return the attributes that ``fit`` sets in the end, together; raise where there is nothing to keep."""
        best, records = evaluation.best_, evaluation.records_
        if best is None:
            stopped = "A callback stopped the training before its first evaluation. Let it stop at the end of an epoch."
            raise ValueError(self._divergence("nothing was learnt") if records else stopped)
        return {
            "history_": [*records],
            "n_epochs_": math.ceil(records[-1]["epoch"]),
            "best_epoch_": math.ceil(best["epoch"]),
            "best_score_": best.get("valid_score"),
            "score_name_": self.scoring if isinstance(self.scoring, str) else "score",
            "net_": net,
        }

    def _snapshot(self, net, evaluation, *, is_kept):
        """Return the attributes of a copy of this estimator with the weights of ``net``, kept or of the moment."""
        fitted = self._fitted(net, evaluation) | {"net_": self._make_net(_weights_of(net))}
        if not is_kept:
            fitted["best_epoch_"] = fitted["n_epochs_"]
            fitted["best_score_"] = evaluation.records_[-1].get("valid_score")
        return fitted

    def _make_net(self, weights):
        """Return a net that predicts with given weights, which are copied."""
        module = load_module(self.layout_, self._n_outputs, self._architecture, weights).to(self.device_)
        net = build_net(module, self._make_criterion()).initialize()
        module.eval()
        return net

    def _raw_output(self, X):
        check_is_fitted(self)
        table = as_table(self, X, reset=False)
        module = self.module_
        device = next(module.parameters()).device  # device_ may be that of a network in training
        with threads(self.n_threads):
            return check_prediction(predict_raw(module, TensorTable(table, device)).numpy())

    def __getstate__(self):
        """Return parameters and fitted attributes as plain values and arrays, the network as its weights."""
        state = dict(super().__getstate__())
        net = state.pop("net_", None)
        if net is None:
            return state
        return state | {"layout_": self.layout_.to_json(), "device_": str(self.device_), "_weights": _weights_of(net)}

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


def _is_learnt(name):
    """Whether an attribute is one that ``fit`` sets."""
    return name.endswith("_") or name in PRIVATE


def _weights_of(net):
    return {name: value.cpu().numpy() for name, value in net.module_.state_dict().items()}


def _is_on(generator, device):
    """Whether there is a generator, on the device; one without a number is the first of its kind."""
    return (
        generator is not None
        and generator.device.type == device.type
        and device.index in (None, generator.device.index)
    )


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
