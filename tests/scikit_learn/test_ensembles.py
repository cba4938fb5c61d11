"""Calibration, thresholds and ensembles of pipelines do what can be done by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    log_loss,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier

from sklearn_din import DINRegressor


def test_a_frozen_pipeline_is_not_fitted_again(fitted, clicks):
    X, y = clicks
    expected = fitted.predict_proba(X)

    assert_array_equal(FrozenEstimator(fitted).fit(X[:20], 1 - y[:20]).predict_proba(X), expected)


def test_isotonic_calibration_of_a_frozen_pipeline_is_the_regression_of_the_labels_on_its_logits(fitted, clicks):
    X, y = clicks
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method="isotonic").fit(X, y)

    scores = fitted.decision_function(X)
    expected = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(scores, y).predict(scores)
    assert_allclose(calibrated.predict_proba(X)[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_calibration_of_a_frozen_pipeline_moves_its_logits_along_a_line(fitted, clicks, method):
    X, y = clicks
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method=method).fit(X, y)

    before, after = fitted.decision_function(X), logit(calibrated.predict_proba(X)[:, 1])
    slope, intercept = np.polyfit(before, after, 1)
    assert_allclose(slope * before + intercept, after, atol=1e-4)
    assert slope > 0
    assert abs(intercept) < 1e-4 or method == "sigmoid"
    assert log_loss(y, calibrated.predict_proba(X)) < log_loss(y, fitted.predict_proba(X))


def test_calibration_by_cross_validation_fits_the_pipeline_on_each_fold(model, clicks, fit_on):
    X, y = clicks
    folds = StratifiedKFold(2)
    calibrated = CalibratedClassifierCV(model, method="isotonic", cv=folds).fit(X, y)

    parts = []
    for (train, test), each in zip(folds.split(X, y), calibrated.calibrated_classifiers_, strict=True):
        of_fold = fit_on(model, X, y, train)
        assert_array_equal(each.estimator.predict_proba(X), of_fold.predict_proba(X))
        steps = IsotonicRegression(out_of_bounds="clip").fit(of_fold.decision_function(X.iloc[test]), y[test])
        parts.append(steps.predict(of_fold.decision_function(X)))
    assert_allclose(calibrated.predict_proba(X)[:, 1], np.mean(parts, axis=0), atol=1e-6)


def test_a_tuned_threshold_is_the_best_of_those_tried(model, clicks):
    X, y = clicks
    tuned = TunedThresholdClassifierCV(
        FrozenEstimator(clone(model).fit(X, y)), cv="prefit", refit=False, scoring="accuracy", thresholds=50
    ).fit(X, y)

    proba = tuned.estimator_.predict_proba(X)[:, 1]
    assert_array_equal(tuned.predict(X), proba >= tuned.best_threshold_)
    tried = [accuracy_score(y, proba >= threshold) for threshold in np.linspace(proba.min(), proba.max(), 50)]
    assert tuned.best_score_ == pytest.approx(max(tried))


def test_a_fixed_threshold_cuts_the_probabilities_of_the_pipeline(model, fitted, clicks):
    X, y = clicks
    threshold = np.quantile(fitted.predict_proba(X)[:, 1], 0.9)
    cut = FixedThresholdClassifier(model, threshold=threshold, response_method="predict_proba").fit(X, y)

    assert_array_equal(cut.predict(X), fitted.predict_proba(X)[:, 1] >= threshold)


def test_stacking_learns_from_predictions_for_rows_held_out(model, fitted, clicks):
    X, y = clicks
    other = clone(model).set_params(din__pooling="mean")
    folds = StratifiedKFold(2)
    stack = StackingClassifier([("attention", model), ("mean", other)], LogisticRegression(), cv=folds).fit(X, y)

    held_out = [cross_val_predict(each, X, y, cv=folds, method="predict_proba")[:, 1] for each in (model, other)]
    assert_allclose(stack.final_estimator_.coef_, LogisticRegression().fit(np.transpose(held_out), y).coef_)
    assert_array_equal(stack.transform(X)[:, 0], fitted.predict_proba(X)[:, 1])


def test_stacking_of_regressors_learns_from_predictions_for_rows_held_out(make_model, clicks):
    X, y = clicks
    model = make_model(DINRegressor)
    stack = StackingRegressor([("din", model)], LinearRegression(), cv=KFold(2)).fit(X, y.astype(float))

    held_out = cross_val_predict(model, X, y.astype(float), cv=KFold(2))
    assert_allclose(stack.final_estimator_.coef_, np.polyfit(held_out, y, 1)[:1], rtol=1e-4)


def test_voting_is_the_mean_over_networks_of_other_seeds(model, clicks):
    X, y = clicks
    seeds = [clone(model).set_params(din__random_state=seed) for seed in range(3)]
    vote = VotingClassifier([(str(seed), each) for seed, each in enumerate(seeds)], voting="soft").fit(X, y)

    parts = [each.fit(X, y).predict_proba(X) for each in seeds]
    assert_allclose(vote.predict_proba(X), np.mean(parts, axis=0), rtol=1e-6)
    assert not np.array_equal(parts[0], parts[1])


def test_a_transformed_target_is_transformed_back(make_model, clicks):
    X = clicks[0]
    y = np.exp(np.random.default_rng(0).normal(size=200))
    model = make_model(DINRegressor)
    transformed = TransformedTargetRegressor(model, func=np.log, inverse_func=np.exp).fit(X, y)

    assert_allclose(transformed.predict(X), np.exp(clone(model).fit(X, np.log(y)).predict(X)), rtol=1e-5)


def test_one_versus_rest_fits_a_pipeline_per_class(model, clicks):
    X = clicks[0]
    y = np.arange(200) % 3
    several = OneVsRestClassifier(model).fit(X, y)

    by_hand = np.column_stack([clone(model).fit(X, y == k).predict_proba(X)[:, 1] for k in range(3)])
    assert_allclose(several.predict_proba(X), by_hand / by_hand.sum(axis=1, keepdims=True), rtol=1e-5)


def test_several_outputs_are_a_pipeline_per_output(model, clicks):
    X, y = clicks
    targets = np.column_stack([y, np.arange(200) % 3])
    several = MultiOutputClassifier(model).fit(X, targets)

    for found, target in zip(several.predict_proba(X), targets.T, strict=True):
        assert_array_equal(found, clone(model).fit(X, target).predict_proba(X))
