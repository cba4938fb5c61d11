"""Metadata routing: weights, users and validation rows on their way through the pipeline."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import (
    log_loss,
    make_scorer,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_score,
)

from sklearn_din import DINClassifier
from sklearn_din.metrics import gauc_score, make_gauc_scorer

RECEIVED = []


class Recorder(DINClassifier):
    """Write down the weights that reach the estimator."""

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        RECEIVED.append(sample_weight)
        return super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)


def test_routed_weights_reach_the_estimator_and_the_scorer_in_each_fold(make_model, clicks):
    X, y = clicks
    weight = np.arange(1.0, 201)
    scored = []

    def recording_loss(y_true, y_proba, *, sample_weight):
        scored.append(sample_weight)
        return -log_loss(y_true, y_proba, sample_weight=sample_weight)

    RECEIVED.clear()
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(recording_loss, response_method="predict_proba").set_score_request(sample_weight=True)
        model = make_model(Recorder)
        model["din"].set_fit_request(sample_weight=True)
        search = GridSearchCV(model, {"encode__max_length": [6]}, scoring=scorer, cv=KFold(3), error_score="raise")
        search.fit(X, y, sample_weight=weight)

    folds = list(KFold(3).split(X))
    expected = [weight[train] for train, _ in folds] + [weight]  # the last one is the refit
    assert len(RECEIVED) == 4
    for received, given in zip(RECEIVED, expected, strict=True):
        assert_array_equal(received, given)
    for received, (_, test) in zip(scored, folds, strict=True):
        assert_array_equal(received, weight[test])


def gauc_by_hand(y, score, groups):
    """Return the mean over users of the share of pairs in the right order, weighted by rows."""
    total, n_rows = 0.0, 0
    for user in np.unique(groups):
        rows = groups == user
        clicked, passed = score[rows & (y == 1)], score[rows & (y == 0)]
        if len(clicked) and len(passed):
            right = (clicked[:, None] > passed).mean() + (clicked[:, None] == passed).mean() / 2
            total, n_rows = total + rows.sum() * right, n_rows + rows.sum()
    return total / n_rows


def test_routed_groups_split_the_rows_and_group_the_score(model, clicks, fit_on):
    X, y = clicks
    groups = np.arange(200) % 17
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(gauc_score, response_method="predict_proba").set_score_request(groups=True)
        search = GridSearchCV(
            model, {"encode__max_length": [3]}, scoring=scorer, cv=GroupKFold(3), error_score="raise"
        ).fit(X, y, groups=groups)

    model.set_params(encode__max_length=3)
    for fold, (train, test) in enumerate(GroupKFold(3).split(X, y, groups)):
        score = fit_on(model, X, y, train).predict_proba(X.iloc[test])[:, 1]
        found = search.cv_results_[f"split{fold}_test_score"][0]
        assert found == pytest.approx(gauc_by_hand(y[test], score, groups[test]))


def test_validation_rows_are_encoded_by_the_pipeline_with_their_weights(make_model, clicks):
    X, y = clicks
    weight = np.linspace(0.1, 3, 60)
    model = make_model(max_epochs=6, n_iter_no_change=1)
    encoder = clone(model["encode"]).fit(X[:140])
    X_val = encoder.transform(X[140:])
    by_hand = clone(model["din"]).fit(
        encoder.transform(X[:140]), y[:140], X_val=X_val, y_val=y[140:], sample_weight_val=weight
    )
    with config_context(enable_metadata_routing=True):
        model.set_params(transform_input=["X_val"])
        model["din"].set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
        model.fit(X[:140], y[:140], X_val=X[140:], y_val=y[140:], sample_weight_val=weight)

    assert model["din"].history_[0]["valid_loss"] == by_hand.history_[0]["valid_loss"]
    assert_array_equal(model.predict_proba(X), by_hand.predict_proba(encoder.transform(X)))


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


def test_sample_weight_passes_through(model, clicks):
    X, y = clicks
    weighted = clone(model).fit(X, y, din__sample_weight=np.where(y == 1, 10.0, 1.0))

    assert weighted.predict_proba(X)[:, 1].mean() > model.fit(X, y).predict_proba(X)[:, 1].mean() + 0.2
