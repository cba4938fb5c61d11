"""The parameters verbose and callbacks: what is shown, and what is called."""

import io
import sys

import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler

from sklearn_din.training import Rows, TensorTable, _progress

SHOWN = "epoch 2/2"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Counts(Callback):
    """Counts what skorch calls."""

    def on_train_begin(self, net, **kwargs):
        self.batches, self.epochs, self.ends = 0, 0, 0

    def on_batch_end(self, net, **kwargs):
        self.batches += 1

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1

    def on_train_end(self, net, **kwargs):
        self.ends += 1


def test_verbose_draws_a_bar_in_a_terminal(make_classifier, table, clicks, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "40")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    make_classifier(verbose=1).fit(table, clicks[1])

    assert SHOWN in terminal.getvalue()
    assert "at the best epoch" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_verbose_prints_lines_into_a_file(make_classifier, table, clicks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    model = make_classifier(verbose=True).fit(table, clicks[1])

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(model.history_) == 2
    assert lines[1].startswith(SHOWN)
    assert f"validation loss {model.history_[1]['valid_loss']:.4f}" in lines[1]


def test_nothing_is_shown_by_default(make_classifier, table, clicks, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    make_classifier().fit(table, clicks[1])

    assert terminal.getvalue() == capsys.readouterr().out == ""


def test_an_error_in_training_ends_the_line_of_the_bar(make_classifier, table, clicks, monkeypatch):
    class Fails(Callback):
        def on_batch_end(self, net, **kwargs):
            raise RuntimeError("of the user")

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bars = []
    make_bar = _progress._make_bar
    monkeypatch.setattr(
        _progress, "_make_bar", lambda *args, **kwargs: bars.append(make_bar(*args, **kwargs)) or bars[0]
    )

    with pytest.raises(RuntimeError, match="of the user"):
        make_classifier(verbose=1, callbacks=[Fails()]).fit(table, clicks[1])
    assert terminal.getvalue().endswith("\n")
    assert bars[0].disable  # which tqdm sets when it is closed, while this list keeps it from being collected


def test_what_is_shown_changes_no_weight(make_classifier, table, clicks, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    shown, silent = make_classifier(verbose=1), make_classifier()

    assert (shown.fit(table, clicks[1]).predict_proba(table) == silent.fit(table, clicks[1]).predict_proba(table)).all()


def test_callbacks_of_skorch_pass_through(make_classifier, table, clicks):
    counts = Counts()
    model = make_classifier(callbacks=[("counts", counts)], early_stopping=False).fit(table, clicks[1])

    assert dict(model.net_.callbacks_)["counts"] is counts
    assert (counts.batches, counts.epochs, counts.ends) == (2 * 5, 2, 1)  # 300 rows in batches of 64


def test_a_schedule_of_skorch_sets_the_learning_rate(make_classifier, table, clicks):
    schedule = LRScheduler(policy="StepLR", step_size=1, gamma=0.5)
    model = make_classifier(
        callbacks=[schedule], learning_rate_schedule="constant", learning_rate=0.01, max_epochs=3
    ).fit(table, clicks[1])

    assert [record["learning_rate"] for record in model.history_] == pytest.approx([0.01, 0.005, 0.0025])


def test_a_callback_of_skorch_that_scores_sees_the_training_rows_as_the_net_does(make_classifier, table, clicks):
    rows = []
    scoring = EpochScoring(lambda net, X, y: float(len(rows.append(X) or X)), name="n_rows", on_train=True)
    model = make_classifier(callbacks=[scoring]).fit(table, clicks[1])

    assert model.net_.history[:, "n_rows"] == [270.0, 270.0]  # a tenth is held out


def test_whoever_stops_the_training_the_others_see_the_end_of_the_epoch(make_classifier, table, clicks):
    class Stops(EarlyStopping):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    counts = Counts()
    make_classifier(callbacks=[Stops(), counts], max_epochs=5).fit(table, clicks[1])
    assert (counts.epochs, counts.ends) == (1, 1)

    parameters = {"max_epochs": 50, "n_iter_no_change": 1, "learning_rate": 0.1}
    model = make_classifier(callbacks=[counts], **parameters).fit(table, clicks[1])
    assert model.n_epochs_ < 50
    assert counts.epochs == model.n_epochs_
    assert "train_loss" in model.net_.history[-1]


def test_a_training_that_is_stopped_before_its_first_evaluation_has_nothing_to_keep(make_classifier, table, clicks):
    class Stops(EarlyStopping):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(ValueError, match="A callback stopped the training before its first evaluation"):
        make_classifier(callbacks=[Stops()]).fit(table, clicks[1])


def test_what_a_callback_writes_to_the_estimator_stays_where_the_fit_fails(make_classifier, table, clicks):
    class Writes(Callback):
        def on_train_begin(self, net, **kwargs):
            model.note = "seen"
            model.set_params(verbose=0, learning_rate=0.5)
            raise RuntimeError("of the user")

    model = make_classifier(callbacks=[Writes()])
    with pytest.raises(RuntimeError, match="of the user"):
        model.fit(table, clicks[1])
    assert (model.note, model.learning_rate) == ("seen", 0.5)
    assert not hasattr(model, "layout_")


def test_the_net_can_be_trained_further_by_hand(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1])
    before = model.predict_proba(table)
    rows = Rows(TensorTable(table, model.device_), torch.arange(300), torch.from_numpy(clicks[1]).float(), None)
    model.net_.partial_fit(rows)

    assert not (model.predict_proba(table) == before).all()
