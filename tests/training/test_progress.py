"""What verbose shows: a bar where someone looks at it, lines where it is kept."""

import io
import os
import subprocess
import sys

import pytest

from sklearn_din.training import _progress
from sklearn_din.training._progress import ProgressBar, ProgressLines, make_progress


class Terminal(io.StringIO):
    """Something that bars are drawn on."""

    def isatty(self):
        return True


class Evaluated:
    """As much of an Evaluation as progress sees; each step is an evaluation."""

    steps_per_epoch = 1

    def __init__(self, records):
        self.records_, self.given, self.steps_ = [], iter(records), 0

    @property
    def best_(self):
        return max(self.records_, key=lambda record: record.get("valid_score", 0))

    def step(self):
        self.steps_ += 1
        self.records_.append({"epoch": float(self.steps_), "seconds": 2.0 * self.steps_, **next(self.given)})


def record(train_loss, valid_loss, valid_score=None):
    score = -valid_loss if valid_score is None else valid_score
    return {"train_loss": train_loss, "valid_loss": valid_loss, "valid_score": score}


def run(progress):
    """Train as many steps as there are records."""
    progress.on_train_begin(None)
    for _ in range(progress.evaluation.given.__length_hint__()):
        progress.evaluation.step()
        progress.on_batch_end(None)
    progress.on_train_end(None)


def set_terminal(monkeypatch):
    """Make standard error a terminal; not in a fixture, as pytest sets its own between fixture and test."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "40")
    return sys.stderr


def last_state(terminal):
    """The last state of a bar that was drawn over itself, as it stands in the terminal."""
    return terminal.getvalue().rstrip("\n").split("\r")[-1]


def test_lines_are_one_per_evaluation_with_the_time_that_is_left(capsys):
    run(ProgressLines(Evaluated([record(1.0, 0.5), record(0.75, 0.25)]), max_epochs=6))

    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/6  loss 1.0000  validation loss 0.5000  2.0 s, at most 10 s left",
        "epoch 2/6  loss 0.7500  validation loss 0.2500  4.0 s, at most 8 s left",
    ]


def test_a_score_other_than_the_loss_is_shown(capsys):
    run(ProgressLines(Evaluated([record(1.0, 0.5, 0.75)]), max_epochs=1))

    assert "validation loss 0.5000  score 0.7500" in capsys.readouterr().out


def test_without_held_out_rows_there_is_a_training_loss_only(capsys):
    run(ProgressLines(Evaluated([{"train_loss": 0.5}]), max_epochs=1))

    assert capsys.readouterr().out.startswith("epoch 1/1  loss 0.5000  2.0 s")


def test_the_bar_shows_epoch_losses_score_and_the_time_that_is_left(monkeypatch):
    terminal = set_terminal(monkeypatch)
    bar = ProgressBar(Evaluated([record(1.0, 0.5, 0.75)] * 3), 4, "tqdm.std")
    bar.on_train_begin(None)
    bar.evaluation.step()
    bar.on_batch_end(None)
    bar.bar_.refresh()

    shown = last_state(terminal)
    assert shown.startswith("epoch 1/4 |")
    assert "at most" in shown
    assert shown.rstrip().endswith("left, loss 1.0000  validation loss 0.5000  score 0.7500")
    bar.close()


def test_a_terminal_that_does_not_know_its_width_shows_the_bar(monkeypatch):
    terminal = set_terminal(monkeypatch)
    monkeypatch.setattr(terminal, "fileno", lambda: 2, raising=False)
    monkeypatch.setattr(_progress.os, "get_terminal_size", lambda file: os.terminal_size((0, 0)))
    run(ProgressBar(Evaluated([record(1.0, 0.5)]), 2, "tqdm.std"))

    assert len(last_state(terminal)) == 100


def test_the_bar_ends_with_the_figures_of_the_best_epoch_and_a_new_line(monkeypatch):
    terminal = set_terminal(monkeypatch)
    run(ProgressBar(Evaluated([record(1.0, 0.5), record(0.75, 0.25), record(0.5, 0.75)]), 6, "tqdm.std"))

    assert last_state(terminal).startswith("epoch 3/6 |")
    assert last_state(terminal).rstrip().endswith("loss 0.7500  validation loss 0.2500 at the best epoch, 2")
    assert terminal.getvalue().endswith("\n")


def test_a_bar_that_stops_early_is_complete(monkeypatch):
    set_terminal(monkeypatch)
    bar = ProgressBar(Evaluated([record(1.0, 0.5)] * 3), 6, "tqdm.std")
    bar.on_train_begin(None)
    inner = bar.bar_
    assert inner.total == 6
    for _ in range(3):
        bar.evaluation.step()
        bar.on_batch_end(None)
    bar.on_train_end(None)

    assert (inner.n, inner.total) == (3, 3)  # in a notebook tqdm calls a bar failed that is not


def test_a_bar_is_made_for_a_terminal_and_lines_for_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(make_progress(Evaluated([]), 1), ProgressBar)

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(make_progress(Evaluated([]), 1), ProgressLines)


class WithoutAnswer:
    """A stream of a log that has no isatty."""


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, WithoutAnswer(), closed()], ids=["none", "log", "closed"])
def test_where_no_bar_can_be_drawn_there_are_lines(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)

    assert isinstance(make_progress(Evaluated([]), 1), ProgressLines)


def test_without_tqdm_there_are_lines(monkeypatch):
    set_terminal(monkeypatch)
    monkeypatch.setattr(_progress, "find_spec", lambda name: None)

    assert isinstance(make_progress(Evaluated([]), 1), ProgressLines)


@pytest.mark.parametrize(("has_widgets", "module"), [(True, "tqdm.notebook"), (False, "tqdm.std")])
def test_a_notebook_gets_a_bar_of_widgets_where_it_has_them(monkeypatch, has_widgets, module):
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", object())
    monkeypatch.setattr(_progress, "find_spec", lambda name: name if has_widgets or name != "ipywidgets" else None)

    assert make_progress(Evaluated([]), 1).module == module


IN_A_PROCESS = """
import io, multiprocessing, sys
from types import SimpleNamespace
from sklearn_din.training._progress import ProgressBar

bar = ProgressBar(SimpleNamespace(steps_per_epoch=1, steps_=0, records_=[], best_=None), 3, "tqdm.std")
bar.on_train_begin(None)
bar.close()
print(multiprocessing.get_start_method(allow_none=True))
"""


def test_a_bar_does_not_settle_how_the_process_starts_others():
    done = subprocess.run([sys.executable, "-c", IN_A_PROCESS], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["None"]


def test_all_bars_share_a_lock():
    from tqdm.std import tqdm

    bars = [_progress._make_bar("tqdm.std", total=1, file=io.StringIO()) for _ in range(2)]
    assert type(bars[0]).get_lock() is type(bars[1]).get_lock()
    assert bars[0].get_lock() is getattr(tqdm, "_lock", _progress.LOCK)
    for bar in bars:
        bar.close()


def test_a_bar_starts_no_thread_of_tqdm(monkeypatch):
    set_terminal(monkeypatch)
    from tqdm import tqdm

    before = tqdm.monitor
    bar = ProgressBar(Evaluated([]), 1, "tqdm.std")
    bar.on_train_begin(None)

    assert type(bar.bar_).monitor is before
    bar.close()
