"""The pipeline on frames with list columns, in scikit-learn's own tools."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks
from sklearn_din.metrics import gauc_score, make_gauc_scorer

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}


@pytest.fixture(scope="module")
def clicks():
    return make_clicks(200, n_items=30, n_categories=5, max_length=6, random_state=0)


@pytest.fixture
def model():
    network = DINClassifier(
        embedding_dim=4,
        attention_hidden_layer_sizes=(8,),
        hidden_layer_sizes=(8,),
        max_epochs=2,
        batch_size=64,
        device="cpu",
        random_state=0,
    )
    return Pipeline([("encode", BehaviorEncoder(BEHAVIORS)), ("din", network)])


def test_fit_and_predict_on_a_frame(model, clicks):
    proba = model.fit(*clicks).predict_proba(clicks[0])

    assert proba.shape == (200, 2)
    assert np.isfinite(proba).all()


def test_every_kind_of_frame_gives_the_same_probabilities(model, clicks):
    X, y = clicks
    data = {name: X[name].tolist() for name in X}
    data |= {name: [history.tolist() for history in X[name]] for name in BEHAVIORS}
    arrow = pa.table(data)
    arrow_backed = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    frames = [X, arrow_backed, pl.DataFrame(data), arrow, data]
    expected = clone(model).fit(X, y).predict_proba(X)

    for frame in frames:
        assert_array_equal(clone(model).fit(frame, y).predict_proba(frame), expected)


def test_fit_on_one_kind_of_frame_and_predict_on_another(model, clicks):
    X, y = clicks
    other = pl.DataFrame({name: X[name].tolist() for name in X})

    assert_array_equal(model.fit(X, y).predict_proba(other), model.predict_proba(X))


def test_the_frame_is_left_as_it_was(model, clicks):
    X, y = clicks
    before = pickle.dumps(X)
    model.fit(X, y).predict(X)

    assert pickle.dumps(X) == before


def test_clone_has_the_parameters_and_no_fit(model, clicks):
    copy = clone(model.fit(*clicks))

    assert copy.get_params()["din__embedding_dim"] == 4
    with pytest.raises(NotFittedError):
        copy.predict(clicks[0])


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


def test_grid_search_over_one_encoding(model, clicks):
    X, y = clicks
    table = BehaviorEncoder(BEHAVIORS).fit_transform(X)
    search = GridSearchCV(model.named_steps["din"], {"pooling": ["attention", "mean"]}, cv=3).fit(table, y)

    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_cross_validate_with_groups(model, clicks):
    groups = np.arange(200) // 10
    scores = cross_validate(model, *clicks, groups=groups, cv=GroupKFold(4), scoring=["roc_auc", "neg_log_loss"])

    assert np.isfinite(scores["test_roc_auc"]).all()
    assert len(scores["test_neg_log_loss"]) == 4


def test_cross_val_predict_keeps_the_rows(model, clicks):
    X, y = clicks
    folds = KFold(3, shuffle=True, random_state=0)
    proba = cross_val_predict(model, X, y, cv=folds, method="predict_proba")

    for train, test in folds.split(X):
        fitted = clone(model).fit(X.iloc[train], y.iloc[train] if hasattr(y, "iloc") else y[train])
        assert_allclose(proba[test], fitted.predict_proba(X.iloc[test]), rtol=1e-6)


def test_time_series_split(model, clicks):
    assert len(cross_val_score(model, *clicks, cv=TimeSeriesSplit(3), scoring="neg_log_loss")) == 3


def test_calibration_and_stacking_take_the_pipeline(model, clicks):
    for meta in (CalibratedClassifierCV(model, cv=2), StackingClassifier([("din", model)], LogisticRegression(), cv=2)):
        assert meta.fit(*clicks).predict_proba(clicks[0]).shape == (200, 2)


def test_thresholds_frozen_estimators_and_memory_take_the_pipeline(model, clicks, tmp_path):
    X, y = clicks
    expected = clone(model).fit(X, y).predict_proba(X)

    assert TunedThresholdClassifierCV(model, cv=2).fit(X, y).predict(X).shape == (200,)
    assert_array_equal(FrozenEstimator(clone(model).fit(X, y)).predict_proba(X), expected)
    remembered = clone(model).set_params(memory=str(tmp_path))
    for _ in range(2):
        assert_array_equal(remembered.fit(X, y).predict_proba(X), expected)


def test_halving_over_epochs(model, clicks):
    search = HalvingGridSearchCV(
        model, {"din__learning_rate": [1e-3, 1e-2]}, resource="din__max_epochs", max_resources=4, factor=2, cv=2
    ).fit(*clicks)

    assert search.best_estimator_["din"].max_epochs == 4


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_the_global_output_of_transformers_changes_nothing(model, clicks, output):
    expected = clone(model).fit(*clicks).predict_proba(clicks[0])
    with config_context(transform_output=output):
        assert_array_equal(clone(model).fit(*clicks).predict_proba(clicks[0]), expected)


def test_gauc_scorer_reads_the_user_that_the_encoder_ignores(model, clicks):
    X, y = clicks
    X = X.assign(user=np.arange(200) // 8)
    model.set_params(
        encode__categorical_features=["item", "category"],
        encode__numeric_features=[],
        encode__bag_features=[],
        din__match_counts=False,  # which would rank without a mistake
    )
    scores = cross_val_score(model, X, y, cv=2, scoring=make_gauc_scorer("user"))

    assert ((scores > 0) & (scores < 1)).all()
    fitted = model.fit(X, y)
    assert make_gauc_scorer("user")(fitted, X, y) == gauc_score(y, fitted.predict_proba(X)[:, 1], groups=X["user"])


def test_validation_rows_pass_through_the_encoder(model, clicks):
    X, y = clicks
    with config_context(enable_metadata_routing=True):
        model.set_params(transform_input=["X_val"])
        model.named_steps["din"].set_fit_request(X_val=True, y_val=True)
        model.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])

    assert len(model.named_steps["din"].history_) <= 2
    assert "valid_loss" in model.named_steps["din"].history_[0]


def test_sample_weight_passes_through(model, clicks):
    X, y = clicks
    weighted = clone(model).fit(X, y, din__sample_weight=np.where(y == 1, 10.0, 1.0))

    assert weighted.predict_proba(X)[:, 1].mean() > model.fit(X, y).predict_proba(X)[:, 1].mean() + 0.2


def test_a_pickle_predicts_the_same(model, clicks):
    copy = pickle.loads(pickle.dumps(model.fit(*clicks)))

    assert_array_equal(copy.predict_proba(clicks[0]), model.predict_proba(clicks[0]))


def test_two_unseen_items_are_the_same_to_the_model(model, clicks):
    model.fit(*clicks)
    X = clicks[0][:1]
    first, second = (model.predict_proba(X.assign(item=[item])) for item in (10**6, 10**7))

    assert_array_equal(first, second)


def test_a_longer_history_than_max_length_keeps_the_newest(model, clicks):
    model.set_params(encode__max_length=3).fit(*clicks)
    X = clicks[0][:1]
    long = X.assign(hist_item=[[9, 9, 1, 2, 3]], hist_category=[[4, 4, 0, 1, 2]])
    short = X.assign(hist_item=[[1, 2, 3]], hist_category=[[0, 1, 2]])

    assert_array_equal(model.predict_proba(long), model.predict_proba(short))


def test_a_row_does_not_depend_on_the_rows_beside_it(model, clicks):
    X, y = clicks
    model.fit(X, y)
    together = model.predict_proba(X)

    assert_allclose(np.vstack([model.predict_proba(X[i : i + 1]) for i in range(20)]), together[:20], rtol=1e-5)


@pytest.mark.parametrize(
    "n_samples", [10_000, pytest.param(100_000, marks=pytest.mark.slow)], ids=lambda n_samples: f"{n_samples} rows"
)
def test_attention_learns_what_a_mean_does_not_tell(n_samples):
    X, y = make_clicks(n_samples, random_state=0)
    cut = n_samples * 4 // 5
    scores = {}
    for pooling in ("attention", "mean"):
        network = DINClassifier(pooling=pooling, match_counts=False, random_state=0)  # the counts are the answer
        model = Pipeline([("encode", BehaviorEncoder(BEHAVIORS)), ("din", network)]).fit(X[:cut], y[:cut])
        scores[pooling] = roc_auc_score(y[cut:], model.predict_proba(X[cut:])[:, 1])

    assert scores["attention"] > 0.97
    assert scores["mean"] < scores["attention"] - 0.05
