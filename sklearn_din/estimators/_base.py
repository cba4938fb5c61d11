"""Training, state and raw predictions: what all estimators share."""

import math
import warnings
from abc import ABCMeta, abstractmethod

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._input import as_table
from sklearn_din.estimators._network import architecture_of, load_module, make_module
from sklearn_din.estimators._parameters import DINParameters, training_length
from sklearn_din.estimators._validation import make_validator
from sklearn_din.estimators._weights import as_shares, check_some_weight, check_weight
from sklearn_din.layout import FeatureLayout
from sklearn_din.training import (
    Evaluation,
    LinearDecay,
    MinibatchAwareL2,
    Progress,
    TensorTable,
    WholeTableL2,
    build_net,
    count_rows,
    make_random_source,
    n_steps,
    predict_raw,
    resolve_device,
    sparse_tables,
    threads,
    warn_of_forks,
)

VALIDATION = ("X_val", "y_val", "sample_weight_val")


class BaseDIN(DINParameters, metaclass=ABCMeta):
    """An estimator that owns a skorch net; a subclass says what its target is."""

    @abstractmethod
    def _validate_target(self, y, name):
        """Return ``y`` as a 1-D array, or raise; ``name`` is what the user calls it."""

    @abstractmethod
    def _learn_target(self, y, sample_weight, *, is_first):
        """Learn what the target is from the training rows (its classes, or its scale), or check it (warm start)."""

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
            module, examples, given = self._check_all(
                previous, (X, y, sample_weight), (X_val, y_val, sample_weight_val)
            )
        except BaseException:
            if previous is not None:  # what was to go on is not lost for a mistake in the arguments, or Ctrl-C
                self.__dict__ = before
            raise
        del before
        random = make_random_source(self.random_state, self.device_)
        valid = given
        if valid is None and self.early_stopping:
            examples, valid = examples.split(self.validation_fraction, random.split)
        with threads(self.n_threads):
            if previous is None:
                self._initialize(module, examples, random)
            self._train(module.to(self.device_), examples, valid, random)
        return self

    def _check_all(self, previous, training, validation):
        """Return the network, the training rows, and those given for validation or None.

        Raises before anything is trained.
        """
        X_val, y_val, weight_val = validation
        if (X_val is None) != (y_val is None) or (X_val is None and weight_val is not None):
            given = [name for name, part in zip(VALIDATION, validation, strict=True) if part is not None]
            msg = f"X_val and y_val belong together: only {' and '.join(given)} is given. Give both or neither."
            raise ValueError(msg)
        is_sparse = self.sparse_embeddings != "auto" and self.sparse_embeddings
        if is_sparse and self.embedding_regularization == "l2" and self.embedding_alpha > 0:
            msg = (
                'embedding_regularization="l2" changes all rows of a table at each step, which sparse_embeddings=True '
                'is to avoid. Set sparse_embeddings to "auto", or embedding_regularization to "minibatch_aware".'
            )
            raise ValueError(msg)
        if self.scoring != "loss":
            get_scorer(self.scoring)
        architecture = architecture_of(self)
        self.device_ = resolve_device(self.device)
        table = as_table(self, training[0], reset=True)
        if previous is not None:
            self._check_same_network(previous, table.layout, architecture)
        self.layout_, self._architecture = table.layout, architecture
        y, sample_weight = self._check_rows(*training, name="y")
        self._learn_target(y, sample_weight, is_first=previous is None)
        module = make_module(table.layout, self._n_outputs, architecture) if previous is None else previous
        examples = self._examples(table, y, sample_weight, name="y")
        if X_val is None:
            return module, examples, None
        table_val = as_table(self, X_val, reset=False, name="X_val")
        y_val, weight_val = self._check_rows(*validation, name="y_val")
        return module, examples, self._examples(table_val, y_val, weight_val, name="y_val")

    def _check_same_network(self, previous, layout, architecture):
        """Raise where warm_start can't go on with the network of the last fit."""
        if previous.embedding.layout != layout:
            msg = "X was not encoded as in the last fit: warm_start=True goes on with its embeddings. Set it to False."
            raise ValueError(msg)
        for name, value in self._architecture.items():
            if architecture[name] != value:
                msg = (
                    f"{name} was {value!r} in the last fit and is {architecture[name]!r} now: warm_start=True goes on "
                    "with the network of that fit. Set warm_start to False, or the parameter back."
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
        weight = self._class_weighted(y, None if sample_weight is None else as_shares(sample_weight))
        if weight is not None:
            check_some_weight(weight)
        positions = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        return Examples(table, self._encode_target(y, positions, name), y, sample_weight, weight, positions)

    def _class_weighted(self, y, weight):
        """Weights of the rows after ``class_weight``, which a classifier has."""
        return weight

    def _initialize(self, module, examples, random):
        """Draw the weights of a network from a private generator; its output is the prior."""
        module.reset_parameters(random.initialization)
        with torch.no_grad():
            module.mlp.output.bias.copy_(torch.as_tensor(self._prior(examples)))

    def _train(self, module, examples, valid, random):
        rows = examples.to_rows(TensorTable(examples.table, self.device_))
        validate = None
        if valid is not None:
            is_same = valid.table is examples.table
            validate = make_validator(self, valid, rows.table if is_same else TensorTable(valid.table, self.device_))
        length = training_length(
            len(rows),
            mean_behaviors=rows.table.mean_behaviors,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            n_iter_no_change=self.n_iter_no_change,
        )
        steps = n_steps(len(rows), length.batch_size)
        evaluation = Evaluation(
            validate,
            steps_per_epoch=steps,
            per_epoch=self.evaluations_per_epoch,
            patience=length.patience if self.early_stopping and valid is not None else None,
            lower_on_plateau=self.learning_rate_schedule == "plateau",
        )
        callbacks = [evaluation]
        if self.learning_rate_schedule == "linear":
            callbacks.insert(0, LinearDecay(self.learning_rate, steps * length.max_epochs))
        if self.verbose:
            callbacks.append(Progress(evaluation, length.max_epochs))
        module.set_generator(random.noise)
        net = build_net(
            module,
            self._make_criterion(),
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            clip_norm=self.clip_norm,
            alpha=self.alpha,
            regularization=self._regularization(module, rows),
            callbacks=[*callbacks, *(self.callbacks or ())],
            max_epochs=length.max_epochs,
            batch_size=length.batch_size,
            unknown_rate=self.unknown_rate,
            sparse=self._sparse_tables(),
            shuffling=random.shuffling,
            noise=random.noise,
        )
        net.partial_fit(rows)
        self._finish(net, evaluation)

    def _sparse_tables(self):
        """Names of the tables that are trained by the rows in the batch; "l2" pulls at all rows."""
        is_whole = self.embedding_regularization == "l2" and self.embedding_alpha > 0
        return frozenset() if is_whole else sparse_tables(self.layout_, self.sparse_embeddings)

    def _regularization(self, module, rows):
        if self.embedding_regularization is None or self.embedding_alpha == 0:
            return None
        if self.embedding_regularization == "l2":
            return WholeTableL2(self.embedding_alpha)
        return MinibatchAwareL2(self.embedding_alpha, count_rows(module, rows, self.unknown_rate))

    def _finish(self, net, evaluation):
        """Set the fitted attributes, and let go of the training rows."""
        if evaluation.diverged_:
            what = "the best weights before it are kept" if evaluation.best_ else "nothing was learnt"
            msg = (
                f"Training diverged: the loss, a weight or a prediction is no longer finite, and {what}. "
                f"learning_rate was {self.learning_rate}: lower it, and check the scale of numeric columns."
            )
            if evaluation.best_ is None:
                raise ValueError(msg)
            warnings.warn(msg, ConvergenceWarning, stacklevel=6)  # past fit and what checks its parameters
        evaluation.release()
        net.optimizer_.state.clear()
        net.module_.zero_grad()
        best = evaluation.best_
        self.history_ = evaluation.records_
        self.n_epochs_ = math.ceil(evaluation.records_[-1]["epoch"])
        self.best_epoch_ = math.ceil(best["epoch"])
        self.best_score_ = best.get("valid_score")
        self.net_ = net

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
        module = load_module(self.layout_, self._n_outputs, self._architecture, weights).to(self.device_)
        self.net_ = build_net(module, self._make_criterion()).initialize()
        module.eval()


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
