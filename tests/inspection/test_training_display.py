"""Curves of the training, compared with the history of the estimator."""

import copy
import pickle
import re
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_din import DINClassifier, DINRegressor
from sklearn_din.inspection import TrainingCurveDisplay
from sklearn_din.persistence import load_model, save_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = (X[:, 0] + RNG.normal(size=200) > 0).astype(int)


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


def fitted(estimator=DINClassifier, **parameters):
    parameters = {"max_epochs": 4, "batch_size": 32, "random_state": 0, "hidden_layer_sizes": (4,)} | parameters
    return estimator(**parameters).fit(X, Y)


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines}


def column(model, name):
    return [record[name] for record in model.history_]


def test_lines_are_the_losses_of_the_history():
    model = fitted()
    display = TrainingCurveDisplay.from_estimator(model)

    lines = lines_of(display.ax_)
    for label, name in (("training loss", "train_loss"), ("validation loss", "valid_loss")):
        assert_array_equal(lines[label].get_xdata(), column(model, "epoch"))
        assert_array_equal(lines[label].get_ydata(), column(model, name))
    assert display.score_ax_ is None
    assert display.ax_.get_ylabel() == "log loss"
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlim()[0] == 0


def test_a_score_that_is_not_the_loss_has_an_axis_of_its_own():
    model = fitted(scoring="roc_auc")
    display = TrainingCurveDisplay.from_estimator(model)

    assert_array_equal(lines_of(display.score_ax_)["validation roc_auc"].get_ydata(), column(model, "valid_score"))
    assert display.score_ax_.get_ylabel() == "roc_auc"
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[:3] == ["training loss", "validation loss", "validation roc_auc"]


def test_a_scorer_without_a_name_is_called_score():
    display = TrainingCurveDisplay.from_estimator(fitted(scoring=get_scorer("accuracy")))

    assert display.score_ax_.get_ylabel() == "score"


@pytest.mark.parametrize("scoring", ["loss", "roc_auc"])
@pytest.mark.parametrize("evaluations_per_epoch", [1, 4])
def test_the_line_stands_at_the_evaluation_whose_weights_were_kept(scoring, evaluations_per_epoch):
    model = fitted(scoring=scoring, evaluations_per_epoch=evaluations_per_epoch, learning_rate=0.03)
    display = TrainingCurveDisplay.from_estimator(model)

    best = int(np.argmax(column(model, "valid_score")))
    epoch = column(model, "epoch")[best]
    assert display.best_epoch == epoch
    assert np.ceil(epoch) == model.best_epoch_
    label = f"best: epoch {epoch:.4g}"
    assert lines_of(display.ax_)[label].get_xdata() == [epoch, epoch]
    assert label in [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_the_best_evaluation_may_lie_within_an_epoch():
    history = [
        {"epoch": epoch, "train_loss": 1.0, "valid_loss": loss, "valid_score": -loss}
        for epoch, loss in ((0.5, 3.0), (1.0, 2.0), (1.5, 1.0), (2.0, 1.5))
    ]
    model = fitted()
    model.history_, model.best_epoch_, model.best_score_ = history, 2, -1.0

    assert TrainingCurveDisplay.from_estimator(model).best_epoch == 1.5


def test_where_nothing_is_held_out_no_epoch_is_best():
    display = TrainingCurveDisplay.from_estimator(fitted(early_stopping=False))

    assert display.best_epoch is None
    assert set(lines_of(display.ax_)) == {"training loss"}
    assert display.score_ax_ is None


def test_a_training_without_held_out_rows_that_went_back_is_marked_where_it_went_back_to():
    model = fitted(early_stopping=False, learning_rate_schedule="plateau", learning_rate=0.1)
    model.history_ = [{"epoch": float(epoch), "train_loss": loss} for epoch, loss in ((1, 3.0), (2, 1.0), (3, 2.0))]
    model.best_epoch_ = 2
    assert TrainingCurveDisplay.from_estimator(model).best_epoch == 2.0

    model.best_epoch_ = 3
    assert TrainingCurveDisplay.from_estimator(model).best_epoch is None


@pytest.mark.parametrize("learning_rate", [0.01, 0.1, 1.0])
def test_what_set_params_says_after_fit_marks_no_other_epoch(learning_rate):
    plain = fitted(early_stopping=False, learning_rate=learning_rate, max_epochs=6)
    marked = TrainingCurveDisplay.from_estimator(plain).best_epoch
    assert TrainingCurveDisplay.from_estimator(plain.set_params(learning_rate_schedule="plateau")).best_epoch == marked

    plateau = fitted(early_stopping=False, learning_rate=learning_rate, max_epochs=6, learning_rate_schedule="plateau")
    marked = TrainingCurveDisplay.from_estimator(plateau).best_epoch
    again = TrainingCurveDisplay.from_estimator(plateau.set_params(learning_rate_schedule="constant"))
    assert again.best_epoch == marked
    best = int(np.argmin(column(plateau, "train_loss")))
    assert marked in (None, column(plateau, "epoch")[best])


def test_the_score_of_a_model_that_was_scored_by_its_loss_stays_the_loss():
    model = fitted(scoring="loss").set_params(scoring="roc_auc")

    assert TrainingCurveDisplay.from_estimator(model).score_ax_ is None


def test_a_score_keeps_the_name_that_it_had_in_fit(tmp_path):
    model = fitted(scoring="roc_auc").set_params(scoring="accuracy")
    save_model(model, tmp_path / "model.safetensors")
    copies = [model, load_model(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))]
    further = copy.deepcopy(model).partial_fit(X, Y)

    for each in (*copies, further):
        assert TrainingCurveDisplay.from_estimator(each).score_ax_.get_ylabel() == "roc_auc"


def test_weights_that_are_not_those_of_the_lowest_training_loss_are_not_called_best():
    model = fitted(early_stopping=False, learning_rate_schedule="plateau", learning_rate=0.01)
    model.partial_fit(X, 1 - Y)

    assert model.history_[-1]["train_loss"] > min(column(model, "train_loss"))
    assert TrainingCurveDisplay.from_estimator(model).best_epoch is None


def test_the_loss_of_a_regressor_is_named_by_its_unit():
    assert TrainingCurveDisplay.from_estimator(fitted(DINRegressor)).ax_.get_ylabel() == "squared error / variance of y"


def test_the_squared_error_of_a_regressor_is_in_units_of_the_variance():
    y = 1000.0 * Y
    model = DINRegressor(max_epochs=2, random_state=0).fit(X, y, X_val=X, y_val=y)

    best = min(column(model, "valid_loss"))
    assert best * np.var(y) == pytest.approx(np.mean((model.predict(X) - y) ** 2), rel=1e-4)


def test_a_pipeline_of_any_first_steps_is_drawn_on_the_users_axes():
    _, ax = plt.subplots()
    model = make_pipeline(StandardScaler(), DINClassifier(max_epochs=1, random_state=0)).fit(X, Y)

    assert TrainingCurveDisplay.from_estimator(model, ax=ax).ax_ is ax
    assert len(ax.lines) == 2 + 1


def test_a_training_that_diverged_is_drawn_up_to_there():
    history = [
        {"epoch": 1, "train_loss": 1.0, "valid_loss": 1.0, "valid_score": 0.5},
        {"epoch": 2, "train_loss": np.inf, "valid_loss": np.inf, "valid_score": -np.inf},
    ]
    display = TrainingCurveDisplay(history).plot()
    display.figure_.draw_without_rendering()

    assert_array_equal(lines_of(display.ax_)["training loss"].get_ydata(), [1.0, np.nan])
    assert_array_equal(lines_of(display.score_ax_)["validation score"].get_ydata(), [0.5, np.nan])


def test_integer_losses_are_drawn_though_others_are_missing():
    history = [{"epoch": 1, "train_loss": 2}, {"epoch": 2, "train_loss": 1, "valid_loss": 3}]
    lines = lines_of(TrainingCurveDisplay(history).plot().ax_)

    assert_array_equal(lines["training loss"].get_ydata(), [2.0, 1.0])
    assert_array_equal(lines["validation loss"].get_ydata(), [np.nan, 3.0])
    whole = TrainingCurveDisplay([{"epoch": 1, "train_loss": 2, "valid_loss": 3}]).plot().ax_
    assert_array_equal(lines_of(whole)["validation loss"].get_ydata(), [3.0])


def test_a_score_that_differs_from_the_loss_by_rounding_has_no_axis():
    def display(score):
        record = {"epoch": 1, "train_loss": 0.3, "valid_loss": 0.1 + 0.2, "valid_score": score}
        return TrainingCurveDisplay([record]).plot()

    assert display(-0.3).score_ax_ is None
    assert display(-0.31).score_ax_ is not None


def test_parts_of_a_record_may_be_missing_or_none():
    history = [
        {"epoch": 1, "train_loss": None, "valid_score": 0.5},
        {"epoch": 2, "train_loss": 1.0, "valid_loss": None, "valid_score": 0.75},
        {"epoch": 3, "train_loss": 0.5, "valid_score": None},
    ]
    display = TrainingCurveDisplay(history).plot()
    assert set(lines_of(display.ax_)) == {"training loss"}
    assert_array_equal(lines_of(display.ax_)["training loss"].get_ydata(), [np.nan, 1.0, 0.5])
    assert_array_equal(lines_of(display.score_ax_)["validation score"].get_ydata(), [0.5, 0.75, np.nan])

    nothing = [{"epoch": 1, "train_loss": 1.0, "valid_loss": None, "valid_score": None}]
    assert TrainingCurveDisplay(nothing).plot().score_ax_ is None


def test_what_is_no_axes_is_refused():
    display = TrainingCurveDisplay([{"epoch": 1, "train_loss": 1.0}])
    figure, axes = plt.subplots(1, 2)
    for ax, name in ((figure, "Figure"), ("ax", "str"), (axes, "ndarray")):
        with pytest.raises(TypeError, match=f"ax must be .*Axes.*: got {name}. Give"):
            display.plot(ax=ax)


def test_a_plot_that_fails_leaves_no_figure_of_its_own():
    with pytest.raises(KeyError, match="epoch"):
        TrainingCurveDisplay([{"train_loss": 1.0}]).plot()
    assert plt.get_fignums() == []


def test_the_figure_is_that_of_the_axes():
    figure, ax = plt.subplots()
    plt.figure()

    assert TrainingCurveDisplay([{"epoch": 1, "train_loss": 1.0}]).plot(ax=ax).figure_ is figure


def test_a_long_history_has_no_markers():
    def marker(n_epochs):
        history = [{"epoch": epoch + 1, "train_loss": 1.0} for epoch in range(n_epochs)]
        return TrainingCurveDisplay(history).plot().ax_.lines[0].get_marker()

    assert marker(40) == "o"
    assert marker(41) == "None"


def test_a_display_can_be_drawn_again():
    display = TrainingCurveDisplay([{"epoch": 1.0, "train_loss": 2.0}], loss_name="hinge")
    first = display.plot().figure_

    assert display.plot() is display
    assert display.figure_ is not first
    assert display.ax_.get_ylabel() == "hinge"


def test_what_has_no_history_raises():
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(DINClassifier())
    with pytest.raises(TypeError, match="must be a DINClassifier or a DINRegressor.*: got LogisticRegression"):
        TrainingCurveDisplay.from_estimator(LogisticRegression().fit(X, Y))
    with pytest.raises(ValueError, match="history is empty"):
        TrainingCurveDisplay([]).plot()


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    model = fitted(max_epochs=1)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)

    with pytest.raises(ImportError, match=re.escape('pip install "sklearn-din[plots]"')):
        TrainingCurveDisplay.from_estimator(model)
