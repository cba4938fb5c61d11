"""Candidates in order of their scores, against predictions for rows in which the user is repeated."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.serving import _scores, rank_candidates

SEQUENCES = [
    {"hist_item": "item", "hist_shop": "shop", "hist_price": None},
    {"cart_item": "item"},
    {"seen_action": None},
]
SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (5, 4),
    "hidden_layer_sizes": (6, 5),
    "max_epochs": 2,
    "batch_size": 10,
    "learning_rate": 0.05,
    "early_stopping": False,
    "random_state": 0,
}
USER = {
    "hist_item": ["tea", "rice", "tea", "new"],
    "hist_shop": [1, 2, 1, 3],
    "hist_price": [0.5, 2.0, None, 1.0],
    "cart_item": ["oil"],
    "seen_action": ["open", "close"],
    "tags": ["a", "c"],
    "city": "Rome",
    "age": 40.0,
}
CANDIDATES = {
    "item": ["rice", "unheard of", "tea", "oil", "tea"],
    "shop": [1, 2, 1, 9, 3],
    "price": [1.0, 2.5, 0.1, None, 1.0],
    "colors": [["red"], [], ["blue", "red"], None, ["green"]],
}
OPTIONS = [
    {},
    {"pooling": "mean"},
    {"pooling": "sum"},
    {"attention_normalization": "sigmoid"},
    {"attention_normalization": None, "attention_interaction": "outer", "interest_product": False},
    {"attention_interaction": "concatenation", "attention_activation": "prelu"},
    {"activation": "relu", "batch_norm": True},
    {"candidate_bias": True, "match_counts": False},
    {"recency_embedding": False, "sparse_embeddings": True},
    {"embedding_regularization": None, "optimizer": "adam", "unknown_rate": 0.5},
]


def make_rows(n_samples, seed):
    """Make rows with all kinds of columns."""
    rng = np.random.default_rng(seed)
    items, shops, actions = ["tea", "rice", "oil", "salt"], [1, 2, 3], ["open", "close", "wait"]

    def lists(values, lengths):
        return [[values[i] for i in rng.integers(len(values), size=length)] for length in lengths]

    lengths = rng.integers(5, size=n_samples)
    return pd.DataFrame(
        {
            "item": rng.choice(items, n_samples),
            "shop": rng.choice(shops, n_samples),
            "city": rng.choice(["Rome", "Oslo"], n_samples),
            "age": rng.uniform(18, 80, n_samples),
            "price": rng.uniform(0, 3, n_samples),
            "hist_item": lists(items, lengths),
            "hist_shop": lists(shops, lengths),
            "hist_price": [list(rng.uniform(0, 3, length)) for length in lengths],
            "cart_item": lists(items, rng.integers(3, size=n_samples)),
            "seen_action": lists(actions, rng.integers(3, size=n_samples)),
            "tags": lists(["a", "b", "c"], rng.integers(3, size=n_samples)),
            "colors": lists(["red", "blue"], rng.integers(3, size=n_samples)),
        }
    )


def fitted(estimator, y):
    """Fit a pipeline on rows with these targets."""
    encoder = BehaviorEncoder(SEQUENCES, categorical_features=["city"], numeric_features=["age", "price"], max_length=3)
    return Pipeline([("encode", encoder), ("din", estimator)]).fit(make_rows(len(y), seed=0), y)


def labels(n_classes):
    return np.random.default_rng(1).integers(n_classes, size=30)


@pytest.fixture(scope="module")
def model():
    return fitted(DINClassifier(**SMALL), labels(2))


def repeated(user, candidates):
    """Return a frame in which each candidate has the columns of the user beside it."""
    n = len(next(iter(candidates.values())))
    columns = dict(candidates) | {name: [value] * n for name, value in user.items()}
    return pd.DataFrame(columns)[list(make_rows(1, seed=0).columns)]


def assert_scores(model, user, candidates, expected, **options):
    """Rank, and compare the scores with those that are expected of the candidates, in their order."""
    ranked = rank_candidates(model, user, pd.DataFrame(candidates), **options)

    assert ranked["score"].is_monotonic_decreasing
    np.testing.assert_allclose(ranked["score"].sort_index(), expected, rtol=0, atol=1e-6)
    assert np.ptp(expected) > 1e-4


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scores_are_those_of_predict_proba_on_repeated_rows(options):
    model = fitted(DINClassifier(**SMALL | options), labels(2))

    assert_scores(model, USER, CANDIDATES, model.predict_proba(repeated(USER, CANDIDATES))[:, 1])


@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_scores_of_a_regressor_are_its_predictions(pooling):
    model = fitted(DINRegressor(**SMALL, pooling=pooling), np.random.default_rng(1).normal(100, 7, size=30))

    ranked = rank_candidates(model, USER, CANDIDATES)

    expected = model.predict(repeated(USER, CANDIDATES))
    np.testing.assert_allclose(ranked["score"], np.sort(expected)[::-1], rtol=1e-6)


@pytest.mark.parametrize("pos_label", [0, 1, 2])
def test_the_score_of_three_classes_is_the_probability_of_the_class_that_is_named(pos_label):
    model = fitted(DINClassifier(**SMALL), labels(3))

    expected = model.predict_proba(repeated(USER, CANDIDATES))[:, pos_label]
    assert_scores(model, USER, CANDIDATES, expected, pos_label=pos_label)


@pytest.mark.parametrize(("pos_label", "column"), [("no", 0), ("yes", 1), (None, 1)])
def test_of_two_classes_the_second_counts_unless_the_other_is_named(pos_label, column):
    model = fitted(DINClassifier(**SMALL), np.where(labels(2), "yes", "no"))

    expected = model.predict_proba(repeated(USER, CANDIDATES))[:, column]
    assert_scores(model, USER, CANDIDATES, expected, pos_label=pos_label)


@pytest.mark.parametrize("of_candidates", ["city", "age", "tags", "cart_item", "seen_action"])
def test_any_column_may_be_that_of_the_candidates(model, of_candidates):
    values = {
        "city": ["Oslo", "Rome", None, "Oslo", "Oslo"],
        "age": [20.0, 70.0, 30.0, 41.0, 50.0],
        "tags": [["a"], ["b", "b"], None, [], ["c"]],
        "cart_item": [["tea"], ["oil", "rice"], [], None, ["tea"]],
        "seen_action": [["open"], [], ["close", "wait"], ["open"], None],
    }
    user = {name: value for name, value in USER.items() if name != of_candidates}
    candidates = CANDIDATES | {of_candidates: values[of_candidates]}

    assert_scores(model, user, candidates, model.predict_proba(repeated(user, candidates))[:, 1])


@pytest.mark.parametrize("of_user", ["item", "price", "colors"])
def test_any_column_may_be_that_of_the_user(model, of_user):
    user = USER | {of_user: CANDIDATES[of_user][0]}
    candidates = {name: column for name, column in CANDIDATES.items() if name != of_user}

    assert_scores(model, user, candidates, model.predict_proba(repeated(user, candidates))[:, 1])


@pytest.mark.parametrize("nothing", [[], None])
def test_a_user_without_a_past_gets_the_scores_of_empty_histories(model, nothing):
    user = USER | {name: nothing for name, value in USER.items() if isinstance(value, list)}

    assert_scores(model, user, CANDIDATES, model.predict_proba(repeated(user, CANDIDATES))[:, 1])


def test_what_is_missing_of_the_user_is_missing_in_all_rows(model):
    user = USER | {"city": None, "age": None}

    frame = repeated(user, CANDIDATES).astype({"age": float})
    assert_scores(model, user, CANDIDATES, model.predict_proba(frame)[:, 1])


def test_the_base_model_without_behaviors_ranks_too():
    X = make_rows(30, seed=0)[["item", "city", "age"]]
    model = make_pipeline(BehaviorEncoder(), DINClassifier(**SMALL)).fit(X, labels(2))
    candidates = pd.DataFrame({"item": ["tea", "rice", "new"]})

    ranked = rank_candidates(model, {"city": "Oslo", "age": 33.0}, candidates)

    expected = model.predict_proba(candidates.assign(city="Oslo", age=33.0))[:, 1]
    np.testing.assert_allclose(ranked["score"].sort_index(), expected, rtol=0, atol=1e-6)


def test_more_candidates_than_a_block_have_the_same_scores(model, monkeypatch):
    monkeypatch.setattr(_scores, "BLOCK", 2)

    assert_scores(model, USER, CANDIDATES, model.predict_proba(repeated(USER, CANDIDATES))[:, 1])


def test_the_network_is_in_evaluation_mode_even_if_someone_set_it_to_training():
    model = fitted(DINClassifier(**SMALL, dropout=0.5), labels(2))
    expected = model.predict_proba(repeated(USER, CANDIDATES))[:, 1]
    model[-1].module_.train()

    assert_scores(model, USER, CANDIDATES, expected)


def test_a_step_that_passes_through_is_no_obstacle(model):
    longer = Pipeline([model.steps[0], ("nothing", "passthrough"), ("none", None), model.steps[1]])

    assert_scores(longer, USER, CANDIDATES, model.predict_proba(repeated(USER, CANDIDATES))[:, 1])


# The frames.


def test_a_pandas_frame_keeps_its_columns_and_the_labels_of_its_index(model):
    candidates = pd.DataFrame(CANDIDATES, index=["v", "w", "x", "y", "z"])

    ranked = rank_candidates(model, USER, candidates)

    scores = model.predict_proba(repeated(USER, CANDIDATES))[:, 1]
    assert ranked.index.tolist() == [candidates.index[i] for i in np.argsort(-scores)]
    assert ranked.columns.tolist() == [*CANDIDATES, "score"]
    pd.testing.assert_frame_equal(ranked.drop(columns="score").loc[candidates.index], candidates)


@pytest.mark.parametrize("kind", [pl.DataFrame, pa.table, dict], ids=["polars", "pyarrow", "dict"])
def test_the_result_is_a_frame_of_the_kind_of_the_candidates(model, kind):
    ranked = rank_candidates(model, USER, kind(CANDIDATES))

    expected = rank_candidates(model, USER, pd.DataFrame(CANDIDATES))
    assert type(ranked) is type(kind(CANDIDATES))
    items = ranked["item"].to_pylist() if kind is pa.table else list(ranked["item"])
    assert items == expected["item"].tolist()
    np.testing.assert_allclose(np.asarray(ranked["score"]), expected["score"], rtol=1e-6)


USERS = {
    "dict": dict,
    "arrays": lambda user: user | {"hist_item": np.array(user["hist_item"]), "hist_shop": np.array(user["hist_shop"])},
    "series": lambda user: pd.Series(user),
    "pandas": lambda user: pd.DataFrame({name: [value] for name, value in user.items()}),
    "polars": lambda user: pl.DataFrame({name: [value] for name, value in user.items()}),
    "pyarrow": lambda user: pa.table({name: [value] for name, value in user.items()}),
}


@pytest.mark.parametrize("kind", USERS)
def test_the_user_may_be_a_mapping_or_one_row_of_any_frame(model, kind):
    assert_scores(model, USERS[kind](USER), CANDIDATES, model.predict_proba(repeated(USER, CANDIDATES))[:, 1])


def test_what_is_given_is_left_as_it_was(model):
    user, candidates = pd.DataFrame({name: [value] for name, value in USER.items()}), pd.DataFrame(CANDIDATES)
    before = user.copy(deep=True), candidates.copy(deep=True)

    rank_candidates(model, user, candidates)

    pd.testing.assert_frame_equal(user, before[0])
    pd.testing.assert_frame_equal(candidates, before[1])


def test_no_candidates_give_no_rows_and_an_empty_score(model):
    ranked = rank_candidates(model, USER, pd.DataFrame(CANDIDATES)[:0])

    assert ranked.shape == (0, len(CANDIDATES) + 1)
    assert ranked["score"].dtype == np.float64


def test_one_candidate_is_ranked(model):
    one = {name: column[:1] for name, column in CANDIDATES.items()}

    ranked = rank_candidates(model, USER, one)

    np.testing.assert_allclose(ranked["score"], model.predict_proba(repeated(USER, one))[:, 1], rtol=0, atol=1e-6)


# Order.


def test_k_keeps_the_best(model):
    every = rank_candidates(model, USER, pd.DataFrame(CANDIDATES))

    pd.testing.assert_frame_equal(rank_candidates(model, USER, pd.DataFrame(CANDIDATES), k=2), every[:2])
    pd.testing.assert_frame_equal(rank_candidates(model, USER, pd.DataFrame(CANDIDATES), k=np.int64(99)), every)


def test_equal_scores_keep_the_order_of_the_candidates():
    model = fitted(DINClassifier(**SMALL), labels(2))
    with torch.no_grad():
        model[-1].module_.mlp.output.weight.zero_()  # all scores are equal then
    items = pd.DataFrame({name: column * 20 for name, column in CANDIDATES.items()})

    ranked = rank_candidates(model, USER, items)

    assert ranked["score"].nunique() == 1
    assert ranked.index.tolist() == list(range(100))


# What it does beside.


def test_scores_are_the_same_inside_of_a_callers_autocast(model):
    expected = rank_candidates(model, USER, CANDIDATES)["score"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = rank_candidates(model, USER, CANDIDATES)["score"]

    np.testing.assert_array_equal(found, expected)


def test_threads_and_grad_mode_are_as_before(model):
    before = torch.get_num_threads(), torch.is_grad_enabled()
    model = Pipeline(model.steps).set_params(din__n_threads=2)

    rank_candidates(model, USER, CANDIDATES)

    assert (torch.get_num_threads(), torch.is_grad_enabled()) == before
    model.set_params(din__n_threads=None)


def test_values_of_another_type_than_in_fit_are_warned_about(model):
    with pytest.warns(UserWarning, match="All values of column 'shop' are unknown"):
        rank_candidates(model, USER, CANDIDATES | {"shop": ["1", "2", "1", "9", "3"]})


# Errors.


def without(columns, name):
    return {other: column for other, column in columns.items() if other != name}


@pytest.mark.parametrize(
    ("user", "candidates", "message"),
    [
        (USER | {"item": "tea"}, CANDIDATES, "Column 'item' of fit is both in the user row and in candidates"),
        (without(USER, "city"), CANDIDATES, "Column 'city' of fit is neither in the user row nor in candidates"),
        (USER, without(CANDIDATES, "item"), "Column 'item' of fit is neither"),
        (USER | {"user_id": 7}, CANDIDATES, "Column 'user_id' of the user row is none that the encoder was fitted on"),
        (USER, CANDIDATES | {"title": ["x"] * 5}, "Column 'title' of candidates is none that the encoder"),
        (
            without(USER, "hist_shop"),
            CANDIDATES | {"hist_shop": [[1, 2, 1, 3]] * 5},
            "Columns 'hist_item' and 'hist_shop' describe the same behaviors: one is in the user row",
        ),
        (USER | {"hist_item": [USER["hist_item"]]}, CANDIDATES, "'hist_item' is .*, a list of lists. Give the inner"),
        (USER | {"hist_shop": [1]}, CANDIDATES, "same length in each row: row 0 has 4 and 1"),
        (USER, CANDIDATES | {"item": ["tea"]}, "must have the same number of rows"),
        (pd.DataFrame({"city": ["Rome", "Oslo"]}), CANDIDATES, "user must be one row: the frame has 2"),
        (USER | {"age": float("inf")}, CANDIDATES, "'age'.*row 0"),
        (USER, CANDIDATES | {"price": [1.0, 2.0, float("inf"), 1.0, 1.0]}, "'price'.*row 2"),
    ],
)
def test_what_does_not_fit_together_is_refused(model, user, candidates, message):
    with pytest.raises(ValueError, match=message):
        rank_candidates(model, user, candidates)


@pytest.mark.parametrize(
    ("user", "candidates", "message"),
    [
        (["tea"], CANDIDATES, "user must be a mapping of columns to values, or a frame of one row: it is a list"),
        (USER, [CANDIDATES], "candidates must be a frame or a dict of columns: it is a list"),
        (USER | {"hist_item": "tea|rice"}, CANDIDATES, "Column 'hist_item' must hold a list in each row: row 0"),
        (USER | {"city": ["Rome"]}, CANDIDATES, "'city'"),
        (USER, CANDIDATES | {"item": [["tea"]] * 5}, "'item'"),
    ],
)
def test_what_is_of_another_kind_is_refused(model, user, candidates, message):
    with pytest.raises(TypeError, match=message):
        rank_candidates(model, user, candidates)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)])
def test_k_must_be_a_positive_integer(model, k, error):
    with pytest.raises(error, match="k must be"):
        rank_candidates(model, USER, CANDIDATES, k=k)


def test_a_class_must_be_named_if_there_are_three():
    model = fitted(DINClassifier(**SMALL), labels(3))

    with pytest.raises(ValueError, match=r"pos_label must be one of the classes \[0, 1, 2\]: got None"):
        rank_candidates(model, USER, CANDIDATES)


def test_an_unknown_class_is_refused(model):
    with pytest.raises(ValueError, match=r"pos_label must be one of the classes \[0, 1\]: got 'yes'"):
        rank_candidates(model, USER, CANDIDATES, pos_label="yes")


def test_a_regressor_has_no_class():
    model = fitted(DINRegressor(**SMALL), np.arange(30.0))

    with pytest.raises(ValueError, match="pos_label names a class, and a DINRegressor has none: got 1"):
        rank_candidates(model, USER, CANDIDATES, pos_label=1)


def test_a_column_called_score_is_refused():
    X = make_rows(30, seed=0)[["item", "age"]].rename(columns={"age": "score"})
    model = make_pipeline(BehaviorEncoder(), DINClassifier(**SMALL)).fit(X, labels(2))

    with pytest.raises(ValueError, match="There is a column 'score' in candidates already"):
        rank_candidates(model, {"item": "tea"}, {"score": [1.0]})


def test_a_score_that_is_not_finite_is_refused():
    X = make_rows(30, seed=0)[["item", "age"]]
    encoder = BehaviorEncoder(numeric_transformer=FunctionTransformer(feature_names_out="one-to-one"))
    model = make_pipeline(encoder, DINClassifier(**SMALL)).fit(X, labels(2))
    with torch.no_grad():
        model[-1].module_.mlp.output.bias.fill_(torch.inf)

    with pytest.raises(ValueError, match="The prediction for row 0 is not finite"):
        rank_candidates(model, {"age": 1.0}, {"item": ["tea", "oil"]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model[-1], "rank_candidates takes raw values: got a DINClassifier without its encoder"),
        (lambda model: Pipeline([("scale", FunctionTransformer()), *model.steps]), "must begin with a BehaviorEncoder"),
        (
            lambda model: Pipeline([model.steps[0], ("twice", FunctionTransformer()), model.steps[1]]),
            "nothing between encoder and estimator: it has the step 'twice', a FunctionTransformer",
        ),
        (lambda model: GridSearchCV(model, {"din__max_epochs": [1]}), "got GridSearchCV"),
    ],
)
def test_other_models_are_refused(model, change, message):
    with pytest.raises(TypeError, match=message):
        rank_candidates(change(model), USER, CANDIDATES)


def test_columns_without_names_cannot_be_shared_out():
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = make_pipeline(BehaviorEncoder(), DINClassifier(**SMALL)).fit(X, labels(2))

    with pytest.raises(TypeError, match="fitted on columns without names"):
        rank_candidates(model, {"x0": 1.0}, {"x1": [1.0, 2.0]})


def test_a_model_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        rank_candidates(make_pipeline(BehaviorEncoder(), DINClassifier()), USER, CANDIDATES)
