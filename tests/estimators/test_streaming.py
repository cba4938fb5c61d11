"""A fit on rows that are read in parts, against ``fit`` on all of them."""

import datetime
import inspect
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from skorch.callbacks import Callback

from sklearn_din.estimators._streaming import _Draw, fit_stream


class Parts:
    """Rows in memory, handed out in parts."""

    def __init__(self, table, y, weight=None, sizes=None):
        ends = np.cumsum([len(y)] if sizes is None else sizes)
        assert ends[-1] == len(y)
        self.rows = np.split(np.arange(len(y)), ends[:-1])
        self.all = table, y, weight

    def __len__(self):
        return len(self.rows)

    def table(self, part):
        return self.all[0][self.rows[part]]

    def target_and_weight(self, part):
        _, y, weight = self.all
        return y[self.rows[part]], None if weight is None else weight[self.rows[part]]

    def place(self, part):
        return f"part {part} of the rows"


class Trained(Callback):
    """What the steps were made of."""

    def __init__(self):
        self.targets, self.weights, self.sizes = [], [], []

    def on_grad_computed(self, net, named_parameters, batch=None, **kwargs):
        self.targets.append(batch.target.numpy().copy())
        self.weights.append(None if batch.weight is None else batch.weight.numpy().copy())
        self.sizes.append(len(batch))


SIZES = [[300], [100, 100, 100], [1, 250, 49]]
# One step per epoch on all rows, whatever their order.
FULL = {
    "batch_size": 10_000,
    "max_epochs": 4,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "dropout": 0.0,
    "unknown_rate": 0.0,
    "behavior_dropout": 0.0,
    "early_stopping": False,
}


def weights_of(model):
    return {name: value.numpy() for name, value in model.module_.state_dict().items()}


def assert_same_model(streamed, fitted, atol=1e-6):
    before, after = weights_of(fitted), weights_of(streamed)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert_allclose(after[name], value, rtol=1e-5, atol=atol, err_msg=name)


@pytest.fixture
def labels():
    """Label the rows by one of three names."""
    return np.random.default_rng(0).choice(["rarely", "never", "often"], 300, p=[0.5, 0.4, 0.1])


@pytest.fixture
def weight():
    """Weigh the rows: a third of them not at all, nor the first one, nor those after row 250."""
    weight = np.random.default_rng(1).choice([0.0, 1.0, 5.0], 300)
    weight[0] = weight[251:] = 0.0
    return weight


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 1.0}, {0: 0.0, 1: 1.0}], ids=str)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_classifier_learns_what_fit_does(make_classifier, table, clicks, weight, is_weighted, class_weight, sizes):
    weight = weight if is_weighted else None
    parameters = FULL | {"class_weight": class_weight}
    fitted = make_classifier(**parameters).fit(table, clicks[1], sample_weight=weight)
    streamed = fit_stream(make_classifier(**parameters), Parts(table, clicks[1], weight, sizes), 1000)

    assert_same_model(streamed, fitted)
    assert_array_equal(streamed.classes_, fitted.classes_)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("class_weight", [None, "balanced", {"never": 4.0}, {"often": 0.0}], ids=str)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_three_names_of_classes_are_learnt_as_by_fit(
    make_classifier, table, labels, weight, is_weighted, class_weight, sizes
):
    weight = weight if is_weighted else None
    parameters = FULL | {"class_weight": class_weight}
    fitted = make_classifier(**parameters).fit(table, labels, sample_weight=weight)
    streamed = fit_stream(make_classifier(**parameters), Parts(table, labels, weight, sizes), 1000)

    assert_same_model(streamed, fitted)
    assert streamed.classes_.tolist() == ["never", "often", "rarely"]
    assert_array_equal(streamed.predict(table), fitted.predict(table))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_regressor_learns_what_fit_does(make_regressor, table, clicks, weight, is_weighted, sizes):
    y = 50.0 + 7.0 * clicks[1] + np.random.default_rng(0).normal(size=300)
    weight = weight if is_weighted else None
    fitted = make_regressor(**FULL).fit(table, y, sample_weight=weight)
    streamed = fit_stream(make_regressor(**FULL), Parts(table, y, weight, sizes), 1000)

    assert_same_model(streamed, fitted)
    assert_allclose(streamed.predict(table), fitted.predict(table), rtol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"embedding_regularization": "l2", "embedding_alpha": 0.01},
        {"embedding_regularization": None},
        {"sparse_embeddings": True},
        {"batch_norm": True, "candidate_bias": True, "embedding_init_std": 0.5},
        {"learning_rate_schedule": "constant", "evaluations_per_epoch": 2},
        {"learning_rate_schedule": "plateau"},
    ],
    ids=str,
)
def test_other_parameters_mean_what_they_mean_in_fit(make_classifier, table, clicks, parameters):
    fitted = make_classifier(**FULL | parameters).fit(table, clicks[1])
    streamed = fit_stream(make_classifier(**FULL | parameters), Parts(table, clicks[1], sizes=SIZES[1]), 1000)

    assert_same_model(streamed, fitted)
    assert len(streamed.history_) == len(fitted.history_)


def test_attributes_are_those_of_fit(make_classifier, table, clicks):
    fitted = make_classifier(**FULL).fit(table, clicks[1])
    streamed = fit_stream(make_classifier(**FULL), Parts(table, clicks[1], sizes=SIZES[1]), 1000)

    assert vars(streamed).keys() == vars(fitted).keys()
    for name in ("n_epochs_", "best_epoch_", "best_score_", "score_name_", "layout_", "n_features_in_", "device_"):
        assert getattr(streamed, name) == getattr(fitted, name), name
    assert_array_equal(streamed.feature_names_in_, fitted.feature_names_in_)
    for streamed_record, record in zip(streamed.history_, fitted.history_, strict=True):
        assert streamed_record.keys() == record.keys()
        assert streamed_record["train_loss"] == pytest.approx(record["train_loss"], abs=1e-6)


def test_sizes_that_are_chosen_by_the_rows_are_those_of_fit(make_classifier, table, clicks):
    parameters = {"batch_size": "auto", "max_epochs": "auto", "early_stopping": False, "n_iter_no_change": 1}
    trained = [Trained(), Trained()]
    fitted = make_classifier(**parameters, callbacks=trained[:1]).fit(table, clicks[1])
    streamed = make_classifier(**parameters, callbacks=trained[1:])
    fit_stream(streamed, Parts(table, clicks[1], sizes=SIZES[2]), 100)

    assert trained[0].sizes == trained[1].sizes
    assert fitted.n_epochs_ == streamed.n_epochs_


def test_a_weight_of_zero_is_an_absent_row(make_classifier, table, clicks, weight):
    trained = Trained()
    model = make_classifier(batch_size=64, early_stopping=False, max_epochs=1, callbacks=[trained])
    fit_stream(model, Parts(table, clicks[1], weight, SIZES[2]), 100)

    weights = np.concatenate(trained.weights)
    present = weight[weight > 0]
    assert len(weights) == len(present)
    assert_allclose(np.sort(weights), np.sort(present / present.mean()), rtol=1e-6)


def test_the_scale_of_the_weights_does_not_count(make_classifier, table, clicks, weight):
    models = [
        fit_stream(make_classifier(**FULL), Parts(table, clicks[1], scale * weight, SIZES[2]), 1000)
        for scale in (1.0, 1e300, 1e-300)
    ]

    for model in models[1:]:
        assert_same_model(model, models[0])


def test_small_buffers_train_on_each_row_once_per_epoch(make_regressor, table):
    trained = Trained()
    model = make_regressor(max_epochs=3, batch_size=32, early_stopping=False, callbacks=[trained])
    fit_stream(model, Parts(table, np.arange(300.0), sizes=[60] * 5), 100)

    rows = np.concatenate(trained.targets) * model._scale + model._mean
    for epoch in rows.reshape(3, 300):
        assert_allclose(np.sort(epoch), np.arange(300), atol=1e-3)


class Held:
    """A scorer that keeps the rows it was given."""

    def __init__(self, metric):
        self.metric, self.calls = metric, []

    def __call__(self, model, X, y):
        self.calls.append((X, y))
        return self.metric(y, model.predict(X))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_held_out_rows_are_not_trained_on_and_all_others_are(make_regressor, table, sizes):
    trained, held = Trained(), Held(r2_score)
    model = make_regressor(scoring=held, validation_fraction=0.3, max_epochs=1, callbacks=[trained])
    fit_stream(model, Parts(table, np.arange(300.0), sizes=sizes), 1000)

    rows = np.concatenate(trained.targets) * model._scale + model._mean
    X, y = held.calls[0]
    assert_allclose(np.sort(np.concatenate([rows, y])), np.arange(300), atol=1e-3)
    assert 60 < len(y) < 120
    assert_array_equal(X["item"], table["item"][y.astype(int)])


def test_no_more_rows_are_held_out_than_the_buffer_holds_about(make_regressor, table):
    held = Held(r2_score)
    model = make_regressor(scoring=held, validation_fraction=0.5, max_epochs=1)
    fit_stream(model, Parts(table, np.arange(300.0), sizes=SIZES[1]), 20)

    assert 10 < len(held.calls[0][1]) < 30


def test_held_out_rows_are_others_with_another_seed_and_in_each_part(make_regressor, table):
    chosen = []
    for seed in (0, 0, 1):
        held = Held(r2_score)
        model = make_regressor(scoring=held, validation_fraction=0.5, max_epochs=1, random_state=seed)
        fit_stream(model, Parts(table, np.arange(300.0), sizes=SIZES[1]), 1000)
        chosen.append(set(held.calls[0][1].astype(int).tolist()))

    assert chosen[0] == chosen[1] != chosen[2]
    parts = [{row - start for row in chosen[0] if start <= row < start + 100} for start in (0, 100, 200)]
    assert parts[0] != parts[1] != parts[2]


def held_labels(model, table, y, buffer_size=1000, weight=None, sizes=None):
    held = Held(accuracy_score)
    fit_stream(model.set_params(scoring=held, max_epochs=1), Parts(table, y, weight, sizes), buffer_size)
    return Counter(held.calls[0][1].tolist()) if held.calls else Counter()


@pytest.mark.parametrize("sizes", [*SIZES, [1] * 300], ids=lambda sizes: str(len(sizes)))
def test_each_class_is_held_out_in_proportion_over_all_parts(make_classifier, table, sizes):
    y = np.repeat(["often", "rarely", "never"], [200, 80, 20])  # most parts have one class only

    assert held_labels(make_classifier(), table, y, sizes=sizes) == {"often": 20, "rarely": 8, "never": 2}


@pytest.mark.parametrize("rare", [0, 1])
@pytest.mark.parametrize("places", [(0, 1), (3, 110), (118, 119)], ids=str)
def test_of_two_rows_of_a_class_one_is_held_out(make_classifier, table, rare, places):
    y = np.full(120, 1 - rare)
    y[list(places)] = rare

    for seed in range(5):
        counts = held_labels(make_classifier(random_state=seed), table[:120], y, sizes=[40, 40, 40])
        assert counts == {rare: 1, 1 - rare: 11}


def test_a_class_of_one_row_does_not_take_the_place_of_another(make_classifier, table):
    y = np.repeat([0, 1, 2], [1, 2, 117])

    assert held_labels(make_classifier(), table[:120], y, sizes=[60, 60]) == {1: 1, 2: 10}


def test_scores_that_need_two_classes_are_finite_where_one_is_rare(make_classifier, table):
    y = (np.arange(120) > 117).astype(int)
    model = make_classifier(scoring="roc_auc")
    fit_stream(model, Parts(table[:120], y, sizes=[40, 40, 40]), 100)

    assert np.isfinite([record["valid_score"] for record in model.history_]).all()


@pytest.mark.parametrize(
    ("n_rows", "expected"), [((1, 1), {}), ((2, 2), {0: 1, 1: 1}), ((1, 9), {1: 8}), ((2, 8), {0: 1, 1: 7})]
)
def test_a_row_of_each_class_is_always_trained_on(make_classifier, table, n_rows, expected):
    y = np.repeat([0, 1], n_rows)
    model = make_classifier(validation_fraction=0.999)

    assert held_labels(model, table[: len(y)], y, sizes=[1, len(y) - 1]) == expected
    assert (model.best_score_ is None) == (not expected)


def test_no_more_rows_of_classes_are_held_out_than_the_buffer_holds(make_classifier, table):
    y = np.repeat([0, 1], [240, 60])

    assert held_labels(make_classifier(validation_fraction=0.5), table, y, 20, sizes=SIZES[1]) == {0: 16, 1: 4}


def test_rows_without_weight_are_not_held_out(make_classifier, table):
    y, weight = np.repeat([0, 1], [200, 100]), np.ones(300)
    weight[:150] = weight[200:280] = 0.0
    model = make_classifier(validation_fraction=0.5)

    assert held_labels(model, table, y, weight=weight, sizes=SIZES[1]) == {0: 25, 1: 10}
    assert held_labels(model.set_params(class_weight={0: 0.0}), table, y, sizes=SIZES[1]) == {1: 50}


def test_each_row_is_as_likely_to_be_held_out_as_any_other():
    counts = np.zeros(20)
    for seed in range(1000):
        counts += _Draw(np.array([20]), 0.2, np.random.default_rng(seed)).next(np.zeros(20, dtype=int))

    assert counts.sum() == 4000
    assert abs(counts - 200).max() < 4 * np.sqrt(1000 * 0.2 * 0.8)


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(labels=LABELS, fraction=st.floats(0.01, 0.99), cuts=st.sets(st.integers(1, 39)))
def test_what_is_held_out_is_in_proportion_and_does_not_depend_on_the_parts(labels, fraction, cuts):
    strata = np.array(labels)
    sizes = np.bincount(strata, minlength=4)
    whole = _Draw(sizes, fraction, np.random.default_rng(0)).next(strata)
    draw = _Draw(sizes, fraction, np.random.default_rng(0))
    parts = np.split(strata, sorted(cut for cut in cuts if cut < len(strata)))

    assert_array_equal(np.concatenate([draw.next(part) for part in parts]), whole)
    counts = np.bincount(strata[whole], minlength=4)
    assert (abs(counts - sizes * fraction) < 2).all()
    assert (counts[sizes > 0] < sizes[sizes > 0]).all()
    assert counts.sum() <= len(strata) * fraction + 1e-6


def test_the_best_score_is_that_of_the_weights_kept_on_the_held_out_rows(make_classifier, table, clicks):
    held = Held(accuracy_score)
    model = make_classifier(scoring=held, validation_fraction=0.3, max_epochs=5, batch_size=16, n_iter_no_change=10)
    fit_stream(model, Parts(table, clicks[1], sizes=SIZES[1]), 100)

    X, y = held.calls[0]
    scores = [record["valid_score"] for record in model.history_]
    assert len(scores) == 5
    assert model.best_score_ == max(scores) == accuracy_score(y, model.predict(X))
    assert model.best_epoch_ == 1 + int(np.argmax(scores))


def test_training_stops_where_the_score_of_the_held_out_rows_no_longer_improves(make_classifier, table):
    noise = np.random.default_rng(0).integers(0, 2, 300)
    model = make_classifier(learning_rate=0.03, max_epochs=40, batch_size=16, n_iter_no_change=2)
    fit_stream(model, Parts(table, noise, sizes=SIZES[1]), 100)

    losses = [record["valid_loss"] for record in model.history_]
    assert model.n_epochs_ < 40
    assert model.best_score_ == -min(losses)
    assert model.best_epoch_ == 1 + int(np.argmin(losses)) == model.n_epochs_ - 2


def test_weights_of_held_out_rows_count_in_their_loss(make_classifier, table, clicks):
    losses = []
    for weight in (None, np.where(clicks[1] == 1, 9.0, 1.0)):
        model = make_classifier(learning_rate=1e-30, validation_fraction=0.5, max_epochs=1)
        fit_stream(model, Parts(table, clicks[1], weight, SIZES[1]), 1000)
        losses.append(model.history_[0]["valid_loss"])

    # The prior of 0.5 has the loss log(2); one of 0.9 has less where nine tenths of the weight are of its class.
    assert losses[0] == pytest.approx(np.log(2), abs=0.02)
    assert losses[1] == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1), abs=0.05)


@pytest.mark.parametrize("buffer_size", [50, 1000])
def test_the_same_seed_gives_the_same_model(make_classifier, table, clicks, buffer_size):
    models = [
        fit_stream(make_classifier(random_state=seed), Parts(table, clicks[1], sizes=SIZES[1]), buffer_size)
        for seed in (3, 3, 4)
    ]

    first, again, other = map(weights_of, models)
    for name, value in first.items():
        assert_array_equal(again[name], value, err_msg=name)
    assert any((other[name] != value).any() for name, value in first.items())


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)], ids=["None", "RandomState"])
def test_without_a_fixed_seed_each_model_is_another(make_classifier, table, clicks, random_state):
    models = [
        fit_stream(make_classifier(random_state=random_state), Parts(table, clicks[1], sizes=SIZES[1]), 100)
        for _ in range(2)
    ]

    first, second = map(weights_of, models)
    assert any((first[name] != second[name]).any() for name in first)


def assert_refused(model, parts, match, note=None):
    with pytest.raises(ValueError, match=match) as caught:
        fit_stream(model, parts, 100)

    notes = getattr(caught.value, "__notes__", [])
    assert notes == ([] if note is None else [note])
    assert not any(name.endswith("_") for name in vars(model))
    with pytest.raises(NotFittedError):
        model.predict(parts.table(0))


def test_a_missing_target_names_its_part(make_regressor, table):
    y = np.arange(300.0)
    y[150] = np.nan

    assert_refused(make_regressor(), Parts(table, y, sizes=SIZES[1]), "NaN", "In part 1 of the rows.")


@pytest.mark.parametrize(("wrong", "match"), [(-1.0, "Negative values"), (np.inf, "infinity"), (np.nan, "NaN")])
def test_a_wrong_weight_names_its_part(make_classifier, table, clicks, wrong, match):
    weight = np.ones(300)
    weight[299] = wrong

    assert_refused(make_classifier(), Parts(table, clicks[1], weight, SIZES[1]), match, note="In part 2 of the rows.")


def test_one_class_is_refused(make_classifier, table):
    assert_refused(make_classifier(), Parts(table, np.full(300, "yes"), sizes=SIZES[1]), "only one class: 'yes'")


def test_labels_that_are_numbers_in_all_parts_are_refused_as_by_fit(make_classifier, table):
    assert_refused(make_classifier(), Parts(table, np.arange(300) / 7, sizes=SIZES[1]), "Unknown label type")


@pytest.mark.parametrize("make", ["make_classifier", "make_regressor"])
def test_rows_that_weigh_nothing_are_refused(request, make, table, clicks):
    parts = Parts(table, clicks[1].astype(float), np.zeros(300), SIZES[1])

    assert_refused(request.getfixturevalue(make)(), parts, "The weight of every row is 0: nothing is left")


def test_numbers_that_are_too_large_are_refused(make_regressor, table):
    y = np.where(np.arange(300) % 2, 1e200, -1e200)

    assert_refused(make_regressor(), Parts(table, y, sizes=SIZES[1]), "its values go from -1e\\+200 to 1e\\+200")


def test_a_target_and_a_table_of_other_lengths_are_refused(make_classifier, table, clicks):
    parts = Parts(table, clicks[1], sizes=SIZES[1])
    parts.table = lambda part: table[:99]

    assert_refused(make_classifier(), parts, "inconsistent numbers of samples")


def test_classes_that_weigh_nothing_are_refused(make_classifier, table, clicks):
    model = make_classifier(class_weight={0: 0.0, 1: 0.0})

    assert_refused(model, Parts(table, clicks[1], sizes=SIZES[1]), "The weight of every row is 0: nothing is left")


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"max_epochs": 0}, "max_epochs"),
        ({"sparse_embeddings": True, "embedding_regularization": "l2"}, "sparse_embeddings"),
        ({"class_weight": {0: -1.0}}, "class_weight must be finite and not negative"),
    ],
    ids=str,
)
def test_parameters_are_checked_as_by_fit(make_classifier, table, clicks, parameters, match):
    assert_refused(make_classifier(**parameters), Parts(table, clicks[1]), match)


def test_an_error_leaves_a_fitted_estimator_unfitted(make_classifier, table, clicks):
    model = make_classifier(max_epochs=1).fit(table, clicks[1])
    with pytest.raises(ValueError, match="only one class"):
        fit_stream(model, Parts(table, np.zeros(300)), 100)

    with pytest.raises(NotFittedError):
        model.predict(table)


class Diverging(Callback):
    """Spoils the network after its first epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) > 1:
            net.module_.mlp.output.bias.data.fill_(float("inf"))


def test_training_that_diverges_keeps_the_best_weights_and_warns(make_classifier, table, clicks):
    model = make_classifier(max_epochs=5, callbacks=[Diverging()])
    with pytest.warns(ConvergenceWarning, match="the best weights before it are kept"):
        fit_stream(model, Parts(table, clicks[1], sizes=SIZES[1]), 100)

    assert np.isfinite(model.predict_proba(table)).all()
    assert model.best_epoch_ == 1


def called_like_fit_out_of_core(*arguments):
    return fit_stream(*arguments)


def test_the_warning_points_at_what_called_fit_out_of_core(make_classifier, table, clicks):
    model, parts = make_classifier(max_epochs=5, callbacks=[Diverging()]), Parts(table, clicks[1])
    line = inspect.currentframe().f_lineno + 2
    with pytest.warns(ConvergenceWarning) as caught:
        called_like_fit_out_of_core(model, parts, 100)

    assert [(each.filename, each.lineno) for each in caught] == [(__file__, line)]


def test_moments_and_gradients_are_let_go_with_the_fit(make_classifier, table, clicks):
    model = fit_stream(make_classifier(), Parts(table, clicks[1]), 100)

    assert len(model.net_.optimizer_.state) == 0
    assert all(weight.grad is None for weight in model.module_.parameters())


class Lengths(Callback):
    """How many behaviors a row is said to have."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.mean = X.mean_behaviors


@pytest.mark.parametrize("is_weighted", [False, True])
def test_behaviors_are_counted_in_the_rows_that_are_trained_on(make_regressor, table, weight, is_weighted):
    trained, lengths = Trained(), Lengths()
    model = make_regressor(validation_fraction=0.5, max_epochs=1, callbacks=[trained, lengths])
    fit_stream(model, Parts(table, np.arange(300.0), weight if is_weighted else None, SIZES[1]), 1000)

    rows = (np.concatenate(trained.targets) * model._scale + model._mean).round().astype(int)
    behaviors = sum(table.lengths(each.name)[rows].sum() for each in table.layout.sequences)
    assert lengths.mean == pytest.approx(behaviors / len(rows), rel=1e-12)


LABEL_TYPES = [
    np.array([7, -3], dtype=np.int8),
    np.array([0, 200], dtype=np.uint8),
    np.array([5, 10], dtype=np.int32),
    np.array([False, True]),
    np.array(["no", "maybe"]),
    np.array([1.0, 2.0], dtype=np.float32),
    np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[ns]"),
    np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]"),
    np.array([2, 1], dtype=object),
]


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("names", LABEL_TYPES, ids=lambda names: str(names.dtype))
def test_classes_are_those_of_fit_and_of_the_same_type(make_classifier, table, clicks, names, class_weight):
    y, parameters = names[clicks[1].astype(int)], FULL | {"class_weight": class_weight}
    fitted = make_classifier(**parameters).fit(table, y)
    streamed = fit_stream(make_classifier(**parameters), Parts(table, y, sizes=SIZES[2]), 1000)

    assert streamed.classes_.dtype == fitted.classes_.dtype
    assert_array_equal(streamed.classes_, fitted.classes_)
    assert_array_equal(streamed.predict(table), fitted.predict(table))
    assert_same_model(streamed, fitted)


def test_labels_that_fit_does_not_take_are_refused_in_the_same_words(make_classifier, table, clicks):
    y = np.array([datetime.date(2024, 1, 2), datetime.date(2024, 1, 3)])[clicks[1].astype(int)]
    with pytest.raises(ValueError, match="Unknown label type: unknown"):
        make_classifier().fit(table, y)

    assert_refused(make_classifier(), Parts(table, y, sizes=SIZES[1]), "Unknown label type: unknown")


def test_a_warm_start_goes_on_from_the_last_weights_as_in_fit(make_classifier, table, labels, weight):
    parameters = FULL | {"warm_start": True, "class_weight": "balanced", "learning_rate_schedule": "constant"}
    later = np.where(np.arange(300) < 150, labels, "often")  # in other shares
    fitted = make_classifier(**parameters).fit(table, labels).fit(table, later, sample_weight=weight)
    streamed = fit_stream(make_classifier(**parameters), Parts(table, labels, sizes=SIZES[1]), 1000)
    first = {name: value.copy() for name, value in weights_of(streamed).items()}
    fit_stream(streamed, Parts(table, later, weight, SIZES[2]), 1000)

    assert_same_model(streamed, fitted)
    assert any(abs(first[name] - value).max() > 1e-3 for name, value in weights_of(streamed).items())
    assert len(streamed.history_) == len(fitted.history_)


def test_a_warm_start_goes_on_from_fit_and_in_its_units(make_regressor, table):
    y = np.arange(300.0)
    models = [make_regressor(**FULL, warm_start=True).fit(table, y) for _ in range(2)]
    fitted, streamed = models[0].fit(table, 2 * y + 9), fit_stream(models[1], Parts(table, 2 * y + 9), 1000)

    assert_same_model(streamed, fitted)
    assert_allclose(streamed.predict(table), fitted.predict(table), rtol=1e-6)


def test_without_a_warm_start_a_second_fit_begins_anew(make_classifier, table, clicks):
    parts = Parts(table, clicks[1])
    once = fit_stream(make_classifier(), parts, 100)
    twice = fit_stream(fit_stream(make_classifier(), parts, 100), parts, 100)

    assert_same_model(twice, once, atol=0)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (
            lambda model, table, y: (model.set_params(embedding_dim=5), Parts(table, y)),
            "embedding_dim was 4 in the last",
        ),
        (lambda model, table, y: (model, Parts(table, y + 1)), "warm_start=True needs the same"),
        (
            lambda model, table, y: (model, Parts(np.zeros((300, 2)), y)),
            "X was not encoded as in the last fit: warm_start=True goes on with its embeddings",
        ),
    ],
    ids=["architecture", "classes", "layout"],
)
def test_a_warm_start_that_does_not_fit_is_refused_and_leaves_the_model(make_classifier, table, clicks, changed, match):
    model = fit_stream(make_classifier(warm_start=True), Parts(table, clicks[1]), 100)
    before = model.predict_proba(table)
    model, parts = changed(model, table, clicks[1])
    with pytest.raises(ValueError, match=match):
        fit_stream(model, parts, 100)

    assert_array_equal(model.predict_proba(table), before)


def test_a_warm_start_in_another_unit_is_refused_and_leaves_the_model(make_regressor, table):
    y = np.arange(300.0)
    model = fit_stream(make_regressor(warm_start=True), Parts(table, y), 100)
    before = model.predict(table)
    with pytest.raises(ValueError, match="y is of another scale than in the last fit: .* warm_start=True"):
        fit_stream(model, Parts(table, y * 1e6), 100)

    assert_array_equal(model.predict(table), before)


class Tasks:
    """A callback of scikit-learn's that counts what it is told."""

    def __init__(self):
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.told.append(context.task_name)
        assert np.isfinite(fitted_estimator.predict_proba(estimator.first_rows)).all()
        return False


def test_callbacks_of_scikit_learn_are_called_and_let_go(make_classifier, table, clicks):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has them first")
    tasks, model = Tasks(), make_classifier(max_epochs=2)
    model.set_callbacks(tasks)
    model.first_rows = table[:5]
    fit_stream(model, Parts(table, clicks[1], sizes=SIZES[1]), 100)

    assert tasks.told == ["setup", "epoch", "epoch", "fit", "teardown"]
