"""Permutation importance of groups of columns, compared with a loop in pandas."""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.inspection import grouped_permutation_importance
from sklearn_din.metrics import gauc_score, make_gauc_scorer

FRAMES = {
    "pandas": lambda data: pd.DataFrame(data, index=[7] * len(data["item"])),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "dict": dict,
}
GROUPS = {"hist_item": ["hist_item", "hist_kind"], "candidate": ["item", "kind"], "age": ["age"]}


def make_data(n_samples=60):
    rng = np.random.default_rng(0)
    histories = [rng.integers(0, 6, size=length).tolist() for length in rng.integers(0, 5, size=n_samples)]
    items = rng.integers(0, 6, size=n_samples).tolist()
    data = {
        "age": rng.normal(size=n_samples).tolist(),
        "hist_item": [[f"i{item}" for item in history] for history in histories],
        "hist_kind": [[f"k{item % 2}" for item in history] for history in histories],
        "item": [f"i{item}" for item in items],
        "kind": [f"k{item % 2}" for item in items],
    }
    y = np.array([int(item in history) for item, history in zip(items, histories, strict=True)])
    return data, y


DATA, Y = make_data()


def make_model():
    encoder = BehaviorEncoder({"hist_item": "item", "hist_kind": "kind"})
    return make_pipeline(encoder, DINClassifier(hidden_layer_sizes=(8,), max_epochs=3, random_state=0))


@pytest.fixture(scope="module")
def model():
    return make_model().fit(pd.DataFrame(DATA), Y)


def by_hand(model, score, groups, n_repeats):
    """Permute with pandas and score, group after group."""
    X = pd.DataFrame(DATA)
    rng = np.random.RandomState(5)
    baseline = score(Y, model.predict_proba(X)[:, 1])
    losses = []
    for columns in groups.values():
        for _ in range(n_repeats):
            order = rng.permutation(len(X))
            permuted = X.assign(**{name: [X[name][i] for i in order] for name in columns})
            losses.append(baseline - score(Y, model.predict_proba(permuted)[:, 1]))
    return np.reshape(losses, (len(groups), n_repeats))


@pytest.mark.parametrize("kind", FRAMES)
def test_importances_are_those_of_a_loop_in_pandas(kind):
    X = FRAMES[kind](DATA)
    model = make_model().fit(X, Y)
    result = grouped_permutation_importance(model, X, Y, scoring="roc_auc", n_repeats=3, random_state=5)

    expected = by_hand(make_model().fit(pd.DataFrame(DATA), Y), roc_auc_score, GROUPS, 3)
    assert np.abs(expected).max() > 0.01
    assert_allclose(result.importances, expected, atol=1e-9)
    assert_allclose(result.importances_mean, expected.mean(axis=1), atol=1e-9)
    assert_allclose(result.importances_std, expected.std(axis=1), atol=1e-9)
    assert result.groups == GROUPS
    assert list(result.groups) == list(GROUPS)


def test_an_encoded_table_gives_the_same(model):
    table = model[0].transform(pd.DataFrame(DATA))
    result = grouped_permutation_importance(model[-1], table, Y, scoring="neg_log_loss", n_repeats=2, random_state=5)

    expected = by_hand(model, lambda y, p: -log_loss(y, p), GROUPS, 2)
    assert list(result.groups) == list(GROUPS)
    assert_allclose(result.importances, expected, atol=1e-5)


def test_the_users_groups_are_permuted_and_nothing_else(model):
    X = pd.DataFrame(DATA)
    groups = {"kind of candidate": ["kind"], "all": list(X.columns)}
    result = grouped_permutation_importance(model, X, Y, groups=groups, scoring="roc_auc", n_repeats=2, random_state=5)

    assert result.groups == groups
    assert_allclose(result.importances, by_hand(model, roc_auc_score, groups, 2), atol=1e-9)


def test_without_scoring_the_models_own_score_counts(model):
    X = pd.DataFrame(DATA)
    own = grouped_permutation_importance(model, X, Y, n_repeats=2, random_state=0)

    accuracy = grouped_permutation_importance(model, X, Y, scoring="accuracy", n_repeats=2, random_state=0)
    assert_array_equal(own.importances, accuracy.importances)


def test_scoring_may_be_callable(model):
    def first_column_of_the_first_row(estimator, X, y):
        return X["age"].iloc[0]

    X = pd.DataFrame(DATA)
    result = grouped_permutation_importance(model, X, Y, scoring=first_column_of_the_first_row, random_state=0)
    is_zero = (result.importances == 0).all(axis=1)
    assert dict(zip(result.groups, is_zero.tolist(), strict=True)) == {
        "hist_item": True,
        "candidate": True,
        "age": False,
    }


def test_an_int_makes_it_reproducible_and_another_one_differs(model):
    X = pd.DataFrame(DATA)

    def importances(random_state):
        found = grouped_permutation_importance(model, X, Y, scoring="neg_log_loss", random_state=random_state)
        return found.importances

    assert importances(0).shape == (3, 5)
    assert_array_equal(importances(0), importances(0))
    assert (importances(0) != importances(1)).any()


@pytest.mark.parametrize("kind", FRAMES)
def test_the_rows_are_not_written_to(model, kind):
    X = FRAMES[kind](DATA)
    before = copy.deepcopy(X)
    fitted = make_model().fit(X, Y)
    grouped_permutation_importance(fitted, X, Y, n_repeats=1, random_state=0)

    if kind == "pandas":
        pd.testing.assert_frame_equal(X, before)
    else:
        assert X.equals(before) if kind != "dict" else before == X


def test_columns_of_arrow_keep_their_types(model):
    seen = []

    def remember(estimator, X, y):
        seen.append(X.schema)
        return 0.0

    age = pa.field("age", pa.float64(), metadata={"unit": "years"})
    X = pa.table(DATA).cast(pa.schema([age, *list(pa.table(DATA).schema)[1:]]))
    grouped_permutation_importance(make_model().fit(X, Y), X, Y, scoring=remember, n_repeats=1)
    assert len(seen) == 4
    assert all(schema.equals(X.schema, check_metadata=True) for schema in seen)


def test_a_search_is_read_like_its_best_pipeline():
    X = pd.DataFrame(DATA)
    search = GridSearchCV(make_model(), {"dinclassifier__learning_rate": [0.01]}, cv=2).fit(X, Y)

    assert grouped_permutation_importance(search, X, Y, n_repeats=1).groups == GROUPS


class DropAge(TransformerMixin, BaseEstimator):
    """Leaves a column out."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.drop(columns="age")

    def __sklearn_is_fitted__(self):
        return True


NESTED = {
    "search": lambda: GridSearchCV(make_model(), {"dinclassifier__learning_rate": [0.01]}, cv=2),
    "tuned threshold": lambda: TunedThresholdClassifierCV(make_model(), cv=2, thresholds=3),
    "fixed threshold": lambda: FixedThresholdClassifier(make_model(), threshold=0.3),
    "frozen": lambda: FrozenEstimator(make_model().fit(pd.DataFrame(DATA), Y)),
    "calibrated": lambda: CalibratedClassifierCV(make_model(), cv=2),
    "calibrated and frozen": lambda: CalibratedClassifierCV(FrozenEstimator(make_model().fit(pd.DataFrame(DATA), Y))),
    "pipeline": lambda: Pipeline([("inner", make_model())]),
    "search in a pipeline": lambda: make_pipeline("passthrough", GridSearchCV(make_model(), {}, cv=2)),
    "step before": lambda: make_pipeline(FunctionTransformer(), *(step for _, step in make_model().steps)),
    "encoders in a pipeline": lambda: make_pipeline(make_pipeline(make_model()[0]), make_model()[-1]),
    "target": lambda: TransformedTargetRegressor(make_pipeline(make_model()[0], DINRegressor(max_epochs=1))),
}


@pytest.mark.parametrize("kind", NESTED)
def test_groups_are_found_in_nested_models(kind):
    X = pd.DataFrame(DATA)
    model = NESTED[kind]().fit(X, Y)

    assert grouped_permutation_importance(model, X, Y, n_repeats=1).groups == GROUPS


def test_without_a_layout_several_list_columns_need_groups():
    X = pd.DataFrame(DATA)
    changed = make_pipeline(DropAge(), *(step for _, step in make_model().steps)).fit(X, Y)
    stacked = StackingClassifier([("din", make_model())], cv=2).fit(X, Y)
    message = r"'hist_item', 'hist_kind'.* Give groups=\{'history': \['hist_item', 'hist_kind'\], "
    for model in (changed, stacked):
        with pytest.raises(ValueError, match=message):
            grouped_permutation_importance(model, X, Y)
    assert grouped_permutation_importance(changed, X, Y, groups=GROUPS, n_repeats=1).groups == GROUPS
    one = X.drop(columns="hist_kind")
    encoder = BehaviorEncoder({"hist_item": "item"})
    alone = StackingClassifier([("din", make_pipeline(encoder, make_model()[-1]))], cv=2).fit(one, Y)
    assert grouped_permutation_importance(alone, one, Y, n_repeats=1).groups == {name: [name] for name in one}


def test_columns_that_the_encoder_does_not_read_are_not_permuted():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(DATA).assign(user=rng.integers(0, 8, size=60), tags=[["x"], []] * 30)
    X.loc[::7, "age"] = np.nan
    encoder = BehaviorEncoder(
        {"hist_item": "item", "hist_kind": "kind"},
        categorical_features=["item", "kind"],
        numeric_features=["age"],
        bag_features=["tags"],
    )
    model = make_pipeline(encoder, DINClassifier(max_epochs=3, random_state=0)).fit(X, Y)
    result = grouped_permutation_importance(model, X, Y, scoring=make_gauc_scorer("user"), n_repeats=2, random_state=5)

    assert result.groups == GROUPS | {"tags": ["tags"]}
    rng = np.random.RandomState(5)
    expected = []
    for columns in result.groups.values():
        for _ in range(2):
            order = rng.permutation(60)
            permuted = X.assign(**{name: [X[name][i] for i in order] for name in columns})
            scores = [gauc_score(Y, model.predict_proba(each)[:, 1], groups=X["user"]) for each in (X, permuted)]
            expected.append(scores[0] - scores[1])
    assert_allclose(result.importances.ravel(), expected, atol=1e-9)


def test_more_than_two_columns_of_the_candidate_move_together():
    X = pd.DataFrame(DATA)
    X = X.assign(brand=X["item"].str.upper(), hist_brand=[[each.upper() for each in row] for row in X["hist_item"]])
    encoder = BehaviorEncoder({"hist_item": "item", "hist_kind": "kind", "hist_brand": "brand"})
    model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0)).fit(X, Y)
    seen = []
    result = grouped_permutation_importance(model, X, Y, scoring=lambda _, X, y: float(not seen.append(X)), n_repeats=1)

    assert result.groups["candidate"] == ["item", "kind", "brand"]
    assert result.groups["hist_item"] == ["hist_item", "hist_kind", "hist_brand"]
    permuted = seen[2]
    assert (permuted["item"] != X["item"]).any()
    assert (permuted["brand"] == permuted["item"].str.upper()).all()


def test_an_unfitted_model_raises():
    X = pd.DataFrame(DATA)
    for model in (make_model(), DINClassifier(), GridSearchCV(make_model(), {}), LogisticRegression()):
        with pytest.raises(NotFittedError):
            grouped_permutation_importance(model, X, Y)
    with pytest.raises(NotFittedError):
        grouped_permutation_importance(make_model(), X, Y, groups=GROUPS, scoring=lambda *_: 0.0)


@pytest.mark.parametrize("kind", [set, frozenset, tuple, pd.Index, np.array, pd.Series])
def test_a_group_may_be_any_collection_of_names(model, kind):
    X = pd.DataFrame(DATA)
    groups = {np.str_("candidate"): kind(["item", "kind"]), "again": ["age", np.str_("age")]}
    result = grouped_permutation_importance(model, X, Y, groups=groups, n_repeats=1, random_state=0)

    assert result.groups == {"candidate": ["item", "kind"], "again": ["age"]}
    assert {type(name) for name in result.groups} == {str}
    assert {type(name) for columns in result.groups.values() for name in columns} == {str}


def test_columns_of_any_other_model_stand_alone():
    X = pd.DataFrame({"a": [0.0, 1.0, 0.0, 1.0], "b": [0.0, 0.0, 0.0, 0.0]})
    y = [0, 1, 0, 1]
    result = grouped_permutation_importance(LogisticRegression().fit(X, y), X, y, n_repeats=10, random_state=0)

    assert result.groups == {"a": ["a"], "b": ["b"]}
    assert result.importances_mean[0] > 0
    assert result.importances_mean[1] == 0


def test_a_column_called_candidate_keeps_its_name():
    X = pd.DataFrame({"candidate": ["u", "v"], "item": ["a", "b"], "hist_item": [["a"], ["b"]]})
    model = make_pipeline(BehaviorEncoder({"hist_item": "item"}), DINClassifier(max_epochs=1)).fit(X, [0, 1])

    groups = grouped_permutation_importance(model, X, [0, 1], n_repeats=1).groups
    assert groups == {"hist_item": ["hist_item"], "item": ["item"], "candidate": ["candidate"]}


def test_part_of_a_sequence_may_be_permuted_only_where_all_histories_are_equally_long(model):
    X = pd.DataFrame(DATA)
    groups = {"items": ["hist_item", "age"]}
    message = "'hist_item', 'hist_kind' belong together.*: group 'items' has only 'hist_item'. Give it all of them"
    with pytest.raises(ValueError, match=message):
        grouped_permutation_importance(model, X, Y, groups=groups)
    with pytest.raises(ValueError, match=message):
        grouped_permutation_importance(model[-1], model[0].transform(X), Y, groups=groups)

    equal = X[X["hist_item"].map(len) == 2]
    y = Y[equal.index]
    for fitted, rows in ((model, equal), (model[-1], model[0].transform(equal))):
        result = grouped_permutation_importance(fitted, rows, y, groups=groups, scoring="neg_log_loss", random_state=0)
        assert (result.importances != 0).any()


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ({}, ValueError, "groups is empty"),
        ({"a": []}, ValueError, "Group 'a' is empty"),
        ({"a": ["age", "none"]}, ValueError, "groups names the column 'none', which X does not have"),
        ({"a": "age"}, TypeError, r"group 'a' is 'age'. Give \['age'\]"),
        ({"a": 3}, TypeError, "group 'a' is 3"),
        ({"a": {"age": 1}}, TypeError, "group 'a' is {'age': 1}"),
        ({"a": b"age"}, TypeError, "group 'a' is b'age'"),
        (["age"], ValueError, "The 'groups' parameter of grouped_permutation_importance must be"),
    ],
)
def test_groups_that_make_no_sense_raise(model, groups, error, message):
    with pytest.raises(error, match=message):
        grouped_permutation_importance(model, pd.DataFrame(DATA), Y, groups=groups)


def test_parameters_out_of_range_raise(model):
    X = pd.DataFrame(DATA)
    with pytest.raises(ValueError, match="'n_repeats' parameter"):
        grouped_permutation_importance(model, X, Y, n_repeats=0)
    with pytest.raises(ValueError, match="'scoring' parameter"):
        grouped_permutation_importance(model, X, Y, scoring=["roc_auc"])
    with pytest.raises(ValueError, match="'random_state' parameter"):
        grouped_permutation_importance(model, X, Y, random_state="a")


def test_rows_without_named_columns_raise(model):
    with pytest.raises(TypeError, match="got ndarray. For an array use sklearn.inspection.permutation_importance"):
        grouped_permutation_importance(model, np.zeros((2, 2)), [0, 1])
    with pytest.raises(TypeError, match="Groups need columns with names that are strings"):
        grouped_permutation_importance(model, pd.DataFrame([[0.0], [1.0]]), [0, 1])
