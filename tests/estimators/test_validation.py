"""The score of held-out rows: any scorer, and which weights it gets."""

import numpy as np
import pytest
from sklearn.metrics import make_scorer


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", lambda model, X, y: model.score(X, y)])
def test_scoring_takes_any_scorer(make_classifier, table, clicks, scoring):
    model = make_classifier(scoring=scoring).fit(table, clicks[1])

    assert 0 <= model.best_score_ <= 1
    assert "valid_loss" in model.history_[0]


def test_the_weights_of_the_user_reach_a_scorer_that_takes_weights(make_classifier, table, clicks):
    y = clicks[1]
    seen = []

    def first_weight(y_true, y_pred, sample_weight=None):
        seen.append(None if sample_weight is None else sample_weight[0])
        return 0.0

    def unweighted(y_true, y_pred):
        seen.append("none taken")
        return 0.0

    validation = {"X_val": table, "y_val": y, "sample_weight_val": np.full(len(y), 7.0)}
    for metric in (first_weight, unweighted):
        make_classifier(max_epochs=1, scoring=make_scorer(metric)).fit(table, y, **validation)
    make_classifier(max_epochs=1, scoring=make_scorer(first_weight), class_weight="balanced").fit(table, y)
    assert seen == [7.0, "none taken", None]


def test_classes_weigh_the_same_in_training_and_validation(make_classifier, table):
    y = (np.arange(len(table)) % 6 == 0).astype(int)
    of_training = {0: len(y) / (2 * (y == 0).sum()), 1: len(y) / (2 * y.sum())}
    valid = np.flatnonzero(np.arange(len(table)) % 12 < 7)  # with another share of the classes

    scores = [
        make_classifier(class_weight=w).fit(table, y, X_val=table[valid], y_val=y[valid]).best_score_
        for w in ("balanced", of_training)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
