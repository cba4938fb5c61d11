"""Tools that make numbers of the rows raise instead of reading ids as numbers, and what to do instead works."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
)
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, SequentialFeatureSelector
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsOneClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_din import BehaviorEncoder, DINRegressor

NO_ARRAY = "EncodedTable.*does not become an array by itself"

TOOLS = {
    "BaggingClassifier": lambda network: BaggingClassifier(network, n_estimators=2),
    "AdaBoostClassifier": lambda network: AdaBoostClassifier(network, n_estimators=2),
    "SelfTrainingClassifier": SelfTrainingClassifier,
    "OneVsOneClassifier": OneVsOneClassifier,
    "RFE": RFE,
    "SequentialFeatureSelector": lambda network: SequentialFeatureSelector(network, n_features_to_select=1),
}


@pytest.mark.parametrize("wrap", TOOLS.values(), ids=TOOLS)
def test_a_tool_of_arrays_raises_on_an_encoded_table(wrap, model, table, clicks):
    with pytest.raises(TypeError, match=NO_ARRAY):
        wrap(model["din"]).fit(table, clicks[1])


@pytest.mark.parametrize("kind", [BaggingRegressor, AdaBoostRegressor])
def test_an_ensemble_of_regressors_raises_on_an_encoded_table(kind, make_model, table, clicks):
    network = make_model(DINRegressor)["din"]

    with pytest.raises(TypeError, match=NO_ARRAY):
        kind(network, n_estimators=2).fit(table, clicks[1])


def test_a_chain_of_classifiers_raises_on_an_encoded_table(model, table, clicks):
    with pytest.raises(TypeError, match=NO_ARRAY):
        ClassifierChain(model["din"]).fit(table, np.column_stack([clicks[1], clicks[1]]))


def test_a_selection_of_columns_raises_on_an_encoded_table(model, table, clicks):
    with pytest.raises(TypeError, match=NO_ARRAY):
        SelectFromModel(model["din"].fit(table, clicks[1]), prefit=True, importance_getter="x").transform(table)
    with pytest.raises(TypeError, match=NO_ARRAY):
        permutation_importance(model["din"], table, clicks[1])
    with pytest.raises(TypeError, match="columns by name"):
        partial_dependence(model["din"], table, [0])


@pytest.mark.parametrize(
    "step", [StandardScaler(), SelectKBest(k=1), LogisticRegression()], ids=lambda step: repr(step)
)
def test_a_step_for_numbers_after_the_encoder_raises(step, model, clicks):
    with pytest.raises(TypeError, match=NO_ARRAY):
        make_pipeline(model["encode"], step).fit(*clicks)


@pytest.mark.parametrize(
    "join",
    [
        lambda encoder, X: ColumnTransformer([("encode", encoder, list(X)), ("drop", "drop", ["item"])]),
        lambda encoder, X: ColumnTransformer([("encode", encoder, list(X)), ("keep", "passthrough", ["item"])]),
        lambda encoder, X: FeatureUnion([("encode", encoder)]),
        lambda encoder, X: FeatureUnion([("encode", encoder), ("again", encoder)]),
    ],
    ids=["column transformer, alone", "column transformer", "union, alone", "union"],
)
def test_joining_the_encoder_with_other_columns_raises(join, model, clicks):
    X, y = clicks

    with pytest.raises(TypeError, match="cannot join an EncodedTable.*give BehaviorEncoder a numeric_transformer"):
        Pipeline([("join", join(model["encode"], X)), ("din", model["din"])]).fit(X, y)


def test_stacking_does_not_pass_encoded_rows_on(model, table, clicks):
    stack = StackingClassifier([("din", model["din"])], cv=2, passthrough=True)

    with pytest.raises(TypeError, match="hstack cannot join an EncodedTable"):
        stack.fit(table, clicks[1])


@pytest.mark.parametrize("to_frame", [lambda X: X, lambda X: pl.DataFrame({name: X[name].tolist() for name in X})])
def test_a_frame_that_a_tool_made_an_array_of_raises_in_the_encoder(to_frame, model, clicks):
    X, y = to_frame(clicks[0]), clicks[1]

    with pytest.raises(TypeError, match="Column 'x2' of X holds lists, and X is an array.*made an array of it"):
        BaggingClassifier(model, n_estimators=2).fit(X, y)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_permutation_importance_wants_a_frame_of_pandas(model, clicks):
    X = pl.DataFrame({name: clicks[0][name].tolist() for name in clicks[0]})

    with pytest.raises(TypeError, match="Column 'x2' of X holds lists.*frame of pandas"):
        permutation_importance(model.fit(X, clicks[1]), X, clicks[1])


@pytest.mark.parametrize("name", ["AdaBoostClassifier", "SelfTrainingClassifier", "OneVsOneClassifier", "RFE"])
def test_a_tool_of_arrays_raises_on_a_frame_before_it_reaches_the_encoder(name, model, clicks):
    with pytest.raises(ValueError, match="sequence|ambiguous"):
        TOOLS[name](model).fit(*clicks)


def test_partial_dependence_of_a_list_column_raises(fitted, clicks):
    with pytest.raises(ValueError, match="ambiguous"):
        partial_dependence(fitted, clicks[0], ["hist_item"], kind="average")


# -------------------------------------------------------------------------------- what to do instead: numbers of rows


@pytest.fixture
def numbered(make_model, clicks):
    """A function that makes a pipeline which takes the numbers of rows, as a matrix of one column."""

    def rows(numbers):
        return clicks[0].iloc[numbers[:, 0]]

    return lambda **parameters: Pipeline([("rows", FunctionTransformer(rows)), *make_model(**parameters).steps])


NUMBERS = np.arange(200)[:, None]


def test_bagging_of_row_numbers_fits_on_the_rows_that_it_drew(numbered, make_model, clicks):
    X, y = clicks
    bagging = BaggingClassifier(numbered(), n_estimators=2, random_state=0).fit(NUMBERS, y)

    parts = []
    for each, drawn in zip(bagging.estimators_, bagging.estimators_samples_, strict=True):
        by_hand = make_model(random_state=each["din"].random_state)
        parts.append(by_hand.fit(X.iloc[drawn], y[drawn]).predict_proba(X))
    assert_array_equal(bagging.predict_proba(NUMBERS), (parts[0] + parts[1]) / 2)


def test_self_training_on_row_numbers_fits_on_the_rows_that_it_labelled(numbered, model, clicks):
    X, y = clicks
    partly = np.where(np.arange(200) % 4, y, -1)
    training = SelfTrainingClassifier(numbered(), threshold=0.5, max_iter=2).fit(NUMBERS, partly)

    labelled = training.transduction_ != -1
    assert labelled.sum() > 150
    by_hand = model.fit(X[labelled], training.transduction_[labelled])
    assert_array_equal(training.predict_proba(NUMBERS), by_hand.predict_proba(X))


# ------------------------------------------------------------------------ what to do instead: settings of the encoder


def test_a_search_over_columns_of_the_encoder_selects_features(model, clicks):
    X, y = clicks
    columns = [{"hist_item": "item"}, {"hist_category": "category"}]
    model.set_params(encode__categorical_features=[], encode__numeric_features=[], encode__bag_features=[])
    search = GridSearchCV(model, {"encode__behavior_features": columns}, cv=StratifiedKFold(2), scoring="roc_auc")
    search.fit(X, y)

    for behavior_features, score in zip(columns, search.cv_results_["mean_test_score"], strict=True):
        ((behavior, candidate),) = behavior_features.items()
        few = make_pipeline(BehaviorEncoder(behavior_features), model["din"])
        assert score == cross_val_score(few, X[[candidate, behavior]], y, cv=2, scoring="roc_auc").mean()
    assert search.cv_results_["mean_test_score"][0] != search.cv_results_["mean_test_score"][1]
