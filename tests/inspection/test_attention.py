"""Attention weights as frames with raw values."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.inspection import attention_weights

DATA = {
    "item": ["tea", "milk", "rice", "tea"],
    "hist_item": [["milk", "rice", "tea"], [], ["milk", "new"], ["rice"]],
    "hist_price": [[1.0, 2.5, 3.0], [], [1.5, 9.0], [2.0]],
    "seen": [[1, 2], [3], [], [2, 2]],
}
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table, "dict": dict}
ONE = {"hist_item": "item", "hist_price": None}


def make_model(behaviors=ONE, **parameters):
    network = DINClassifier(
        attention_hidden_layer_sizes=(4,), hidden_layer_sizes=(4,), max_epochs=1, random_state=0, **parameters
    )
    return make_pipeline(BehaviorEncoder(behaviors, max_length=2), network)


@pytest.mark.parametrize("kind", FRAMES)
def test_each_kept_behavior_has_a_line_with_its_raw_values(kind):
    X = FRAMES[kind](DATA)
    weights = attention_weights(make_model().fit(X, [0, 1, 0, 1]), X)

    assert type(weights) is type(X)
    columns = {name: np.asarray(weights[name]).tolist() for name in ("row", *ONE)}
    assert columns == {
        "row": [0, 0, 2, 2, 3],
        "hist_item": ["rice", "tea", "milk", "new", "rice"],
        "hist_price": [2.5, 3.0, 1.5, 9.0, 2.0],
    }


def test_softmax_weights_of_a_history_sum_to_one():
    X = pd.DataFrame(DATA)
    weights = attention_weights(make_model().fit(X, [0, 1, 0, 1]), X)

    assert_allclose(weights.groupby("row")["weight"].sum(), 1, rtol=1e-6)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [0.5, 0.5, 0.5, 0.5, 1.0]), ("sum", [1.0] * 5)])
def test_weights_of_the_base_models_are_those_of_their_pooling(pooling, expected):
    X = pd.DataFrame(DATA)
    weights = attention_weights(make_model(pooling=pooling).fit(X, [0, 1, 0, 1]), X)

    assert_allclose(weights["weight"], expected)


def test_weights_are_those_with_which_the_network_predicts():
    X = pd.DataFrame(DATA)
    model = make_model(recency_embedding=False).fit(X, [0, 1, 0, 1])
    encoder, network = model[0], model[-1]
    unit = network.module_.poolings[0].unit
    weights = attention_weights(model, X)["weight"].to_numpy()

    table = encoder.transform(X)
    vectors = network.module_.embedding.weight("item").detach().numpy()
    with torch.no_grad():
        prices = network.module_.embedding.numbers[0](torch.from_numpy(table["hist_price"][0].copy())).numpy()
        behaviors = np.column_stack([vectors[table["hist_item"][0]], prices])
        scores = unit(torch.from_numpy(vectors[table["item"][:1]]), torch.from_numpy(behaviors), torch.tensor([0, 2]))
    expected = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum()
    assert_allclose(weights[:2], expected, rtol=1e-4)


def test_several_sequences_give_a_frame_each():
    X = pd.DataFrame(DATA).drop(columns="hist_price")
    model = make_model([{"hist_item": "item"}, {"seen": None}]).fit(X, [0, 1, 0, 1])
    frames = attention_weights(model, X)

    assert list(frames) == ["hist_item", "seen"]
    assert frames["seen"]["seen"].tolist() == [1, 2, 3, 2, 2]


def test_an_estimator_alone_shows_ids():
    X = pd.DataFrame(DATA)
    model = make_model().fit(X, [0, 1, 0, 1])
    table = model[0].transform(X)
    weights = attention_weights(model[-1], table)

    assert weights["hist_item"].tolist() == table.ragged("hist_item").values.tolist()
    assert_allclose(weights["weight"], attention_weights(model, X)["weight"])


def test_mixed_values_and_missing_ones_are_shown_as_they_are():
    X = pd.DataFrame({"item": ["a", 1], "hist_item": [["a", 1, None], [1]]})
    model = make_pipeline(BehaviorEncoder({"hist_item": "item"}), DINClassifier(max_epochs=1)).fit(X, [0, 1])

    assert attention_weights(model, X)["hist_item"].tolist() == ["a", 1, None, 1]


def test_all_histories_empty_give_no_line():
    X = pd.DataFrame(DATA)
    model = make_model().fit(X, [0, 1, 0, 1])

    assert len(attention_weights(model, X[1:2])) == 0


def test_what_cannot_be_inspected_raises():
    X = pd.DataFrame(DATA)
    with pytest.raises(NotFittedError):
        attention_weights(make_model(), X)
    model = make_model().fit(X, [0, 1, 0, 1])
    with pytest.raises(TypeError, match="DINClassifier alone takes an EncodedTable: got DataFrame"):
        attention_weights(model[-1], X)
    with pytest.raises(TypeError, match="must begin with a BehaviorEncoder; it begins with FunctionTransformer"):
        attention_weights(make_pipeline(FunctionTransformer(), model[-1]), X)
    with pytest.raises(ValueError, match="no behavior sequence"):
        attention_weights(make_model(None).fit(X[["item"]], [0, 1, 0, 1]), X[["item"]])
    other = make_model().fit(X[:3], [0, 1, 0])
    with pytest.raises(ValueError, match="not encoded by the encoder"):
        attention_weights(other[-1], model[0].transform(X))


@pytest.mark.parametrize("name", ["row", "weight"])
def test_a_column_with_a_name_of_the_result_raises(name):
    X = pd.DataFrame({"item": ["a", "b"], "hist_item": [["a"], ["b"]], name: [[5.0], [6.0]]})
    model = make_model({"hist_item": "item", name: None}).fit(X, [0, 1])

    with pytest.raises(ValueError, match=f"column '{name}' of its own"):
        attention_weights(model, X)
