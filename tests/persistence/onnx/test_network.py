"""A graph computes what torch does, for every option of the network and every kind of column."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_din import DINRegressor
from sklearn_din.estimators._network import ARCHITECTURE

WIDTHS = {"city": 4, "is_new": 1, "item": 3, "shop": 2, "tags": 5, "click_action": 1, "seen": 2}
OPTIONS = [
    *(("attention_activation", name) for name in ("dice", "prelu", "relu", "sigmoid", "tanh")),
    *(("activation", name) for name in ("dice", "prelu", "relu", "sigmoid", "tanh")),
    *(("attention_normalization", name) for name in ("softmax", "sigmoid", None)),
    *(("attention_interaction", name) for name in ("difference_product", "outer", "concatenation")),
    *(("pooling", name) for name in ("attention", "mean", "sum")),
    *(("interest_product", value) for value in (True, False)),
    *(("batch_norm", value) for value in (True, False)),
    *(("recency_embedding", value) for value in (True, False)),
    *(("match_counts", value) for value in (True, False)),
    *(("candidate_bias", value) for value in (True, False)),
    *(("embedding_dim", value) for value in (1, WIDTHS)),
    *(("attention_hidden_layer_sizes", sizes) for sizes in ((), (5,))),
    *(("hidden_layer_sizes", sizes) for sizes in ((), (6,))),
]
OF_TRAINING = {"dropout", "attention_dropout", "behavior_dropout", "embedding_init_std"}


def assert_equals_torch(exported, X):
    expected = exported.model.predict_proba(X)

    found = exported.run(X)

    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.ptp(expected, axis=0).min() > 1e-3  # the rows differ, by a thousand tolerances


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_each_option_of_the_network_is_that_of_torch(make_exported, new_rows, option, value):
    assert_equals_torch(make_exported(**{option: value}), new_rows)


def test_every_option_of_the_network_is_tried_here():
    assert {option for option, _ in OPTIONS} | OF_TRAINING == set(ARCHITECTURE)


@pytest.mark.parametrize("candidate_bias", [False, True])
@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_three_classes_are_a_softmax(make_exported, rows, new_rows, pooling, candidate_bias):
    y = [3, 20, 100] * 20
    exported = make_exported(y=y, pooling=pooling, candidate_bias=candidate_bias)

    assert exported.run(new_rows).shape == (len(new_rows["item"]), 3)
    assert_equals_torch(exported, new_rows)


@pytest.mark.parametrize("candidate_bias", [False, True])
def test_a_regressor_predicts_in_the_units_of_its_target(make_exported, rows, new_rows, candidate_bias):
    y = 1e6 + 500 * np.random.default_rng(0).normal(size=len(rows["item"]))
    exported = make_exported(DINRegressor, y=y, candidate_bias=candidate_bias)
    expected = exported.model.predict(new_rows)

    found = exported.run(new_rows)

    assert found.shape == expected.shape
    assert found.dtype == np.float64
    assert_allclose(found, expected, rtol=0, atol=1e-6 * 500 * 10)  # a millionth of what the network gives, at most 10
    assert np.ptp(expected) > 10


@pytest.mark.parametrize("interaction", ["difference_product", "outer", "concatenation"])
@pytest.mark.parametrize(
    ("sequences", "columns"),
    [
        ([{"click_item": "item"}], ["item", "click_item"]),  # a behavior is as wide as a candidate
        ([{"seen": None}], ["seen", "city"]),
        ([{"click_price": None}], ["click_price"]),
        ([{"click_price": None, "click_item": "item"}], ["item", "click_item", "click_price"]),
        ([{"click_item": "item"}, {"bought_item": "item"}], ["item", "click_item", "bought_item"]),
    ],
)
def test_each_kind_of_sequence_is_that_of_torch(make_exported, new_rows, sequences, columns, interaction):
    exported = make_exported(
        sequences=sequences, only=columns, attention_interaction=interaction, recency_embedding=False
    )

    assert_equals_torch(exported, {name: new_rows[name] for name in columns})


@pytest.mark.parametrize("columns", [["age"], ["age", "income"], ["city"], ["tags"], ["city", "tags", "age", "is_new"]])
def test_the_base_model_without_behaviors_is_that_of_torch(make_exported, new_rows, columns):
    exported = make_exported(sequences=None, only=columns)

    assert_equals_torch(exported, {name: new_rows[name] for name in columns})


def test_large_scores_do_not_overflow_the_softmax(make_exported, new_rows):
    def enlarge_scores(module):
        for pooling in module.poolings:
            pooling.unit.mlp.output.weight.data *= 1000

    assert_equals_torch(make_exported(change=enlarge_scores, attention_hidden_layer_sizes=()), new_rows)
