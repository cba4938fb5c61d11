"""Three classes: probabilities, labels and weights."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

COLORS = np.array(["blue", "green", "red"])


def test_probabilities_of_three_classes_sum_to_one_and_give_the_labels(make_classifier, table):
    y = COLORS[table["category"] % 3]
    model = make_classifier(max_epochs=20).fit(table, y)
    proba = model.predict_proba(table)
    logits = model.decision_function(table)

    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert proba.shape == logits.shape == (len(table), 3)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(proba, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rtol=1e-10)
    assert_array_equal(model.predict(table), COLORS[proba.argmax(axis=1)])


def test_the_order_of_labels_does_not_depend_on_the_rows(make_classifier, table):
    codes = table["category"] % 3
    parameters = {"max_epochs": 5, "early_stopping": False}

    strings = make_classifier(**parameters).fit(table, COLORS[codes]).predict_proba(table)
    for labels in ([10, 20, 30], [-1.0, 0.0, 1.0], ["blue", "red", "yellow"]):
        assert_array_equal(
            make_classifier(**parameters).fit(table, np.array(labels)[codes]).predict_proba(table), strings
        )


def test_in_three_classes_weight_two_is_a_repeated_row_and_weight_zero_an_absent_one(make_classifier, table, exact):
    y = COLORS[table["category"] % 3]
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weights)

    weighted = make_classifier(**exact).fit(table, y, sample_weight=weights).predict_proba(table)
    assert_allclose(weighted, make_classifier(**exact).fit(table[rows], y[rows]).predict_proba(table), atol=1e-6)
    assert np.abs(weighted - make_classifier(**exact).fit(table, y).predict_proba(table)).max() > 1e-3


def test_in_three_classes_the_weight_of_a_class_is_that_of_its_rows(make_classifier, table, exact):
    y = COLORS[np.array([0, 0, 0, 1, 1, 2])[np.arange(len(table)) % 6]]
    of_class = {"blue": 1.0, "green": 3.0, "red": 0.5}
    of_row = np.select([y == name for name in of_class], list(of_class.values()))

    by_class = make_classifier(class_weight=of_class, **exact).fit(table, y).predict_proba(table)
    by_row = make_classifier(**exact).fit(table, y, sample_weight=of_row).predict_proba(table)
    assert_allclose(by_class, by_row, atol=1e-6)
    assert np.abs(by_class - make_classifier(**exact).fit(table, y).predict_proba(table)).max() > 0.1


def test_balanced_classes_are_equally_probable_where_nothing_tells_them_apart(make_classifier, exact):
    X, y = np.zeros((120, 1)), COLORS[np.repeat([0, 1, 2], [80, 30, 10])]
    plain, balanced = (
        make_classifier(class_weight=weight, **exact).fit(X, y).predict_proba(X[:1])[0] for weight in (None, "balanced")
    )

    assert_allclose(plain, [80 / 120, 30 / 120, 10 / 120], atol=0.05)
    assert_allclose(balanced, [1 / 3, 1 / 3, 1 / 3], atol=0.05)
