"""sample_weight and class_weight: a weight of 2 is a repeated row, a weight of 0 an absent one."""

import numpy as np
import pytest


@pytest.fixture
def weights(clicks):
    return np.random.default_rng(0).integers(0, 3, len(clicks[1]))


def test_integer_weights_equal_repeated_rows(make_classifier, table, clicks, weights, exact):
    rows = np.repeat(np.arange(len(weights)), weights)

    weighted = make_classifier(**exact).fit(table, clicks[1], sample_weight=weights)
    repeated = make_classifier(**exact).fit(table[rows], clicks[1][rows])
    np.testing.assert_allclose(weighted.predict_proba(table), repeated.predict_proba(table), atol=1e-6)


def test_a_row_of_weight_zero_is_absent_even_from_the_statistics_of_dice(make_classifier, table, clicks, exact):
    is_there = np.random.default_rng(0).random(len(table)) < 0.7
    dice = exact | {"activation": "dice", "attention_activation": "dice", "embedding_regularization": "minibatch_aware"}

    weighted = make_classifier(**dice).fit(table, clicks[1], sample_weight=is_there.astype(float))
    absent = make_classifier(**dice).fit(table[is_there], clicks[1][is_there])
    np.testing.assert_allclose(weighted.predict_proba(table), absent.predict_proba(table), atol=1e-6)


def test_only_the_proportions_of_weights_count(make_classifier, table, clicks, weights):
    small, large = (make_classifier().fit(table, clicks[1], weights * factor) for factor in (0.5, 1000.0))

    np.testing.assert_allclose(small.predict_proba(table), large.predict_proba(table), atol=1e-5)


def test_class_weight_multiplies_sample_weight(make_classifier, table, clicks, weights, exact):
    y = clicks[1]
    of_class = make_classifier(class_weight={0: 1.0, 1: 3.0}, **exact).fit(table, y, weights)

    by_hand = make_classifier(**exact).fit(table, y, weights * np.where(y == 1, 3.0, 1.0))
    np.testing.assert_allclose(of_class.predict_proba(table), by_hand.predict_proba(table), atol=1e-6)


def test_balanced_classes_raise_the_probability_of_the_rare_one(make_classifier, table):
    y = (np.arange(len(table)) % 20 == 0).astype(int)

    plain, balanced = (
        make_classifier(class_weight=w).fit(table, y).predict_proba(table)[:, 1] for w in (None, "balanced")
    )
    assert plain.mean() == pytest.approx(0.05, abs=0.03)
    assert balanced.mean() == pytest.approx(0.5, abs=0.1)


def test_validation_rows_are_weighted(make_classifier, table, clicks):
    y, half = clicks[1], np.arange(len(table)) < 150
    parameters = {"X_val": table, "y_val": y}

    alone = make_classifier().fit(table, y, X_val=table[half], y_val=y[half])
    weighted = make_classifier().fit(table, y, **parameters, sample_weight_val=half.astype(float))
    assert weighted.best_score_ == pytest.approx(alone.best_score_, rel=1e-5)


@pytest.mark.parametrize(
    ("weight", "message"), [(-1.0, "[Nn]egative"), (0.0, "non-zero|every row is 0"), (np.nan, "NaN")]
)
def test_impossible_weights_raise(make_classifier, table, clicks, weight, message):
    with pytest.raises(ValueError, match=message):
        make_classifier().fit(table, clicks[1], np.full(len(table), weight))
