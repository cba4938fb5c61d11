"""Edges of data: unknown ids, empty histories, few rows, constant columns; each gives finite numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.estimators._examples import hold_out

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
MAX_LENGTH = 4
OPTIONS = {
    "defaults": {},
    "mean": {"pooling": "mean"},
    "sum": {"pooling": "sum"},
    "sigmoid weights": {"attention_normalization": "sigmoid"},
    "no normalization": {"attention_normalization": None},
    "outer": {"attention_interaction": "outer"},
    "concatenation": {"attention_interaction": "concatenation"},
    "batch norm": {"batch_norm": True},
    "batch norm without normalization": {"batch_norm": True, "attention_normalization": None},
    "candidate bias": {"candidate_bias": True},
    "plain": {"recency_embedding": False, "match_counts": False, "interest_product": False},
    "no hidden layers": {"hidden_layer_sizes": (), "attention_hidden_layer_sizes": ()},
} | {
    activation: {"activation": activation, "attention_activation": activation}
    for activation in ("prelu", "relu", "sigmoid", "tanh")
}
KINDS = {
    "two classes": ("classifier", lambda n: np.arange(n) % 2),
    "three classes": ("classifier", lambda n: np.array(["a", "b", "c"])[np.arange(n) % 3]),
    "numbers": ("regressor", lambda n: np.linspace(-3.0, 5.0, n)),
}


@pytest.fixture
def makers(make_classifier, make_regressor):
    return {"classifier": make_classifier, "regressor": make_regressor}


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_is_finite(model, X, n_rows):
    estimator = model[-1] if hasattr(model, "steps") else model
    output = outputs(model, X)
    assert len(output) == len(model.predict(X)) == n_rows
    assert np.isfinite(output).all()
    if output.ndim == 2:
        assert_allclose(output.sum(axis=1), np.ones(n_rows))
    for name, value in estimator.module_.state_dict().items():
        assert value.isfinite().all(), name


# What prediction may meet.


def edge_frames(X):
    """Return frames of a few rows with edges, by name."""
    rows = X[:4].reset_index(drop=True)
    nothing = [[], [], [], []]
    return {
        "unseen ids": rows.assign(
            item=[-5, 10**12, 77, 78],
            category=[99, -1, 98, 97],
            hist_item=[[10**9], [-1, 2], [1], [5] * 3],
            hist_category=[[10**9], [1, -2], [-1], [50] * 3],
        ),
        "one empty history": rows.assign(
            hist_item=[[], *rows["hist_item"][1:]], hist_category=[[], *rows["hist_category"][1:]]
        ),
        "empty histories": rows.assign(hist_item=nothing, hist_category=nothing),
        "missing histories": rows.assign(hist_item=[None] * 4, hist_category=[None] * 4),
        "empty histories of unseen items": rows.assign(item=[-1] * 4, hist_item=nothing, hist_category=nothing),
        "long histories": rows.assign(
            hist_item=[list(range(500)), [3] * 5, [1], []], hist_category=[[1] * 500, [2] * 5, [0], []]
        ),
        "one row": rows[:1],
        "one row without history": rows.assign(hist_item=nothing, hist_category=nothing)[:1],
        "no rows": rows[:0],
    }


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_edge_of_prediction_gives_finite_numbers(makers, clicks, option, kind):
    make, target = KINDS[kind]
    X = clicks[0][:100]
    model = make_pipeline(
        BehaviorEncoder(BEHAVIORS, max_length=MAX_LENGTH), makers[make](max_epochs=1, **OPTIONS[option])
    )
    model.fit(X, target(100))

    for frame in edge_frames(X).values():
        assert_is_finite(model, frame, len(frame))


def test_all_unseen_values_are_one(make_classifier, clicks):
    X = clicks[0]
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), make_classifier(embedding_init_std=1.0)).fit(X, clicks[1])
    first, second = X[:3].assign(item=[-1, -2, -3]), X[:3].assign(item=[10**6, 777, 10**9])

    assert_array_equal(model.predict_proba(first), model.predict_proba(second))
    assert (model.predict_proba(first) != model.predict_proba(X[:3])).any()


# What training may meet.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["defaults", "batch norm", "sum", "no normalization", "candidate bias"])
def test_training_without_a_single_behavior_or_known_id_gives_finite_numbers(makers, clicks, kind, option):
    make, target = KINDS[kind]
    X, y = clicks[0][:60], target(60)
    empty = X.assign(hist_item=[[]] * 60, hist_category=[[]] * 60)
    cases = {
        "empty histories": (BehaviorEncoder(BEHAVIORS), empty),
        "unknown ids": (BehaviorEncoder(BEHAVIORS, min_frequency=10_000), X),
        "both": (BehaviorEncoder(BEHAVIORS, min_frequency=10_000), empty),
    }
    for encoder, train in cases.values():
        model = make_pipeline(encoder, makers[make](**OPTIONS[option])).fit(train, y)
        for frame in (train, X, *edge_frames(X).values()):
            assert_is_finite(model, frame, len(frame))


def test_where_every_id_is_unknown_all_rows_are_one(make_classifier, clicks):
    X, y = clicks[0].assign(hist_item=[[]] * 300, hist_category=[[]] * 300), clicks[1]
    model = make_pipeline(BehaviorEncoder(BEHAVIORS, min_frequency=10_000), make_classifier()).fit(X, y)

    proba = model.predict_proba(X)
    assert_array_equal(proba, np.repeat(proba[:1], 300, axis=0))
    assert proba[0, 1] == pytest.approx(y.mean(), abs=0.15)


@pytest.mark.parametrize("activation", ["dice", "relu"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_constant_columns_give_finite_numbers(makers, activation, batch_norm):
    rng = np.random.default_rng(0)
    for X in (np.zeros((40, 2)), np.full((40, 2), 1e6), np.column_stack([np.ones(40), rng.normal(size=40)])):
        for make, target in KINDS.values():
            model = makers[make](activation=activation, batch_norm=batch_norm).fit(X, target(40))
            assert_is_finite(model, X, 40)
            assert_is_finite(model, X + 1, 40)


# Few rows.


class Batches(Callback):
    """Keeps the number of rows of each batch."""

    def on_train_begin(self, net, **kwargs):
        self.sizes = []

    def on_batch_end(self, net, batch=None, **kwargs):
        self.sizes.append(len(batch))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("encoded", [True, False])
def test_two_to_forty_rows_train_with_the_defaults(table, kind, batch_norm, encoded):
    make, target = KINDS[kind]
    estimator = DINClassifier if make == "classifier" else DINRegressor
    X = table if encoded else np.random.default_rng(0).normal(size=(300, 3))
    for n_rows in (2, 3, 5, 9, 10, 11, 20, 31, 32, 33, 40):
        batches = Batches()
        model = estimator(batch_norm=batch_norm, max_epochs=2, callbacks=[batches], device="cpu", random_state=0)
        model.fit(X[:n_rows], target(n_rows))

        assert_is_finite(model, X[:50], 50)
        is_held_out = model.best_score_ is not None
        assert is_held_out == (n_rows >= 10)
        assert sum(batches.sizes) == model.n_epochs_ * (n_rows - is_held_out * (n_rows // 10))
        assert min(batches.sizes) > 1


def test_two_rows_are_learnt_by_heart(table):
    y = np.array(["left", "right"])
    model = DINClassifier(max_epochs=100, device="cpu", random_state=0).fit(table[:2], y)

    assert_array_equal(model.predict(table[:2]), y)


def test_one_row_is_the_mean_of_a_regressor(make_regressor, table):
    model = make_regressor(max_epochs=300, learning_rate=0.01).fit(table[:1], [3.5])

    assert_is_finite(model, table, 300)
    assert model.predict(table[:1])[0] == pytest.approx(3.5, abs=0.1)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"), [(9, 4, [4, 5]), (5, 1, [1] * 5), (3, 100, [3]), (1, 4, [1])]
)
def test_a_last_batch_of_one_row_joins_the_one_before(make_regressor, table, batch_norm, n_rows, batch_size, sizes):
    batches = Batches()
    model = make_regressor(batch_norm=batch_norm, batch_size=batch_size, max_epochs=1, callbacks=[batches])
    model.fit(table[:n_rows], np.arange(n_rows))

    assert batches.sizes == sizes
    assert_is_finite(model, table, 300)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", ["loss", None])
def test_one_validation_row_is_enough(makers, table, kind, scoring):
    make, target = KINDS[kind]
    y, score = target(60), scoring or {"classifier": "accuracy", "regressor": "neg_mean_absolute_error"}[make]
    given = makers[make](scoring=score).fit(table[:60], y, X_val=table[:1], y_val=y[:1])
    split = makers[make](scoring=score).fit(table[:10], y[:10])  # holds out a tenth

    for model in (given, split):
        assert np.isfinite(model.best_score_)
        assert_is_finite(model, table, 300)


def test_a_score_that_is_never_a_number_leaves_a_finite_model(make_classifier, table):
    def undefined(model, X, y):
        return float("nan")

    model = make_classifier(scoring=undefined).fit(table[:10], np.arange(10) % 2)
    assert np.isnan(model.best_score_)
    assert_is_finite(model, table, 300)


@pytest.mark.parametrize("n_rows", [2, 10, 11, 40])
def test_a_class_of_one_row_is_trained_on(make_classifier, table, n_rows):
    for classes in (["rare", "usual"], ["rare", "usual", "other"]):
        y = np.full(n_rows, "usual", dtype=object)
        y[-1] = "rare"
        if len(classes) == 3 and n_rows > 2:
            y[: n_rows // 2] = "other"
        model = make_classifier(validation_fraction=0.5).fit(table[:n_rows], y)
        assert_array_equal(model.classes_, np.unique(y))
        assert_is_finite(model, table, 300)

        is_held_out = hold_out(n_rows, 0.5, np.random.default_rng(0), np.unique(y, return_inverse=True)[1])
        assert set(y[~is_held_out]) == set(y)


def test_two_classes_of_one_row_each_have_a_finite_prior(make_classifier, table):
    weight = np.array([1e-300, 1.0])
    model = make_classifier(class_weight={0: 1.0, 1: 1e-12}).fit(table[:2], [0, 1], sample_weight=weight)

    assert_is_finite(model, table, 300)
