"""Inspection and displays of the pipeline show what can be computed by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibrationDisplay, calibration_curve
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    DetCurveDisplay,
    PrecisionRecallDisplay,
    PredictionErrorDisplay,
    RocCurveDisplay,
    average_precision_score,
    confusion_matrix,
    det_curve,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import (
    KFold,
    LearningCurveDisplay,
    StratifiedKFold,
    ValidationCurveDisplay,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)

from sklearn_din import DINRegressor


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_permutation_importance_permutes_one_column_of_the_frame_at_a_time(model, clicks):
    X, y = clicks
    X = X[["item", "hist_item"]]
    model.set_params(encode__behavior_features={"hist_item": "item"}).fit(X, y)
    seen = []

    def recording_score(model, X, y):
        seen.append((X, -log_loss(y, model.predict_proba(X))))
        return seen[-1][1]

    result = permutation_importance(model, X, y, scoring=recording_score, n_repeats=2, random_state=0)

    baseline = seen[0][1]
    assert len(seen) == 1 + 2 * 2
    for number, (name, other) in enumerate([("item", "hist_item"), ("hist_item", "item")]):
        for repeat in range(2):
            permuted, score = seen[1 + 2 * number + repeat]
            assert sorted(map(str, permuted[name])) == sorted(map(str, X[name]))
            assert list(map(str, permuted[name])) != list(map(str, X[name]))
            assert list(map(str, permuted[other])) == list(map(str, X[other]))
            assert result.importances[number, repeat] == baseline - score


def test_permuting_one_field_of_two_raises_and_says_what_went_wrong(fitted, clicks):
    with pytest.raises(ValueError, match="Columns 'hist_item' and 'hist_category' must have the same length in each"):
        permutation_importance(fitted, *clicks, n_repeats=1, random_state=0)


def test_partial_dependence_of_a_category_is_the_mean_prediction_with_it_in_all_rows(fitted, clicks):
    X = clicks[0]
    result = partial_dependence(fitted, X, ["category"], kind="average", categorical_features=["category"])

    assert_array_equal(result["grid_values"][0], np.unique(X["category"]))
    by_hand = [fitted.predict_proba(X.assign(category=value))[:, 1].mean() for value in np.unique(X["category"])]
    assert_allclose(result["average"][0], by_hand, rtol=1e-6)


def test_learning_curves_are_scores_of_fits_on_the_first_rows(model, clicks, fit_on):
    X, y = clicks
    sizes, _, scores = learning_curve(model, X, y, cv=KFold(2), train_sizes=[0.5, 1.0], scoring="neg_log_loss")
    display = LearningCurveDisplay.from_estimator(
        model, X, y, cv=KFold(2), train_sizes=[0.5, 1.0], scoring="neg_log_loss"
    )

    for fold, (train, test) in enumerate(KFold(2).split(X)):
        for number, size in enumerate(sizes):
            proba = fit_on(model, X, y, train[:size]).predict_proba(X.iloc[test])
            assert scores[number, fold] == pytest.approx(-log_loss(y[test], proba))
    assert list(sizes) == [50, 100]
    assert_array_equal(display.test_scores, scores)


def test_validation_curves_are_scores_for_each_value(model, clicks):
    arguments = {"param_name": "encode__max_length", "param_range": [1, 6], "cv": 2, "scoring": "neg_log_loss"}
    _, scores = validation_curve(model, *clicks, **arguments)
    display = ValidationCurveDisplay.from_estimator(model, *clicks, **arguments)

    for max_length, found in zip([1, 6], scores, strict=True):
        by_hand = clone(model).set_params(encode__max_length=max_length)
        assert_array_equal(found, cross_val_score(by_hand, *clicks, cv=2, scoring="neg_log_loss"))
    assert_array_equal(display.test_scores, scores)


def test_displays_of_scores_take_the_fitted_pipeline(fitted, clicks):
    X, y = clicks
    proba = fitted.predict_proba(X)[:, 1]

    assert RocCurveDisplay.from_estimator(fitted, X, y).roc_auc == pytest.approx(roc_auc_score(y, proba))
    det = DetCurveDisplay.from_estimator(fitted, X, y, response_method="predict_proba", drop_intermediate=True)
    assert_allclose(det.fnr, det_curve(y, proba, drop_intermediate=True)[1], atol=1e-12)
    calibration = CalibrationDisplay.from_estimator(fitted, X, y)
    assert_array_equal(calibration.prob_true, calibration_curve(y, proba)[0])
    confusion = ConfusionMatrixDisplay.from_estimator(fitted, X, y)
    assert_array_equal(confusion.confusion_matrix, confusion_matrix(y, fitted.predict(X)))
    precision = PrecisionRecallDisplay.from_estimator(fitted, X, y)
    assert precision.average_precision == pytest.approx(average_precision_score(y, proba))


def test_a_display_of_errors_takes_a_fitted_pipeline_of_a_regressor(make_model, clicks):
    X, y = clicks
    model = make_model(DINRegressor).fit(X, y)
    display = PredictionErrorDisplay.from_estimator(model, X, y, subsample=None)

    assert_array_equal(display.y_pred, model.predict(X))
    assert_array_equal(display.y_true, y)


def test_curves_of_folds_are_those_of_the_rows_that_each_model_did_not_see(model, clicks, fit_on):
    X, y = clicks
    folds = StratifiedKFold(2)
    result = cross_validate(model, X, y, cv=folds, return_estimator=True, return_indices=True)
    display = RocCurveDisplay.from_cv_results(result, X, y)

    for area, (train, test) in zip(display.roc_auc, folds.split(X, y), strict=True):
        proba = fit_on(model, X, y, train).predict_proba(X.iloc[test])[:, 1]
        assert area == pytest.approx(roc_auc_score(y[test], proba))
