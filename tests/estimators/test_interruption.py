"""Ctrl-C goes through, and what it leaves behind is unfitted, or as it was where training was to go on."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklearn_din import DINClassifier
from sklearn_din.estimators import _base, _preparation, _training, _validation
from sklearn_din.training import _batches, _net, _prediction
from sklearn_din.training._optimizers import LazyAdam

HOOKS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_grad_computed",
    "on_batch_end",
    "on_epoch_end",
    "on_train_end",
]


def interrupting(function, at_call):
    """Return the function, interrupted when it is called for the ``at_call``-th time, from 1 on."""
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == at_call:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    return interrupted


def interrupting_callback(hook, at_call):
    def nothing(self, net, *args, **kwargs):
        return None

    return type("Interrupting", (Callback,), {hook: interrupting(nothing, at_call)})()


# What is interrupted: where it is defined, its name, and at which of its calls. There are 2 epochs of 4 batches.
BEFORE_TRAINING = {
    "check of parameters": (_base, "architecture_of", 1),
    "check of X": (_base, "as_table", 1),
    "check of the target": (_base.BaseDIN, "_check_rows", 1),
    "check of X_val": (_base, "as_table", 2),
    "memory of the network": (_base, "make_module", 1),
    "weights of rows": (DINClassifier, "_class_weighted", 1),
}
IN_TRAINING = {
    "random numbers": (_base, "make_random_source", 1),
    "first weights": (_base.BaseDIN, "_initialize", 1),
    "tensors": (_preparation, "TensorTable", 1),
    "counts of ids": (_batches, "count_rows", 1),
    "first forward pass": (_net.DINNet, "train_step_single", 1),
    "middle batch": (_net.DINNet, "train_step_single", 3),
    "last batch": (_net.DINNet, "train_step_single", 8),
    "first evaluation": (_validation, "predict_raw", 1),
    "last evaluation": (_validation, "predict_raw", 2),
    "prediction": (_prediction, "keep_freed_memory", 1),
    "judgement": (_training.Evaluation, "_judge", 2),
    "best weights restored": (_training.Evaluation, "on_train_end", 1),
    "fitted attributes": (_base.BaseDIN, "_fitted", 1),
    "right before the net is set": (_training.Evaluation, "release", 1),
}


@pytest.fixture
def interrupt(monkeypatch):
    """Run a function that is interrupted at a call of ``owner.name``."""

    def run(owner, name, at_call, function, *args, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, interrupting(getattr(owner, name), at_call))
            with pytest.raises(KeyboardInterrupt):
                function(*args, **kwargs)

    return run


@pytest.fixture
def halves(table, clicks):
    y = clicks[1]
    return {"X": table[:200], "y": y[:200], "X_val": table[200:], "y_val": y[200:]}


def assert_fits_again(model, halves, table, expected):
    assert_array_equal(model.fit(**halves).predict_proba(table), expected)


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("point", BEFORE_TRAINING | IN_TRAINING)
def test_interrupted_anywhere_it_is_unfitted_and_can_be_fitted(
    make_classifier, halves, table, interrupt, point, is_fitted
):
    expected = make_classifier().fit(**halves).predict_proba(table)
    model = make_classifier()
    if is_fitted:
        model.fit(**halves)

    interrupt(*(BEFORE_TRAINING | IN_TRAINING)[point], model.fit, **halves)
    with pytest.raises(NotFittedError):
        model.predict(table)
    assert_fits_again(model, halves, table, expected)


NEW_NETWORK = {"memory of the network", "first weights"}  # what going on has already
HELD_OUT = {"check of X_val", "first evaluation", "last evaluation", "best weights restored"}
GOING_ON = {
    "warm start": (lambda model, rows: model.fit(**rows), NEW_NETWORK),
    "partial_fit": (
        lambda model, rows: model.partial_fit(rows["X"], rows["y"]),
        NEW_NETWORK | HELD_OUT | {"random numbers", "last batch", "judgement", "prediction"},
    ),
}


@pytest.mark.parametrize("way", GOING_ON)
@pytest.mark.parametrize("point", BEFORE_TRAINING | IN_TRAINING)
def test_interrupted_anywhere_what_goes_on_is_as_it_was(make_classifier, halves, table, interrupt, point, way):
    go_on, absent = GOING_ON[way]
    if point in absent:
        return
    model = make_classifier(warm_start=True).fit(**halves)
    expected, before = model.predict_proba(table), dict(vars(model))

    interrupt(*(BEFORE_TRAINING | IN_TRAINING)[point], go_on, model, halves)
    assert vars(model) == before
    assert_array_equal(model.predict_proba(table), expected)
    assert all(parameter.grad is None for parameter in model.module_.parameters())
    twin = make_classifier(warm_start=True).fit(**halves)
    assert_array_equal(go_on(model, halves).predict_proba(table), go_on(twin, halves).predict_proba(table))


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("at_call", [1, 2])
def test_interrupted_in_any_callback_it_is_unfitted_and_can_be_fitted(make_classifier, halves, table, hook, at_call):
    if hook.startswith("on_train") and at_call > 1:
        return  # is called once
    expected = make_classifier().fit(**halves).predict_proba(table)
    model = make_classifier(callbacks=[interrupting_callback(hook, at_call)])

    with pytest.raises(KeyboardInterrupt):
        model.fit(**halves)
    with pytest.raises(NotFittedError):
        model.predict(table)
    assert_fits_again(model.set_params(callbacks=None), halves, table, expected)


@pytest.mark.parametrize("at_call", [1, 2])
def test_interrupted_in_the_step_of_the_optimizer_it_is_unfitted_and_can_be_fitted(
    make_classifier, halves, table, interrupt, at_call
):
    expected = make_classifier().fit(**halves).predict_proba(table)
    model = make_classifier()
    interrupt(LazyAdam, "step", at_call, model.fit, **halves)
    with pytest.raises(NotFittedError):
        model.predict(table)
    assert_fits_again(model, halves, table, expected)


@pytest.mark.parametrize("at_call", [1, 2])
def test_interrupted_in_a_scorer_it_is_unfitted_and_can_be_fitted(make_classifier, halves, table, at_call):
    def scorer(model, X, y):
        return model.score(X, y)

    expected = make_classifier(scoring=scorer).fit(**halves).predict_proba(table)
    model = make_classifier(scoring=interrupting(scorer, at_call))
    with pytest.raises(KeyboardInterrupt):
        model.fit(**halves)
    with pytest.raises(NotFittedError):
        model.predict(table)
    assert_fits_again(model.set_params(scoring=scorer), halves, table, expected)


def test_an_interrupted_prediction_leaves_the_model_as_it_was(make_classifier, halves, table, interrupt):
    model = make_classifier().fit(**halves)
    expected = model.predict_proba(table)
    interrupt(_base, "predict_raw", 1, model.predict_proba, table)

    assert_array_equal(model.predict_proba(table), expected)


@pytest.mark.parametrize(
    "changed", [{"candidate_bias": True}, {"embedding_dim": {"x0": 3}}, {"scoring": "no such one"}]
)
def test_a_mistake_in_the_parameters_does_not_lose_what_a_warm_start_was_to_go_on_from(make_classifier, changed):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    model = make_classifier(warm_start=True).fit(X, y)
    expected = model.predict_proba(X)

    with pytest.raises(ValueError, match=next(iter(changed)) + "|no such"):
        model.set_params(**changed).fit(X, y)
    assert_array_equal(model.predict_proba(X), expected)


def test_a_fit_that_fails_behind_other_steps_leaves_no_mixture_of_two_fits(make_classifier):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    model = make_pipeline(StandardScaler(), make_classifier()).fit(X, y)

    with pytest.raises(ValueError, match="only one class"):
        model.fit(100 * X + 500, np.zeros(40))
    with pytest.raises(NotFittedError):  # the scaler is new, and the network would be the old one
        model.predict(X)


SCRIPT = """
import numpy as np
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from sklearn_din import DINClassifier

class Steps(Callback):
    n_steps = 0

    def on_batch_end(self, net, **kwargs):
        self.n_steps += 1
        if self.n_steps == 20:
            print("training", flush=True)

X, y = np.random.default_rng(0).normal(size=(500, 3)), np.arange(500) % 2
model = DINClassifier(max_epochs=10**6, n_iter_no_change=10**6, callbacks=[Steps()], device="cpu", random_state=0)
try:
    model.fit(X, y)
except KeyboardInterrupt:
    print("interrupted", flush=True)
try:
    model.predict(X)
except NotFittedError:
    print("unfitted", flush=True)
model.set_params(max_epochs=1).fit(X, y).predict(X)
print("fitted", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_real_ctrl_c_in_the_middle_of_training_ends_it():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(100, process.kill)  # which never trains to its end
    watchdog.start()
    try:
        assert process.stdout.readline() == "training\n"
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate()
    finally:
        process.kill()
        watchdog.cancel()

    assert printed.split() == ["interrupted", "unfitted", "fitted"], errors
