"""joblib's backends: the same results from each, big arrays as memory maps, and a warning where a fork would hang."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.datasets import make_clicks

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8,),
    "hidden_layer_sizes": (8,),
    "max_epochs": 1,
    "dropout": 0.3,
    "device": "cpu",
    "random_state": 0,
}
FORKS = 'The backend "multiprocessing" of joblib forks the process'


@pytest.fixture(scope="module")
def clicks():
    return make_clicks(200, n_items=30, n_categories=5, max_length=6, random_state=0)


def search(X, y, **parameters):
    """Return the results of a search but for its times."""
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), DINClassifier(**SMALL))
    grid = {"dinclassifier__learning_rate": [1e-3, 1e-2], "dinclassifier__batch_norm": [False, True]}
    found = GridSearchCV(model, grid, scoring="neg_log_loss", cv=2, error_score="raise", **parameters).fit(X, y)
    results = {name: values for name, values in found.cv_results_.items() if not name.endswith("_time")}
    return results | {"proba": found.predict_proba(X)}


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        assert_array_equal(np.asarray(actual[name]), np.asarray(values), err_msg=name)


@pytest.fixture(scope="module")
def serial(clicks):
    return search(*clicks)  # a fit in this process, before any other


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_search_gives_the_same_results_in_every_backend(clicks, serial, backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert_same(search(*clicks), serial)


def test_a_search_on_a_cluster_of_dask_gives_the_same_results(clicks, serial):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        assert_same(search(*clicks), serial)


class Origin(DINClassifier):
    """Remembers whether its table came as a memory map, and whether it could be written."""

    def fit(self, X, y):
        values = X.ragged("hist_item").values
        self.is_mapped_, self.is_writeable_ = is_mapped(values), values.flags.writeable
        return super().fit(X, y)


def is_mapped(values):
    while values is not None and not isinstance(values, np.memmap):
        values = getattr(values, "base", None)
    return values is not None


def fit_on(model, table, y):
    fitted = model.fit(table, y)
    return fitted.is_mapped_, fitted.is_writeable_, fitted.predict_proba(table[:50])


def test_a_table_that_joblib_maps_into_its_workers_gives_the_same(clicks):
    X, y = make_clicks(12_000, n_items=100, n_categories=10, max_length=60, random_state=0)
    table = BehaviorEncoder(BEHAVIORS, max_length=60).fit_transform(X)
    assert table.ragged("hist_item").values.nbytes > 2**20  # joblib's limit
    model = Origin(**SMALL)
    _, _, expected = fit_on(clone(model), table, y)
    before = table.ragged("hist_item").values.copy()

    found = joblib.Parallel(n_jobs=2)(joblib.delayed(fit_on)(clone(model), table, y) for _ in range(2))
    for mapped, writeable, proba in found:
        assert mapped
        assert not writeable
        assert_array_equal(proba, expected)
    assert_array_equal(table.ragged("hist_item").values, before)


def test_a_search_over_a_big_table_in_two_processes_gives_the_serial_results():
    X, y = make_clicks(12_000, n_items=100, n_categories=10, max_length=60, random_state=0)
    table = BehaviorEncoder(BEHAVIORS, max_length=60).fit_transform(X)
    scores = [
        GridSearchCV(DINClassifier(**SMALL), {"learning_rate": [1e-3]}, cv=2, n_jobs=n_jobs, refit=False)
        .fit(table, y)
        .cv_results_["mean_test_score"]
        for n_jobs in (None, 2)
    ]

    assert_array_equal(scores[1], scores[0])


# Forks.


@pytest.mark.parametrize("make", [DINClassifier, DINRegressor])
@pytest.mark.skipif(multiprocessing.get_all_start_methods()[0] != "fork", reason="processes are not forked here")
def test_cloning_for_the_backend_that_forks_warns(make, monkeypatch):
    monkeypatch.delenv("JOBLIB_START_METHOD", raising=False)
    with joblib.parallel_config(backend="multiprocessing"), pytest.warns(UserWarning, match=FORKS):
        clone(make_pipeline(BehaviorEncoder(BEHAVIORS), make()))


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_no_other_backend_warns(clicks, backend):
    table = BehaviorEncoder(BEHAVIORS).fit_transform(clicks[0])
    with warnings.catch_warnings(), joblib.parallel_config(backend=backend):
        warnings.simplefilter("error")
        clone(DINClassifier())
        pickle.loads(pickle.dumps(DINClassifier(**SMALL).fit(table, clicks[1]))).predict(table)


def test_the_backend_that_forks_does_not_warn_where_it_does_not_fork(monkeypatch):
    with warnings.catch_warnings(), joblib.parallel_config(backend="multiprocessing", n_jobs=1):
        warnings.simplefilter("error")
        clone(DINClassifier())
    monkeypatch.setenv("JOBLIB_START_METHOD", "spawn")
    with warnings.catch_warnings(), joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        warnings.simplefilter("error")
        clone(DINClassifier())


def test_without_a_backend_set_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(DINRegressor())


SEARCHES = """
import sys, warnings
import joblib, numpy as np, torch
from sklearn.model_selection import cross_val_score
from sklearn_din import DINClassifier

n_threads, *backends = sys.argv[1:]
torch.set_num_threads(int(n_threads))
X, y = np.random.default_rng(0).normal(size=(4000, 20)), np.arange(4000) % 2
model = DINClassifier(max_epochs=1, device="cpu", random_state=0).fit(X, y)
for backend in backends:
    with warnings.catch_warnings(record=True) as warned, joblib.parallel_config(backend=backend):
        warnings.simplefilter("default")
        scores = cross_val_score(model, X, y, cv=2, n_jobs=2, error_score="raise")
    print(backend, len(scores), sum("forks the process" in str(each.message) for each in warned), flush=True)
"""


def lines_of_searches(n_threads, *backends):
    """Search in a process of its own, after a fit on some threads; it is killed if it hangs."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", SEARCHES, str(n_threads), *backends]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_searches_end_without_a_warning_after_a_fit_on_two_threads_in_the_parent():
    assert lines_of_searches(2, "threading", "loky") == ["threading 2 0", "loky 2 0"]


def test_a_search_in_forked_processes_warns_once_in_the_parent():
    assert lines_of_searches(1, "multiprocessing") == ["multiprocessing 2 1"]  # on two threads it would hang


def test_scores_do_not_depend_on_the_backend(clicks, serial):
    X, y = clicks
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), DINRegressor(**SMALL))
    scores = []
    for backend in ("sequential", "threading", "loky"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            scores.append(cross_val_score(model, X, y.astype(float), cv=2))

    assert_array_equal(scores[1], scores[0])
    assert_array_equal(scores[2], scores[0])
