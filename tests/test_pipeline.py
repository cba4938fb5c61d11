"""The pipeline on frames with list columns; `tests/scikit_learn` is about scikit-learn's tools around it."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks
from sklearn_din.inspection import attention_weights

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


def test_every_kind_of_frame_gives_the_same_probabilities_and_attention(model, clicks):
    X, y = clicks
    data = {name: X[name].tolist() for name in X}
    data |= {name: [history.tolist() for history in X[name]] for name in BEHAVIORS}
    arrow = pa.table(data)
    arrow_backed = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    frames = [X, arrow_backed, pl.DataFrame(data), arrow, data]
    fitted = clone(model).fit(X, y)
    expected, weights = fitted.predict_proba(X), attention_weights(fitted, X)

    for frame in frames:
        fitted = clone(model).fit(frame, y)
        assert_array_equal(fitted.predict_proba(frame), expected)
        assert_array_equal(attention_weights(fitted, frame)["weight"], weights["weight"])


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
