"""Training, state and raw predictions: what all estimators share."""

import copy
import math
import warnings
from abc import ABCMeta, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._input import as_table
from sklearn_din.estimators._parameters import ARCHITECTURE, CONSTRAINTS, training_length
from sklearn_din.nn import DIN
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
    threads,
)


class BaseDIN(BaseEstimator, metaclass=ABCMeta):
    """An estimator that owns a skorch net; a subclass says what its target is."""

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

    @abstractmethod
    def _validate_target(self, y):
        """Return ``y`` as a 1-D array, or raise."""

    @abstractmethod
    def _learn_target(self, y, weight):
        """Learn what the target is from the training rows: its classes, or its scale."""

    @abstractmethod
    def _encode_target(self, y):
        """Return the target as the loss wants it."""

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

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        if (X_val is None) != (y_val is None):
            msg = "X_val and y_val belong together: one is given, the other is None. Give both or neither."
            raise ValueError(msg)
        previous = self._previous_module()
        self.__dict__.pop("net_", None)  # what is interrupted from here on is unfitted
        table = as_table(self, X, reset=True)
        if previous is not None:
            self._check_same_network(previous, table.layout)
        self.layout_ = table.layout
        examples = self._examples(table, X, y, sample_weight, is_training=True)
        self.device_ = resolve_device(self.device)
        random = make_random_source(self.random_state, self.device_)
        if X_val is not None:
            valid = self._examples(as_table(self, X_val, reset=False), X_val, y_val, sample_weight_val)
        elif self.early_stopping:
            examples, valid = examples.split(self.validation_fraction, random.split)
        else:
            valid = None
        with threads(self.n_threads):
            module = previous or self._new_module(examples, random)
            self._train(module.to(self.device_), examples, valid, random)
        return self

    def _previous_module(self):
        return self.module_ if self.warm_start and self.__sklearn_is_fitted__() else None

    def _check_same_network(self, previous, layout):
        """Raise where warm_start can't go on with the network of the last fit."""
        if previous.embedding.layout != layout:
            msg = "X was not encoded as in the last fit: warm_start=True goes on with its embeddings. Set it to False."
            raise ValueError(msg)
        for name, value in self._architecture.items():
            if getattr(self, name) != value:
                msg = (
                    f"{name} was {value!r} in the last fit and is {getattr(self, name)!r} now: warm_start=True goes on "
                    "with the network of that fit. Set warm_start to False, or the parameter back."
                )
                raise ValueError(msg)

    def _examples(self, table, X, y, sample_weight, *, is_training=False):
        """Rows with their checked target and weight."""
        if y is None:
            msg = f"{type(self).__name__} requires y to be passed, but the target y is None"
            raise ValueError(msg)
        check_consistent_length(X, y)
        y = self._validate_target(y)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            if not weight.any():
                msg = "sample_weight is 0 for every row: nothing is left to learn from. Give some rows a weight."
                raise ValueError(msg)
        if is_training:
            self._learn_target(y, weight)
        weight = self._class_weighted(y, weight)
        positions = np.arange(len(y)) if weight is None else np.flatnonzero(weight)  # a weight of 0 is an absent row
        return Examples(table, self._encode_target(y), y, weight, positions)

    def _class_weighted(self, y, weight):
        """Weights of the rows after ``class_weight``, which a classifier has."""
        return weight

    def _new_module(self, examples, random):
        """Draw an untrained network from a private generator; its output is the prior."""
        self._architecture = {name: getattr(self, name) for name in ARCHITECTURE}
        module = make_module(self.layout_, self._n_outputs, self._architecture)
        module.reset_parameters(random.initialization)
        with torch.no_grad():
            module.mlp.output.bias.copy_(torch.as_tensor(self._prior(examples)))
        return module

    def _train(self, module, examples, valid, random):
        rows = examples.to_rows(TensorTable(examples.table, self.device_))
        length = training_length(
            len(rows),
            mean_behaviors=rows.table.mean_behaviors,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            n_iter_no_change=self.n_iter_no_change,
        )
        steps = n_steps(len(rows), length.batch_size)
        evaluation = Evaluation(
            self._validator(valid, rows, examples),
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
        net = self._make_net(
            module,
            regularization=self._regularization(module, rows),
            callbacks=[*callbacks, *(self.callbacks or ())],
            max_epochs=length.max_epochs,
            batch_size=length.batch_size,
            unknown_rate=self.unknown_rate,
            shuffling=random.shuffling,
            noise=random.noise,
        )
        net.partial_fit(rows)
        self._finish(net, evaluation)

    def _make_net(self, module, **parameters):
        return build_net(
            module,
            self._make_criterion(),
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            clip_norm=self.clip_norm,
            alpha=self.alpha,
            device=None,  # the module is where it should be
            **parameters,
        )

    def _regularization(self, module, rows):
        if self.embedding_regularization is None or self.embedding_alpha == 0:
            return None
        if self.embedding_regularization == "l2":
            return WholeTableL2(self.embedding_alpha)
        return MinibatchAwareL2(self.embedding_alpha, count_rows(module, rows, self.unknown_rate))

    def _validator(self, valid, rows, examples):
        """Return ``validate(net)``, which gives loss and score on the held-out rows; None where there are none."""
        if valid is None:
            return None
        tensors = rows.table if valid.table is examples.table else TensorTable(valid.table, self.device_)
        held_out = valid.to_rows(tensors)
        score = None if self.scoring == "loss" else self._scorer(valid)

        def validate(net):
            raw = predict_raw(net.module_, tensors, held_out.positions).float()
            weight = None if held_out.weight is None else held_out.weight.cpu()
            loss = float(net.criterion_(raw, held_out.target.cpu(), weight))
            return {"valid_loss": loss, "valid_score": -loss if score is None else score(net)}

        return validate

    def _scorer(self, valid):
        """Return ``score(net)`` with the user's scorer, which sees a fitted copy of this estimator."""
        scorer = get_scorer(self.scoring)
        table, y = valid.table[valid.positions], valid.y[valid.positions]
        keywords = {} if valid.weight is None else {"sample_weight": valid.weights}

        def score(net):
            fitted = copy.copy(self)
            fitted.net_ = net
            return float(scorer(fitted, table, y, **keywords))

        return score

    def _finish(self, net, evaluation):
        """Set the fitted attributes, and let go of the training rows."""
        if evaluation.diverged_:
            what = "the best weights before it are kept" if evaluation.best_ else "nothing was learnt"
            msg = (
                f"Training diverged: the loss or a weight is no longer finite, and {what}. "
                f"learning_rate was {self.learning_rate}: lower it, and check the scale of numeric columns."
            )
            if evaluation.best_ is None:
                raise ValueError(msg)
            warnings.warn(msg, ConvergenceWarning, stacklevel=4)
        evaluation.release()
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
            return predict_raw(self.module_, TensorTable(table, self.device_)).numpy()

    def __getstate__(self):
        state = dict(super().__getstate__())
        net = state.pop("net_", None)
        if net is not None:
            state["_weights"] = {name: value.cpu().numpy() for name, value in net.module_.state_dict().items()}
        return state

    def __setstate__(self, state):
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is None:
            return
        module = make_module(self.layout_, self._n_outputs, self._architecture)
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        if self.device_.type != "cpu" and not torch.cuda.is_available():
            self.device_ = torch.device("cpu")
        net = self._make_net(module.to(self.device_), regularization=None, callbacks=[])
        self.net_ = net.initialize()


def make_module(layout, n_outputs, architecture):
    """Return a network with memory but no values, and without drawing random numbers.

    Parameters
    ----------
    layout : FeatureLayout
        Of its input.
    n_outputs : int
        Raw outputs per row.
    architecture : dict
        Parameters of ``nn.DIN``.

    Returns
    -------
    DIN
        On the CPU; to be filled by ``reset_parameters`` or ``load_state_dict``.
    """
    with torch.device("meta"):
        module = DIN(layout, n_outputs=n_outputs, **architecture)
    return module.to_empty(device="cpu")
