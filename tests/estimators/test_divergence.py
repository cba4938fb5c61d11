"""No fit returns a model that is not finite: what diverges, and data that can't be learnt from."""

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_din.training._callbacks import SAFE_MAGNITUDE, _magnitude

OPTIMIZERS = ["adam", "adamw", "sgd", "adagrad"]
DIVERGED = "Training diverged: the loss, a weight or a prediction is no longer finite, and nothing was learnt"


@pytest.fixture(scope="module")
def numbers():
    """60 rows of three numbers, classes, and a target of numbers."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 3)), np.arange(60) % 2, rng.normal(size=60)


def assert_is_finite(model, X):
    for name, value in model.module_.state_dict().items():
        assert value.isfinite().all(), name
    assert np.isfinite(model.predict(X)).all()
    if hasattr(model, "predict_proba"):
        assert np.isfinite(model.predict_proba(X)).all()


# Learning rates.


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [5.0, None])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_rate_that_explodes_at_once_raises(
    make_classifier, make_regressor, table, clicks, optimizer, clip_norm, early_stopping
):
    parameters = {"optimizer": optimizer, "clip_norm": clip_norm, "early_stopping": early_stopping}
    for make in (make_classifier, make_regressor):
        model = make(learning_rate=1e6, **parameters)
        with pytest.raises(ValueError, match=f"{DIVERGED}. learning_rate was 1000000.0: lower it"):
            model.fit(table, clicks[1])
        assert not hasattr(model, "net_")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("learning_rate", [1e15, 1e37])
@pytest.mark.parametrize("activation", ["dice", "relu"])
def test_huge_finite_weights_that_predict_nothing_finite_are_not_returned(
    make_classifier, make_regressor, table, clicks, optimizer, learning_rate, activation
):
    one_step = {"batch_size": 1000, "max_epochs": 1, "early_stopping": False, "activation": activation}
    for make in (make_classifier, make_regressor):
        with pytest.raises(ValueError, match=DIVERGED):
            make(optimizer=optimizer, learning_rate=learning_rate, **one_step).fit(table, clicks[1])


@pytest.mark.parametrize(("depth", "learning_rate"), [(8, 900.0), (10, 500.0), (20, 200.0)])
def test_a_deep_network_of_moderate_weights_whose_predictions_overflow_is_not_returned(
    make_classifier, make_regressor, table, clicks, depth, learning_rate
):
    parameters = {"hidden_layer_sizes": (64,) * depth, "learning_rate": learning_rate, "activation": "relu"}
    for make in (make_classifier, make_regressor):
        model = make(max_epochs=1, early_stopping=False, clip_norm=None, **parameters)
        with pytest.raises(ValueError, match=DIVERGED):
            model.fit(table, clicks[1])


def test_an_ordinary_network_is_not_predicted_with_to_see_whether_it_overflows(make_classifier, table, clicks):
    class Magnitudes(Callback):
        def on_train_end(self, net, **kwargs):
            state = net.module_.state_dict()
            self.digits = _magnitude(net.module_, max(float(each.abs().max()) for each in state.values()))

    for parameters in ({}, {"batch_norm": True}, {"attention_interaction": "outer"}, {"learning_rate": 0.1}):
        magnitudes = Magnitudes()
        sizes = {"hidden_layer_sizes": (200, 80), "attention_hidden_layer_sizes": (80, 40), "embedding_dim": 16}
        make_classifier(**sizes, max_epochs=5, callbacks=[magnitudes], **parameters).fit(table, clicks[1])
        assert 3 < magnitudes.digits < SAFE_MAGNITUDE


class Epochs(Callback):
    """Keeps the weights at the end of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.weights = []

    def on_epoch_end(self, net, **kwargs):
        self.weights.append(copy.deepcopy(net.module_.state_dict()))


@pytest.mark.parametrize("schedule", ["linear", "plateau", "constant"])
@pytest.mark.parametrize("activation", ["dice", "relu", "prelu"])
def test_a_rate_that_explodes_in_the_middle_leaves_the_last_finite_epoch(
    make_classifier, table, clicks, activation, schedule
):
    epochs = Epochs()
    model = make_classifier(
        activation=activation,
        attention_activation=activation,
        optimizer="sgd",
        learning_rate=10.0,
        learning_rate_schedule=schedule,
        clip_norm=None,
        max_epochs=10,
        early_stopping=False,
        callbacks=[epochs],
    )

    with pytest.warns(ConvergenceWarning, match="the best weights before it are kept. learning_rate was 10.0"):
        model.fit(table, clicks[1])
    assert_is_finite(model, table)
    assert model.best_epoch_ < model.n_epochs_ < 10
    for name, value in epochs.weights[model.best_epoch_ - 1].items():
        assert model.module_.state_dict()[name].equal(value), name


def test_many_rates_end_in_a_finite_model_or_an_error(make_classifier, make_regressor, table, clicks):
    n_fits = {"fitted": 0, "refused": 0}
    for rate in (1.0, 30.0, 1e3, 1e4, 1e5):
        for optimizer in ("adam", "sgd"):
            for activation in ("tanh", "dice"):
                for make in (make_classifier, make_regressor):
                    model = make(
                        activation=activation,
                        attention_activation=activation,
                        optimizer=optimizer,
                        learning_rate=rate,
                        clip_norm=None,
                        max_epochs=4,
                        early_stopping=False,
                    )
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore", ConvergenceWarning)
                            model.fit(table, clicks[1])
                    except ValueError as error:
                        assert DIVERGED in str(error)  # noqa: PT017
                        n_fits["refused"] += 1
                        continue
                    assert_is_finite(model, table)
                    n_fits["fitted"] += 1
    assert min(n_fits.values()) > 4


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss"])
def test_a_scorer_never_sees_a_diverged_network(make_classifier, table, clicks, scoring):
    with pytest.raises(ValueError, match=DIVERGED):
        make_classifier(learning_rate=1e6, scoring=scoring).fit(table, clicks[1])


# Numbers, targets and weights of any size.


@pytest.mark.parametrize("size", [1e10, 1e20, 1e30, 1e38])
@pytest.mark.parametrize("activation", ["dice", "prelu", "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_huge_numbers_end_in_a_finite_model_or_an_error(
    make_classifier, make_regressor, numbers, size, activation, batch_norm
):
    X = numbers[0] / np.abs(numbers[0]).max() * size
    for model, y in ((make_classifier, numbers[1]), (make_regressor, numbers[2])):
        fitted = model(activation=activation, batch_norm=batch_norm)
        try:
            fitted.fit(X, y)
        except ValueError as error:
            assert f"{DIVERGED}. learning_rate was 0.006: lower it, and check the scale" in str(error)  # noqa: PT017
        else:
            assert_is_finite(fitted, X)


@pytest.mark.parametrize("unit", [1e-320, 1e-300, 1e-100, 1e100, 1e150])
def test_a_target_of_any_unit_is_learnt(make_regressor, numbers, unit):
    X, _, y = numbers
    model = make_regressor().fit(X, y * unit)

    assert_is_finite(model, X)
    assert np.abs(model.predict(X)).max() < 10 * np.abs(y * unit).max() + 10 * (unit < 1e-150)


@pytest.mark.parametrize("constant", [0.1, -1e-300, 1e20 / 3, 1e100 / 3, 7e99])
def test_a_constant_target_of_any_size_is_learnt(make_regressor, numbers, constant):
    model = make_regressor().fit(numbers[0], np.full(60, constant))

    np.testing.assert_allclose(model.predict(numbers[0]), constant, rtol=1e-12, atol=2.0)


@pytest.mark.parametrize("unit", [1e155, 1e300, 1e307])
def test_a_target_whose_square_overflows_is_refused(make_regressor, numbers, unit):
    with pytest.raises(ValueError, match="y is too large to be standardised: its values go from .* a smaller unit"):
        make_regressor().fit(numbers[0], numbers[2] * unit)


@pytest.mark.parametrize("value", [1e16, 1e100, -1e300])
def test_a_target_far_from_the_others_is_named_with_its_row(make_regressor, numbers, value):
    X, _, y = numbers
    far, weight = y.copy(), np.ones(60)
    far[7], weight[7] = value, 1e-200
    with pytest.raises(ValueError, match="y_val has a value that is too far from the others: row 7 has .*1e"):
        make_regressor().fit(X, y, X_val=X, y_val=far)
    if abs(value) < 1e150:
        with pytest.raises(ValueError, match="y has a value that is too far from the others: row 7 has .*1e"):
            make_regressor().fit(X, far, sample_weight=weight)

    weight[7] = 0  # an absent row may have any target
    expected = make_regressor().fit(X, y, sample_weight=weight).predict(X)
    assert_array_equal(make_regressor().fit(X, far, sample_weight=weight).predict(X), expected)


@pytest.mark.parametrize("weight", [5e-324, 1e-300, 1e300, 1.7e308])
def test_weights_of_any_size_give_a_finite_model(make_classifier, make_regressor, numbers, weight):
    X, y, target = numbers
    one, of_class = np.ones(60), np.where(y == 1, weight, 1.0)
    one[3] = weight
    for given in (np.full(60, weight), one, of_class):
        for model, values in ((make_classifier(), y), (make_regressor(), target)):
            fitted = model.fit(X, values, given, X_val=X, y_val=values, sample_weight_val=given)
            assert_is_finite(fitted, X)
            assert np.isfinite(fitted.best_score_)
    for class_weight in ({0: weight, 1: weight}, {0: 1.0, 1: weight}, {0: 1e300, 1: weight}):
        assert_is_finite(make_classifier(class_weight=class_weight).fit(X, y, np.full(60, weight)), X)


def test_equal_weights_of_any_size_are_no_weights(make_classifier, numbers):
    X, y, _ = numbers
    expected = make_classifier().fit(X, y, np.ones(60)).predict_proba(X)

    for weight in (5e-324, 1e-300, 1e300, 1.7e308):
        assert_array_equal(make_classifier().fit(X, y, np.full(60, weight)).predict_proba(X), expected)


# Values that are not finite.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["X", "y", "sample_weight", "X_val", "y_val", "sample_weight_val"])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_value_that_is_not_finite_raises_and_names_the_argument(
    make_classifier, make_regressor, numbers, name, bad, kind
):
    X, y, _ = numbers
    given = {"X": X, "y": y.astype(float), "sample_weight": np.ones(60)}
    given |= {f"{argument}_val": values for argument, values in given.items()}
    given[name] = given[name].copy()
    given[name][(4, 1) if "X" in name else 4] = bad
    model = make_classifier() if kind == "classifier" else make_regressor()

    with pytest.raises(ValueError, match=rf"Input {name} contains {'NaN' if np.isnan(bad) else 'infinity'}"):
        model.fit(**given)


def test_negative_and_absent_weights_of_validation_rows_are_named(make_classifier, numbers):
    X, y, _ = numbers
    for weight, message in ((-np.ones(60), "sample_weight_val"), (np.ones(3), r"sample_weight_val\.shape")):
        with pytest.raises(ValueError, match=message):
            make_classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)


@pytest.mark.parametrize("labels", [[1], ["a"], [True], [2.0]])
def test_one_class_raises_whatever_its_name(make_classifier, numbers, labels):
    with pytest.raises(ValueError, match="y has only one class: .* A classifier needs rows of two classes"):
        make_classifier().fit(numbers[0], np.repeat(labels, 60))


def test_weights_that_leave_one_class_give_a_finite_model(make_classifier, numbers):
    X, y, _ = numbers
    model = make_classifier().fit(X, y, sample_weight=y.astype(float))

    assert_is_finite(model, X)
    assert (model.predict(X) == 1).all()


def test_a_divergence_in_a_warm_start_leaves_the_estimator_as_it_was(make_classifier, table, clicks):
    model = make_classifier(warm_start=True).fit(table, clicks[1])
    before = model.predict_proba(table)
    with pytest.raises(ValueError, match=DIVERGED):
        model.set_params(learning_rate=1e6).fit(table, clicks[1])

    assert_array_equal(model.predict_proba(table), before)


def test_a_weight_that_becomes_infinite_ends_the_training_with_the_epoch_before(make_classifier, table, clicks):
    class Explode(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                with torch.no_grad():
                    net.module_.mlp.output.weight.fill_(torch.inf)

    epochs = Epochs()
    with pytest.warns(ConvergenceWarning, match="learning_rate was 0.006: lower it") as warned:
        model = make_classifier(max_epochs=5, early_stopping=False, callbacks=[Explode(), epochs]).fit(table, clicks[1])
    assert_is_finite(model, table)
    assert [Path(each.filename).name for each in warned] == [Path(__file__).name]
    assert (model.best_epoch_, model.n_epochs_) == (2, 3)
    assert model.module_.mlp.output.weight.equal(epochs.weights[1]["mlp.output.weight"])
