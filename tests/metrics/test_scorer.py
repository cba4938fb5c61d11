"""The GAUC scorer in scikit-learn's model selection, on frames whose user column is not a feature."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_blobs
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_din.metrics import gauc_score, make_gauc_scorer


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], 30))
    X = pd.DataFrame({"user": rng.integers(0, 4, 60).astype(str), "x": rng.normal(size=60) + y})
    return X, y


def pipeline(classifier=None):
    """Drop the user before the classifier, so that only the raw frame knows it."""
    return make_pipeline(ColumnTransformer([("x", "passthrough", ["x"])]), classifier or LogisticRegression())


def test_the_scorer_is_gauc_by_the_column_of_the_raw_frame(data):
    X, y = data
    model = pipeline().fit(X, y)

    expected = gauc_score(y, model.predict_proba(X)[:, 1], groups=X["user"])
    assert make_gauc_scorer("user")(model, X, y) == expected


def test_the_scorer_weights_rows(data):
    X, y = data
    model = pipeline().fit(X, y)
    weight = np.arange(60)

    weighted = gauc_score(y, model.predict_proba(X)[:, 1], groups=X["user"], sample_weight=weight)
    assert make_gauc_scorer("user")(model, X, y, sample_weight=weight) == weighted
    assert weighted != make_gauc_scorer("user")(model, X, y)


def test_the_scorer_ranks_by_the_decision_function_where_there_are_no_probabilities(data):
    X, y = data
    model = pipeline(LinearSVC()).fit(X, y)

    assert make_gauc_scorer("user")(model, X, y) == gauc_score(y, model.decision_function(X), groups=X["user"])


class FirstColumn:
    """A classifier whose probability is the column x."""

    def predict_proba(self, X):
        x = np.asarray(X["x"])
        return np.column_stack([1 - x, x])


@pytest.mark.parametrize("frame", [dict, pd.DataFrame, pl.DataFrame], ids=["dict", "pandas", "polars"])
def test_the_scorer_reads_any_frame(frame):
    X = frame({"user": ["a", "a", "b", "b"], "x": [0.1, 0.2, 0.8, 0.7]})

    assert make_gauc_scorer("user")(FirstColumn(), X, [0, 1, 0, 1]) == 0.5


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cross_validation_scores_each_fold_within_users(data, n_jobs):
    X, y = data
    folds = StratifiedKFold(3)

    scores = cross_val_score(pipeline(), X, y, cv=folds, scoring=make_gauc_scorer("user"), n_jobs=n_jobs)
    expected = []
    for train, test in folds.split(X, y):
        model = pipeline().fit(X.iloc[train], y[train])
        response = model.predict_proba(X.iloc[test])[:, 1]
        expected.append(gauc_score(y[test], response, groups=X["user"].iloc[test]))
    np.testing.assert_allclose(scores, expected)


def test_a_grid_search_finds_its_best_score_with_the_scorer(data):
    X, y = data
    grid = {"logisticregression__C": [1e-3, 1.0]}
    search = GridSearchCV(pipeline(), grid, scoring=make_gauc_scorer("user"), cv=3, n_jobs=2).fit(X, y)

    folds = cross_val_score(search.best_estimator_, X, y, cv=3, scoring=make_gauc_scorer("user"))
    assert search.best_score_ == pytest.approx(folds.mean())
    assert search.score(X, y) == make_gauc_scorer("user")(search.best_estimator_, X, y)


def test_the_scorer_stands_beside_others(data):
    X, y = data

    scores = cross_validate(pipeline(), X, y, scoring={"gauc": make_gauc_scorer("user"), "auc": "roc_auc"}, cv=3)
    np.testing.assert_array_equal(
        scores["test_gauc"], cross_val_score(pipeline(), X, y, scoring=make_gauc_scorer("user"), cv=3)
    )
    assert (scores["test_gauc"] != scores["test_auc"]).any()


def test_a_copy_of_the_scorer_equals_it():
    scorer = make_gauc_scorer("user")

    assert pickle.loads(pickle.dumps(scorer)) == scorer
    assert clone(GridSearchCV(LogisticRegression(), {}, scoring=scorer)).scoring == scorer
    assert scorer != make_gauc_scorer("household")


def test_the_scorer_shows_how_to_make_it():
    assert eval(repr(make_gauc_scorer("a 'user'"))) == make_gauc_scorer("a 'user'")


def test_a_missing_column_is_named_with_those_there_are(data):
    X, y = data
    model = pipeline().fit(X, y)

    with pytest.raises(ValueError, match=r"no column 'household' to group by: its columns are \['user', 'x'\]"):
        make_gauc_scorer("household")(model, X, y)


def test_an_array_without_names_is_refused():
    with pytest.raises(TypeError, match="column 'user' of a frame or a dict of columns: got ndarray"):
        make_gauc_scorer("user")(FirstColumn(), np.zeros((2, 2)), [0, 1])


def test_an_estimator_that_only_predicts_is_refused(data):
    X, y = data
    model = pipeline(LinearRegression()).fit(X, y)

    with pytest.raises(TypeError, match="Pipeline has no predict_proba and no decision_function"):
        make_gauc_scorer("user")(model, X, y)


def test_more_than_two_classes_are_refused():
    points, y = make_blobs(30, centers=3, random_state=0)
    X = pd.DataFrame(points, columns=["x", "user"])
    model = pipeline().fit(X, y)

    with pytest.raises(ValueError, match="predict_proba of Pipeline gives 3 columns"):
        make_gauc_scorer("user")(model, X, y)


@pytest.mark.parametrize("group", [3, None, ["user"]])
def test_the_group_is_the_name_of_a_column(group):
    with pytest.raises(TypeError, match="'group' parameter of make_gauc_scorer must be an instance of 'str'"):
        make_gauc_scorer(group)


@pytest.mark.parametrize("asked", [True, False, "importance"])
def test_metadata_routing_brings_it_the_weights_that_it_asks_for(data, asked):
    X, y = data
    weight, importance = np.arange(1.0, 61), np.arange(60.0, 0, -1)
    folds = StratifiedKFold(2)
    with config_context(enable_metadata_routing=True):
        scorer = make_gauc_scorer("user").set_score_request(sample_weight=asked)
        model = pipeline(LogisticRegression().set_fit_request(sample_weight=True))
        given = {"sample_weight": weight} | ({"importance": importance} if asked == "importance" else {})
        scores = cross_val_score(model, X, y, cv=folds, scoring=scorer, params=given)

    expected = {True: weight, False: np.ones(60), "importance": importance}[asked]
    for score, (train, test) in zip(scores, folds.split(X, y), strict=True):
        fitted = pipeline().fit(X.iloc[train], y[train], logisticregression__sample_weight=weight[train])
        proba = fitted.predict_proba(X.iloc[test])[:, 1]
        users = X["user"].iloc[test]
        assert score == gauc_score(y[test], proba, groups=users, sample_weight=expected[test])


def test_weights_that_nobody_decided_on_raise_as_for_scorers_of_scikit_learn(data):
    X, y = data
    with config_context(enable_metadata_routing=True):
        model = pipeline(LogisticRegression().set_fit_request(sample_weight=True))
        with pytest.raises(UnsetMetadataPassedError, match=r"Call `GaucScorer\.set_score_request"):
            cross_val_score(model, X, y, cv=2, scoring=make_gauc_scorer("user"), params={"sample_weight": np.ones(60)})


def test_the_representation_says_what_it_asks_for():
    with config_context(enable_metadata_routing=True):
        scorer = make_gauc_scorer("user").set_score_request(sample_weight="weight")
        assert repr(scorer) == "make_gauc_scorer('user').set_score_request(sample_weight='weight')"
        assert repr(scorer.set_score_request(sample_weight=False)).endswith("(sample_weight=False)")


def test_it_can_be_a_key_whatever_it_asks_for():
    scorer = make_gauc_scorer("user")
    kept = {scorer: "gauc"}
    with config_context(enable_metadata_routing=True):
        scorer.set_score_request(sample_weight=True)

    assert kept[scorer] == "gauc"


def test_requests_are_refused_as_those_of_scikit_learn():
    with pytest.raises(RuntimeError, match="set_score_request is for metadata routing, which is not enabled"):
        make_gauc_scorer("user").set_score_request(sample_weight=True)
    with config_context(enable_metadata_routing=True), pytest.raises(TypeError, match="or a name: got 3"):
        make_gauc_scorer("user").set_score_request(sample_weight=3)
