"""Evaluation, early stopping and schedules, driven by hand."""

import math
from types import SimpleNamespace

import pytest
import torch
from skorch.history import History

from sklearn_din.training._callbacks import Evaluation, LinearDecay, StopTraining


class Net:
    """As much of a net as a callback sees: a module with one weight, an optimizer, a history."""

    def __init__(self, learning_rate=1.0):
        self.module_ = torch.nn.Linear(1, 1)
        self.optimizer_ = SimpleNamespace(param_groups=[{"lr": learning_rate}])
        self.history = History()
        self.history.new_epoch()

    @property
    def weight(self):
        return float(self.module_.weight.detach())

    def step(self, callback, loss=1.0):
        """One step, and the end of the epoch where it is the last one: the weight grows by 1."""
        with torch.no_grad():
            self.module_.weight += 1
        callback.on_batch_end(self, batch=range(10), training=True, loss=torch.tensor(loss))
        if callback.steps_ % callback.steps_per_epoch == 0:
            callback.on_epoch_end(self)


@pytest.fixture
def net():
    net = Net()
    with torch.no_grad():
        net.module_.weight.zero_()
    return net


def evaluation_of(net, scores, valid_loss=None, **parameters):
    """Evaluation whose validation scores are given."""
    given = iter(scores)

    def validate(net):
        score = next(given)
        return {"valid_loss": -score if valid_loss is None else valid_loss, "valid_score": score}

    evaluation = Evaluation(validate, **{"steps_per_epoch": 1, **parameters})
    evaluation.on_train_begin(net)
    return evaluation


def test_the_best_weights_are_restored_when_training_runs_to_its_end(net):
    evaluation = evaluation_of(net, [0.5, 0.9, 0.7, 0.8])
    for _ in range(4):
        net.step(evaluation)
    evaluation.on_train_end(net)

    assert net.weight == 2
    assert evaluation.best_["epoch"] == 2


def test_training_stops_after_that_many_evaluations_without_gain(net):
    evaluation = evaluation_of(net, [0.5, 0.4, 0.6, 0.6, 0.5], patience=2)
    for _ in range(4):
        net.step(evaluation)

    with pytest.raises(StopTraining):
        net.step(evaluation)


def test_training_stops_at_once_within_an_epoch_and_at_its_end_with_the_others(net):
    evaluation = evaluation_of(net, [0.5, 0.4, 0.5, 0.6], steps_per_epoch=2, per_epoch=2, patience=1)
    net.step(evaluation)
    evaluation.on_batch_end(net, batch=range(10), loss=torch.tensor(1.0))  # the last of its epoch: not yet
    with pytest.raises(StopTraining):
        evaluation.on_epoch_end(net)

    evaluation = evaluation_of(net, [0.5, 0.6, 0.5], steps_per_epoch=2, per_epoch=2, patience=1)
    net.step(evaluation)
    net.step(evaluation)
    with pytest.raises(StopTraining):
        evaluation.on_batch_end(net, batch=range(10), loss=torch.tensor(1.0))


def test_without_held_out_rows_the_last_weights_are_kept(net):
    evaluation = Evaluation(None, steps_per_epoch=1)
    evaluation.on_train_begin(net)
    net.step(evaluation, loss=1.0)
    net.step(evaluation, loss=5.0)
    evaluation.on_train_end(net)

    assert net.weight == 2
    assert "valid_score" not in evaluation.records_[0]


def test_evaluations_are_evenly_spaced_in_the_epoch(net):
    evaluation = evaluation_of(net, range(20), steps_per_epoch=10, per_epoch=4)
    for _ in range(20):
        net.step(evaluation)

    epochs = [record["epoch"] for record in evaluation.records_]
    assert epochs == [0.2, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0]


def test_train_loss_is_the_mean_since_the_last_evaluation(net):
    evaluation = evaluation_of(net, range(2), steps_per_epoch=2)
    for loss in (1.0, 3.0, 5.0, 9.0):
        net.step(evaluation, loss)

    assert [record["train_loss"] for record in evaluation.records_] == [2.0, 7.0]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_training_with_the_last_finite_weights(net, loss):
    evaluation = evaluation_of(net, [0.5, 0.6])
    net.step(evaluation)

    with pytest.raises(StopTraining):
        net.step(evaluation, loss)
    evaluation.on_train_end(net)
    assert evaluation.diverged_
    assert net.weight == 1


def test_a_score_that_is_not_a_number_is_no_gain_and_no_divergence(net):
    evaluation = evaluation_of(net, [math.nan, 0.5, math.nan], valid_loss=1.0)
    for _ in range(3):
        net.step(evaluation)
    evaluation.on_train_end(net)

    assert not evaluation.diverged_
    assert net.weight == 2


def test_plateau_lowers_the_learning_rate_and_returns_to_the_best_weights(net):
    evaluation = evaluation_of(net, [0.5, 0.4], lower_on_plateau=True)
    net.step(evaluation)
    assert net.optimizer_.param_groups[0]["lr"] == 1.0

    net.step(evaluation)
    assert net.optimizer_.param_groups[0]["lr"] == pytest.approx(0.1)
    assert net.weight == 1


def test_plateau_watches_the_training_loss_where_nothing_is_held_out(net):
    evaluation = Evaluation(None, steps_per_epoch=1, lower_on_plateau=True)
    evaluation.on_train_begin(net)
    net.step(evaluation, loss=1.0)
    net.step(evaluation, loss=2.0)

    assert net.optimizer_.param_groups[0]["lr"] == pytest.approx(0.1)
    assert net.weight == 1


def test_linear_decay_falls_from_the_learning_rate_to_nearly_zero(net):
    decay = LinearDecay(0.8, total_steps=4)
    decay.on_train_begin(net)
    rates = []
    for _ in range(4):
        decay.on_batch_begin(net, training=True)
        rates.append(net.optimizer_.param_groups[0]["lr"])

    assert rates == pytest.approx([0.8, 0.6, 0.4, 0.2])
