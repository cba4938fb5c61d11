"""The same random_state gives the same model, in threads too; nothing global is touched; many threads may predict."""

import inspect
import os
import random
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from joblib.parallel import get_active_backend
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

ENVIRONMENT = dict(os.environ)  # before any fit
NOISE = {"dropout": 0.3, "attention_dropout": 0.3, "behavior_dropout": 0.8, "unknown_rate": 0.2}


def state_of(model):
    return {name: value.numpy() for name, value in model.module_.state_dict().items()}


def assert_same_bits(models):
    first, *others = map(state_of, models)
    for other in others:
        for name, value in first.items():
            assert_array_equal(other[name], value, err_msg=name)


# The same random_state, the same model.


@pytest.mark.parametrize(
    "parameters",
    [{}, {"batch_norm": True, "evaluations_per_epoch": 2}, {"sparse_embeddings": True}, {"scoring": "roc_auc"}],
    ids=["defaults", "batch norm", "sparse", "scorer"],
)
def test_five_fits_with_all_noise_give_the_same_bits(make_classifier, table, clicks, parameters):
    assert_same_bits([make_classifier(**NOISE, **parameters).fit(table, clicks[1]) for _ in range(5)])


def test_five_fits_in_five_threads_give_the_bits_of_one(make_classifier, make_regressor, table, clicks):
    for make in (make_classifier, make_regressor):
        alone = make(**NOISE).fit(table, clicks[1])
        with ThreadPoolExecutor(5) as pool:
            models = list(pool.map(lambda _, make=make: make(**NOISE).fit(table, clicks[1]), range(5)))
        assert_same_bits([alone, *models])


def test_five_seeds_in_five_threads_give_the_bits_that_each_gives_alone(make_classifier, table, clicks):
    alone = [make_classifier(random_state=seed, **NOISE).fit(table, clicks[1]) for seed in range(5)]
    with ThreadPoolExecutor(5) as pool:
        together = list(
            pool.map(lambda seed: make_classifier(random_state=seed, **NOISE).fit(table, clicks[1]), range(5))
        )

    for pair in zip(alone, together, strict=True):
        assert_same_bits(pair)
    assert len({state_of(model)["mlp.output.weight"].tobytes() for model in alone}) == 5


@pytest.mark.parametrize("name", NOISE)
def test_each_noise_is_drawn_from_the_random_state(make_classifier, table, clicks, name):
    silent = make_classifier(**dict.fromkeys(NOISE, 0.0)).fit(table, clicks[1])
    noisy = make_classifier(**(dict.fromkeys(NOISE, 0.0) | {name: NOISE[name]})).fit(table, clicks[1])

    assert (noisy.predict_proba(table) != silent.predict_proba(table)).any()


# Nothing global is touched.


def global_state():
    """Return what belongs to the whole process."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": [np.asarray(part).tolist() for part in np.random.get_state()],
        "random": random.getstate(),
        "threads": torch.get_num_threads(),
        "interop threads": torch.get_num_interop_threads(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic),
        "precision": torch.get_float32_matmul_precision(),
        "anomalies": torch.is_anomaly_enabled(),
        "errors of numpy": np.geterr(),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "joblib": [repr(type(part)) for part in get_active_backend()],
        "backends": sorted(joblib.parallel.BACKENDS),
    }


class Fails(Callback):
    """Raises at a batch in the middle."""

    def __init__(self, error):
        self.error = error
        self.n_batches = 0

    def on_batch_end(self, net, **kwargs):
        self.n_batches += 1
        if self.n_batches == 3:
            raise self.error


def bad_scorer(model, X, y):
    model.predict_proba(X)
    raise ArithmeticError


FAILURES = {
    "bad y": ({}, {"y": np.ones(300)}, ValueError),
    "bad X": ({}, {"X": [["a"]]}, (TypeError, ValueError)),
    "bad parameter": ({"dropout": 2.0}, {}, ValueError),
    "bad device": ({"device": "cuda:99"}, {}, ValueError),
    "divergence": ({"learning_rate": 1e6}, {}, ValueError),
    "Ctrl-C": ({"callbacks": [Fails(KeyboardInterrupt())]}, {}, KeyboardInterrupt),
    "callback": ({"callbacks": [Fails(ZeroDivisionError())]}, {}, ZeroDivisionError),
    "scorer": ({"scoring": bad_scorer}, {}, ArithmeticError),
}


@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("n_threads", [None, 1, 2])
def test_fit_and_predict_leave_global_state_alone(
    make_classifier, make_regressor, table, clicks, random_state, n_threads
):
    X, y = table[:60], clicks[1][:60]
    before = global_state()
    for make in (make_classifier, make_regressor):
        model = make(random_state=random_state, n_threads=n_threads, **NOISE).fit(X, y)
        assert global_state() == before
        model.predict(X)
        assert global_state() == before
    make_classifier(n_threads=n_threads).fit(X, y).predict_proba(X)
    assert global_state() == before


@pytest.mark.parametrize("failure", FAILURES)
def test_a_fit_that_fails_leaves_global_state_alone(make_classifier, table, clicks, failure):
    parameters, given, error = FAILURES[failure]
    before = global_state()

    with pytest.raises(error):
        make_classifier(n_threads=torch.get_num_threads() + 1, **parameters).fit(
            **({"X": table, "y": clicks[1]} | given)
        )
    assert global_state() == before


FIRST_FITS = """
import os, random, sys, warnings
from pathlib import Path
import joblib, numpy as np, torch
from joblib.parallel import get_active_backend
from skorch.callbacks import Callback
from sklearn_din import DINClassifier, DINRegressor

{global_state}

def interrupt(model, X, y):
    raise KeyboardInterrupt

X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
parameters = dict(max_epochs=2, device="cpu", n_threads=torch.get_num_threads() + 1)
before = global_state()
DINClassifier(**parameters).fit(X, y).predict_proba(X)
DINRegressor(random_state=0, **parameters).fit(X, y).predict(X)
for failing in (dict(learning_rate=1e30), dict(scoring=interrupt), dict(scoring="no such one")):
    try:
        DINClassifier(**parameters | failing).fit(X, y)
    except (ValueError, KeyboardInterrupt) as error:
        print(type(error).__name__)
after = global_state()
print(*[name for name, value in before.items() if after[name] != value])
"""


def test_the_first_fits_of_a_process_leave_global_state_alone():
    script = FIRST_FITS.format(global_state=inspect.getsource(global_state))  # an earlier test may have changed it
    run = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["ValueError", "KeyboardInterrupt", "ValueError", ""]


def test_settings_of_the_user_stay_and_do_not_change_the_model(make_classifier, table, clicks):
    expected = make_classifier().fit(table, clicks[1])
    try:
        torch.use_deterministic_algorithms(True)
        with np.errstate(all="raise"), torch.no_grad():
            before = global_state()
            model = make_classifier().fit(table, clicks[1])
            assert global_state() == before
    finally:
        torch.use_deterministic_algorithms(False)

    assert_same_bits([expected, model])


# Predictions from many threads.


def test_fifty_predictions_in_each_of_eight_threads_are_those_of_one(make_classifier, make_regressor, table, clicks):
    for make, method in ((make_classifier, "predict_proba"), (make_regressor, "predict")):
        predict = getattr(make(n_threads=1).fit(table, clicks[1]), method)
        expected = predict(table)
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _, predict=predict: predict(table), range(8 * 50)))
        assert len(results) == 400
        assert all((result == expected).all() for result in results)


def test_predictions_while_other_estimators_are_fitted_are_those_of_one(make_classifier, table, clicks):
    models = [make_classifier(n_threads=n, random_state=n).fit(table, clicks[1]) for n in (None, 1, 2)]
    expected = [model.predict_proba(table) for model in models]
    threads_before = torch.get_num_threads()

    def work(task):
        if task % 10 == 0:
            return make_classifier(n_threads=1 + task % 3, random_state=1).fit(table, clicks[1]).predict_proba(table)
        return models[task % 3].predict_proba(table)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(200)))
    for task, result in enumerate(results):
        np.testing.assert_allclose(result, expected[1] if task % 10 == 0 else expected[task % 3], rtol=1e-5)
    assert torch.get_num_threads() == threads_before
