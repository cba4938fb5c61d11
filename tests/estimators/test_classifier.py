"""DINClassifier: labels, probabilities, and what it learns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from sklearn_din import DINClassifier


def test_labels_of_any_type_come_back(make_classifier, table, clicks):
    for labels in (["no", "yes"], [-1, 1], [False, True]):
        y = np.array(labels)[clicks[1]]
        model = make_classifier().fit(table, y)

        assert_array_equal(model.classes_, np.unique(labels))
        assert set(model.predict(table)) <= set(labels)


def test_the_second_class_is_the_one_that_is_clicked(make_classifier, table, clicks):
    y = np.array(["click", "none"])[1 - clicks[1]]  # sorted, "none" is the second class
    model = make_classifier(max_epochs=100, learning_rate=0.03, early_stopping=False).fit(table, y)

    assert roc_auc_score(y == "none", model.predict_proba(table)[:, 1]) > 0.8


def test_probabilities_are_those_of_the_decision_function(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1])
    proba = model.predict_proba(table)

    assert_allclose(proba.sum(axis=1), 1)
    assert_allclose(logit(proba[:, 1]), model.decision_function(table), rtol=1e-6)
    assert_array_equal(model.predict(table), model.decision_function(table) > 0)


def test_three_classes_are_told_apart(make_classifier, table):
    category = np.array(["a", "b", "c"])
    codes = table["category"] % 3
    model = make_classifier(max_epochs=60, unknown_rate=0.0, dropout=0.0, early_stopping=False)

    model.fit(table, category[codes])
    assert model.predict_proba(table).shape == (len(table), 3)
    assert model.score(table, category[codes]) > 0.95


def test_the_untrained_output_is_the_share_of_the_classes(make_classifier, table):
    y = (np.arange(len(table)) % 10 == 0).astype(int)
    model = make_classifier(max_epochs=1, learning_rate=1e-12, early_stopping=False).fit(table, y)

    assert_allclose(model.predict_proba(table)[:, 1], 0.1, atol=0.03)


def test_a_label_in_y_val_that_y_does_not_have_raises_with_its_row(make_classifier, table, clicks):
    with pytest.raises(ValueError, match="row 2 has 7"):
        make_classifier().fit(table, clicks[1], X_val=table[:3], y_val=[0, 1, 7])


def test_plain_numbers_are_learnt_from_300_rows():
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split

    X, y = make_classification(300, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = DINClassifier(random_state=0).fit(X_train, y_train)
    assert roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]) > 0.9
