"""Searches, splitters and caches fit the pipeline on the rows, and as often, as they say."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import (
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.utils import resample, shuffle

from sklearn_din import BehaviorEncoder


@pytest.fixture
def encoded(monkeypatch):
    """The number of rows of each fit of an encoder in a pipeline."""
    counts = []
    original = BehaviorEncoder.fit_transform

    def counting(self, X, y=None):
        counts.append(len(X))
        return original(self, X, y)

    monkeypatch.setattr(BehaviorEncoder, "fit_transform", counting)
    return counts


def test_memory_encodes_the_same_rows_once(model, clicks, tmp_path, encoded):
    expected = clone(model).fit(*clicks).predict_proba(clicks[0])
    encoded.clear()
    model.set_params(memory=str(tmp_path))

    for learning_rate in (6e-3, 1e-3, 6e-3):
        model.set_params(din__learning_rate=learning_rate).fit(*clicks)
    assert encoded == [200]
    assert_array_equal(model.predict_proba(clicks[0]), expected)
    model.set_params(encode__max_length=2).fit(*clicks)
    assert encoded == [200, 200]


def test_memory_encodes_each_fold_of_a_search_once(model, clicks, tmp_path, encoded):
    model.set_params(memory=str(tmp_path))
    GridSearchCV(model, {"din__pooling": ["attention", "mean", "sum"]}, cv=2).fit(*clicks)

    assert sorted(encoded) == [100, 100, 200]


def test_a_random_search_scores_and_refits_what_it_drew(model, clicks):
    X, y = clicks
    search = RandomizedSearchCV(
        model, {"din__learning_rate": loguniform(1e-3, 1e-1)}, n_iter=3, cv=2, scoring="neg_log_loss", random_state=0
    ).fit(X, y)

    best = clone(model).set_params(**search.best_params_)
    by_hand = cross_val_score(best, X, y, cv=2, scoring="neg_log_loss")
    assert search.best_score_ == by_hand.mean() == search.cv_results_["mean_test_score"].max()
    assert_array_equal(search.predict_proba(X), best.fit(X, y).predict_proba(X))


def test_halving_gives_more_epochs_to_the_better_half(model, clicks):
    search = HalvingGridSearchCV(
        model,
        {"din__learning_rate": [1e-4, 1e-3, 1e-2, 3e-2]},
        resource="din__max_epochs",
        min_resources=1,
        max_resources=4,
        factor=2,
        cv=2,
        scoring="neg_log_loss",
    ).fit(*clicks)

    assert search.n_resources_ == [1, 2, 4]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_estimator_["din"].max_epochs == 4


def test_halving_gives_more_rows_to_the_better_half(model, clicks):
    search = HalvingRandomSearchCV(
        model, {"din__dropout": [0.0, 0.1, 0.2]}, min_resources=80, n_candidates=2, factor=2, cv=2, random_state=0
    ).fit(*clicks)

    assert search.n_resources_ == [80, 160]
    assert len(search.best_estimator_.predict(clicks[0])) == 200


@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")
def test_optuna_searches_both_steps(model, clicks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Optuna's own modules use what it deprecates
        integration = pytest.importorskip("optuna_integration.sklearn")
        from optuna.distributions import FloatDistribution, IntDistribution

        search = integration.OptunaSearchCV(
            model,
            {
                "din__learning_rate": FloatDistribution(1e-3, 1e-1, log=True),
                "encode__max_length": IntDistribution(2, 6),
            },
            n_trials=3,
            cv=2,
            scoring="neg_log_loss",
            random_state=0,
        ).fit(*clicks)

    best = clone(model).set_params(**search.best_params_)
    assert search.best_score_ == pytest.approx(cross_val_score(best, *clicks, cv=2, scoring="neg_log_loss").mean())
    assert_array_equal(search.predict_proba(clicks[0]), best.fit(*clicks).predict_proba(clicks[0]))


def test_cross_validate_returns_the_models_and_rows_of_its_scores(model, clicks, fit_on):
    X, y = clicks
    result = cross_validate(model, X, y, cv=3, scoring="roc_auc", return_estimator=True, return_indices=True)

    for fold in range(3):
        train, test = (result["indices"][part][fold] for part in ("train", "test"))
        assert len(np.intersect1d(train, test)) == 0
        expected = fit_on(model, X, y, train).predict_proba(X.iloc[test])[:, 1]
        assert_array_equal(result["estimator"][fold].predict_proba(X.iloc[test])[:, 1], expected)
        assert result["test_score"][fold] == roc_auc_score(y[test], expected)


@pytest.mark.parametrize(
    "splitter",
    [
        KFold(3, shuffle=True, random_state=0),
        StratifiedKFold(3),
        GroupKFold(3),
        StratifiedGroupKFold(3),
        TimeSeriesSplit(3),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_cross_val_score_is_the_score_on_the_rows_that_the_splitter_held_out(model, clicks, splitter, fit_on):
    X, y = clicks
    groups = np.arange(200) % 13
    users = groups if isinstance(splitter, GroupKFold | StratifiedGroupKFold) else None
    scores = cross_val_score(model, X, y, groups=users, cv=splitter, scoring="neg_log_loss")

    for score, (train, test) in zip(scores, splitter.split(X, y, users), strict=True):
        proba = fit_on(model, X, y, train).predict_proba(X.iloc[test])[:, 1]
        y_test = y[test]
        assert score == pytest.approx(np.log(np.where(y_test == 1, proba, 1 - proba)).mean(), rel=1e-5)


def test_cross_val_predict_keeps_the_rows(model, clicks, fit_on):
    X, y = clicks
    folds = KFold(3, shuffle=True, random_state=0)
    proba = cross_val_predict(model, X, y, cv=folds, method="predict_proba")

    for train, test in folds.split(X):
        assert_array_equal(proba[test], fit_on(model, X, y, train).predict_proba(X.iloc[test]))


@pytest.mark.parametrize("form", ["frame", "table"])
def test_frames_and_tables_are_split_and_drawn_by_rows(table, clicks, form):
    X = clicks[0] if form == "frame" else table
    numbers = np.arange(200)

    def is_rows(part, numbers):
        pairs = ((part[name], np.asarray(X[name], dtype=object)[numbers]) for name in ("item", "hist_item"))
        return all(np.array_equal(a, b) for found, right in pairs for a, b in zip(found, right, strict=True))

    train, test, train_numbers, test_numbers = train_test_split(X, numbers, random_state=0)
    assert sorted([*train_numbers, *test_numbers]) == list(numbers)
    assert is_rows(train, train_numbers)
    assert is_rows(test, test_numbers)
    for draw in (shuffle, resample):
        drawn, drawn_numbers = draw(X, numbers, random_state=0)
        assert is_rows(drawn, drawn_numbers)
        assert not np.array_equal(drawn_numbers, numbers)


def test_grid_search_over_both_steps_in_two_processes(model, clicks):
    grid = {"encode__max_length": [2, 6], "din__learning_rate": [1e-3, 1e-2]}
    parallel = GridSearchCV(model, grid, scoring="roc_auc", cv=2, n_jobs=2).fit(*clicks)
    serial = GridSearchCV(model, grid, scoring="roc_auc", cv=2).fit(*clicks)

    assert_array_equal(parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])
    assert parallel.best_estimator_.predict(clicks[0]).shape == (200,)


THREADS_OF_A_SEARCH = """
from sklearn.model_selection import cross_val_score
from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

def threads_in_training(model, X, y):
    import torch

    return float(torch.get_num_threads())

def best_score(model, X, y):
    return model.best_score_

X, y = make_clicks(60, n_items=10, n_categories=5, random_state=0)
table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)
model = DINClassifier(max_epochs=1, device="cpu", scoring=threads_in_training)
print(*cross_val_score(model, table, y, scoring=best_score, cv=2, n_jobs=2, error_score="raise"))
"""


def test_two_processes_share_the_processors():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", THREADS_OF_A_SEARCH]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    used = [float(n_threads) for n_threads in run.stdout.split()]
    assert len(used) == 2
    assert max(used) <= max(os.cpu_count() // 2, 1)


def test_grid_search_over_one_encoding(model, table, clicks):
    y = clicks[1]
    search = GridSearchCV(model.named_steps["din"], {"pooling": ["attention", "mean"]}, cv=3).fit(table, y)

    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
