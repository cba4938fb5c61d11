"""Schedules, stopping and refits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import f1_score, log_loss, make_scorer, roc_auc_score
from skorch.callbacks import Callback

COLORS = np.array(["blue", "green", "red"])


class Steps(Callback):
    """Keeps the learning rate of each step, and the weights before it."""

    def on_train_begin(self, net, **kwargs):
        self.rates, self.weights = [], []

    def on_batch_begin(self, net, **kwargs):
        self.weights.append(weights_of(net.module_))

    def on_grad_computed(self, net, named_parameters, **kwargs):  # after the schedule, before the optimizer
        (rate,) = {group["lr"] for group in net.optimizer_.param_groups}
        self.rates.append(rate)


class Script:
    """A scorer that gives the scores it is told, and keeps the weights it has seen."""

    def __init__(self, scores):
        self.scores, self.weights = list(scores), []

    def __call__(self, estimator, X, y):
        self.weights.append(weights_of(estimator.module_))
        return self.scores[len(self.weights) - 1]


def weights_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_equal_weights(actual, expected):
    for name, value in expected.items():
        assert actual[name].equal(value), name


@pytest.fixture(scope="module")
def halves(table, clicks):
    """Rows to train on and to validate with, as arguments of ``fit``."""
    y = clicks[1]
    return {"X": table[:200], "y": y[:200], "X_val": table[200:], "y_val": y[200:]}


# Schedules. 200 rows in batches of 64 are 4 steps per epoch, the last of 8 rows.


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_linear_falls_from_step_to_step_to_one_step_above_zero_after_the_last_epoch(make_classifier, halves, optimizer):
    steps = Steps()
    rate = {"optimizer": optimizer, "learning_rate": 0.01, "learning_rate_schedule": "linear"}
    model = make_classifier(**rate, max_epochs=3, n_iter_no_change=9, callbacks=[steps]).fit(**halves)

    assert_allclose(steps.rates, [0.01 * (1 - step / 12) for step in range(12)])
    assert [record["learning_rate"] for record in model.history_] == [steps.rates[3], steps.rates[7], steps.rates[11]]


def test_linear_falls_towards_max_epochs_even_if_training_stops_before(make_classifier, halves):
    steps, scorer = Steps(), Script([0.5, 0.4])
    parameters = {"learning_rate": 0.01, "max_epochs": 50, "n_iter_no_change": 1, "scoring": scorer}
    make_classifier(**parameters, callbacks=[steps]).fit(**halves)

    assert_allclose(steps.rates, [0.01 * (1 - step / 200) for step in range(8)])


def test_constant_stays(make_classifier, halves):
    steps = Steps()
    parameters = {"learning_rate_schedule": "constant", "learning_rate": 0.01, "n_iter_no_change": 9}
    make_classifier(**parameters, callbacks=[steps]).fit(**halves)

    assert steps.rates == [0.01] * 8


def test_plateau_takes_a_tenth_and_goes_back_to_the_best_weights_at_each_evaluation_without_gain(
    make_classifier, halves
):
    steps, scorer = Steps(), Script([0.5, 0.6, 0.6, 0.4, 0.7, 0.7])
    model = make_classifier(
        learning_rate_schedule="plateau",
        learning_rate=0.01,
        max_epochs=6,
        n_iter_no_change=9,
        scoring=scorer,
        callbacks=[steps],
    ).fit(**halves)

    # an equal score is no gain: epochs 3, 4 and 6 have none
    assert_allclose(steps.rates, np.repeat([0.01, 0.01, 0.01, 0.001, 0.0001, 0.0001], 4))
    assert_equal_weights(steps.weights[4], scorer.weights[0])  # epoch 2 goes on from where epoch 1 ended
    assert_equal_weights(steps.weights[12], scorer.weights[1])  # epochs 4 and 5 start where epoch 2 ended
    assert_equal_weights(steps.weights[16], scorer.weights[1])
    assert_equal_weights(steps.weights[20], scorer.weights[4])
    assert not steps.weights[12]["mlp.output.weight"].equal(scorer.weights[2]["mlp.output.weight"])
    assert_equal_weights(weights_of(model.module_), scorer.weights[4])
    # a record has the rate of the steps that led to it
    assert_allclose([record["learning_rate"] for record in model.history_], steps.rates[::4])


def test_plateau_judges_each_evaluation_not_each_epoch(make_classifier, halves):
    steps, scorer = Steps(), Script([0.5, 0.4, 0.3, 0.2])
    make_classifier(
        learning_rate_schedule="plateau",
        learning_rate=0.01,
        max_epochs=1,
        evaluations_per_epoch=4,
        n_iter_no_change=9,
        scoring=scorer,
        callbacks=[steps],
    ).fit(**halves)

    assert_allclose(steps.rates, [0.01, 0.01, 0.001, 0.0001])


# Evaluations.


def test_evaluations_are_spread_over_the_steps_of_an_epoch(make_classifier, halves):
    model = make_classifier(max_epochs=2, evaluations_per_epoch=2, n_iter_no_change=9).fit(**halves)
    each_step = make_classifier(max_epochs=1, evaluations_per_epoch=100, n_iter_no_change=9).fit(**halves)

    assert [record["epoch"] for record in model.history_] == [0.5, 1.0, 1.5, 2.0]
    assert [record["epoch"] for record in each_step.history_] == [0.25, 0.5, 0.75, 1.0]


def test_an_evaluation_within_an_epoch_can_be_the_best_and_the_patience_counts_evaluations(make_classifier, halves):
    scorer = Script([0.1, 0.2, 0.9, 0.3, 0.4])
    model = make_classifier(max_epochs=9, evaluations_per_epoch=4, n_iter_no_change=2, scoring=scorer).fit(**halves)

    assert model.history_[-1]["epoch"] == 1.25
    assert (model.best_epoch_, model.n_epochs_, model.best_score_) == (1, 2, 0.9)
    assert_equal_weights(weights_of(model.module_), scorer.weights[2])


def test_more_evaluations_do_not_change_the_training(make_classifier, halves):
    parameters = {"early_stopping": False, "max_epochs": 3}
    one, four = (make_classifier(evaluations_per_epoch=n, **parameters).fit(halves["X"], halves["y"]) for n in (1, 4))

    assert_array_equal(one.predict_proba(halves["X_val"]), four.predict_proba(halves["X_val"]))


# Early stopping on any score.


def area(model, X, y):
    return roc_auc_score(y, model.predict_proba(X)[:, 1])


@pytest.mark.parametrize(
    "scoring",
    ["roc_auc", make_scorer(roc_auc_score, response_method="predict_proba"), area],
    ids=["name", "scorer", "callable"],
)
def test_a_score_stops_the_training_in_each_form_that_a_scorer_has(make_classifier, halves, scoring):
    parameters = {"learning_rate_schedule": "constant", "learning_rate": 0.02, "max_epochs": 60, "n_iter_no_change": 3}
    model = make_classifier(scoring=scoring, **parameters).fit(**halves)

    scores = [record["valid_score"] for record in model.history_]
    best = int(np.argmax(scores))  # the first of equals
    assert len(scores) < 60
    assert len(scores) == best + 1 + 3
    assert model.best_epoch_ == best + 1
    assert model.best_score_ == scores[best]
    assert area(model, halves["X_val"], halves["y_val"]) == pytest.approx(scores[best], abs=1e-12)


def test_a_score_that_should_be_low_is_made_lower(make_classifier, halves):
    scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    by_scorer, by_name, by_loss = (
        make_classifier(scoring=scoring, max_epochs=8).fit(**halves) for scoring in (scorer, "neg_log_loss", "loss")
    )

    assert by_scorer.best_score_ < 0
    for model in (by_scorer, by_name):
        assert model.best_epoch_ == by_loss.best_epoch_
        assert model.best_score_ == pytest.approx(by_loss.best_score_, rel=1e-5)
        assert_equal_weights(weights_of(model.module_), weights_of(by_loss.module_))


def test_a_score_of_three_classes_stops_the_training(make_classifier, table):
    y = COLORS[table["category"] % 3]
    scorer = make_scorer(f1_score, average="macro", pos_label=None)  # scikit-learn 1.8 looks for 1 else
    model = make_classifier(scoring=scorer, max_epochs=4).fit(table[:200], y[:200], X_val=table[200:], y_val=y[200:])

    expected = f1_score(y[200:], model.predict(table[200:]), average="macro")
    assert model.best_score_ == pytest.approx(expected, abs=1e-12)


# Held-out rows, and the weights that are kept.


class TrainingRows(Callback):
    """Collects the first column of all batches."""

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_end(self, net, batch=None, **kwargs):
        self.seen += batch.features["x0"].tolist()


@pytest.mark.parametrize(("fraction", "n_held_out"), [(0.1, 6), (0.25, 15), (0.5, 30)])
def test_the_score_is_that_of_the_rows_that_training_never_sees(make_classifier, fraction, n_held_out):
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.arange(60) / 64, rng.normal(size=60)]), np.arange(60) % 3 == 0
    rows = TrainingRows()
    model = make_classifier(validation_fraction=fraction, callbacks=[rows], max_epochs=1).fit(X, y)

    is_trained_on = np.isin(X[:, 0], rows.seen)
    assert sorted(rows.seen) == X[is_trained_on, 0].tolist()  # each once
    assert (~is_trained_on).sum() == n_held_out
    assert y[~is_trained_on].sum() == n_held_out // 3  # each class in proportion
    loss = log_loss(y[~is_trained_on], model.predict_proba(X[~is_trained_on]))
    assert model.best_score_ == pytest.approx(-loss, rel=1e-5)


@pytest.mark.parametrize("parameters", [{"validation_fraction": 0.5}, {"early_stopping": False}])
def test_given_validation_rows_nothing_else_is_held_out(make_classifier, parameters):
    X, y = np.arange(60)[:, None] / 64, np.arange(60) % 2
    rows = TrainingRows()
    model = make_classifier(callbacks=[rows], max_epochs=1, **parameters).fit(X, y, X_val=X[:9] + 2, y_val=y[:9])

    assert sorted(rows.seen) == X[:, 0].tolist()
    assert model.best_score_ == pytest.approx(-log_loss(y[:9], model.predict_proba(X[:9] + 2)), rel=1e-5)


def test_without_early_stopping_and_validation_rows_nothing_is_held_out(make_classifier):
    X, y = np.arange(60)[:, None] / 64, np.arange(60) % 2
    rows = TrainingRows()
    make_classifier(callbacks=[rows], max_epochs=1, early_stopping=False).fit(X, y)

    assert sorted(rows.seen) == X[:, 0].tolist()


@pytest.mark.parametrize("schedule", ["linear", "plateau", "constant"])
@pytest.mark.parametrize(
    ("parameters", "n_epochs"),
    [
        ({"n_iter_no_change": 2}, 4),
        ({"n_iter_no_change": 9}, 5),
        ({"n_iter_no_change": 1, "early_stopping": False}, 5),
    ],
    ids=["stopped", "max_epochs reached", "no early stopping"],
)
def test_the_best_weights_are_restored_whatever_ends_the_training(
    make_classifier, halves, schedule, parameters, n_epochs
):
    scorer = Script([0.3, 0.9, 0.2, 0.8, 0.1])
    model = make_classifier(learning_rate_schedule=schedule, max_epochs=5, scoring=scorer, **parameters).fit(**halves)

    assert (model.best_epoch_, model.n_epochs_, model.best_score_) == (2, n_epochs, 0.9)
    assert_equal_weights(weights_of(model.module_), scorer.weights[1])
    last = scorer.weights[-1]["mlp.output.weight"]
    assert not model.module_.mlp.output.weight.equal(last)


def test_without_held_out_rows_the_last_weights_are_kept(make_classifier, halves):
    class Last(Callback):
        def on_batch_end(self, net, **kwargs):
            self.weights = weights_of(net.module_)

    last = Last()
    model = make_classifier(early_stopping=False, max_epochs=3, callbacks=[last]).fit(halves["X"], halves["y"])

    assert_equal_weights(weights_of(model.module_), last.weights)


# The same object, fitted again.


def test_a_second_fit_of_the_same_object_is_the_first_to_the_bit(make_classifier, table, clicks):
    model = make_classifier(dropout=0.3)
    first = model.fit(table, clicks[1]).predict_proba(table)

    assert_array_equal(model.fit(table, clicks[1]).predict_proba(table), first)
    assert_array_equal(make_classifier(dropout=0.3).fit(table, clicks[1]).predict_proba(table), first)


def test_a_fit_after_set_params_knows_nothing_of_the_fits_before(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1])
    changed = {"embedding_dim": 3, "hidden_layer_sizes": (5,), "activation": "prelu", "learning_rate": 0.02}

    other = model.set_params(**changed).fit(table, clicks[1]).predict_proba(table)
    assert_array_equal(other, make_classifier(**changed).fit(table, clicks[1]).predict_proba(table))
    before = make_classifier()
    back = model.set_params(**{name: getattr(before, name) for name in changed}).fit(table, clicks[1])
    assert_array_equal(back.predict_proba(table), before.fit(table, clicks[1]).predict_proba(table))
    assert (back.predict_proba(table) != other).any()


def test_a_fit_on_other_rows_and_classes_knows_nothing_of_the_fit_before(make_classifier, table, clicks):
    model = make_classifier().fit(np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 3)

    model.fit(table, clicks[1])
    assert model.classes_.tolist() == [0, 1]
    assert_array_equal(model.predict_proba(table), make_classifier().fit(table, clicks[1]).predict_proba(table))


def test_a_random_state_instance_goes_on_from_fit_to_fit_and_its_seed_gives_both_again(make_classifier, table, clicks):
    def two_fits():
        model = make_classifier(random_state=np.random.RandomState(7))
        return [model.fit(table, clicks[1]).predict_proba(table) for _ in range(2)]

    first, second = two_fits()
    again = two_fits()

    assert (first != second).any()
    assert_array_equal(again[0], first)
    assert_array_equal(again[1], second)
