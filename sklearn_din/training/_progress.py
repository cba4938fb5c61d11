"""How far training is: a bar in a terminal or a notebook, a line per evaluation elsewhere."""

import os
import sys
from importlib.util import find_spec
from threading import RLock
from typing import Any

from skorch.callbacks import Callback

from sklearn_din.training._callbacks import Evaluation

LOCK = RLock()
DEFAULT_SIZE = {"ncols": 100, "nrows": 24}  # of a terminal that does not know its own: in 0 columns tqdm draws nothing
BAR = "{desc} |{bar}| {elapsed}, at most {remaining} left{postfix}"


def make_progress(evaluation: Evaluation, max_epochs: int) -> "ProgressLines | ProgressBar":
    """Return what shows the progress of a training where its output goes.

    Parameters
    ----------
    evaluation : Evaluation
        Where the figures come from; it stands before the result in the list of callbacks.
    max_epochs : int
        Of the training.

    Returns
    -------
    ProgressBar or ProgressLines
        Lines where tqdm is not installed, or where a bar would be noise: in a file.
    """
    if find_spec("tqdm") is None:
        return ProgressLines(evaluation, max_epochs)
    if "ipykernel.zmqshell" in sys.modules:  # a notebook
        module = "tqdm.notebook" if find_spec("ipywidgets") is not None else "tqdm.std"
    elif _is_terminal(sys.stderr):
        module = "tqdm.std"
    else:
        return ProgressLines(evaluation, max_epochs)
    return ProgressBar(evaluation, max_epochs, module)


class ProgressLines(Callback):
    """Prints one line per evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Where the figures come from.
    max_epochs : int
        Of the training.
    """

    def __init__(self, evaluation: Evaluation, max_epochs: int) -> None:
        self.evaluation = evaluation
        self.max_epochs = max_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start with the first record."""
        self.printed_ = 0

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        """Print what is new."""
        for record in self.evaluation.records_[self.printed_ :]:
            print(self._line(record), flush=True)  # noqa: T201 - asked for with verbose
            self.printed_ += 1

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Print the evaluation that ended the training."""
        self.on_batch_end(net)

    def close(self) -> None:
        """Do nothing: a line is there or not."""

    def _line(self, record: dict[str, float]) -> str:
        left = record["seconds"] * (self.max_epochs / record["epoch"] - 1)
        epoch = f"epoch {record['epoch']:g}/{self.max_epochs}"
        return f"{epoch}  {_figures(record)}  {record['seconds']:.1f} s, at most {left:.0f} s left"


class ProgressBar(Callback):
    """Shows a bar of tqdm: epoch, time left, and the figures of the last evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Where the figures come from.
    max_epochs : int
        Of the training.
    module : {"tqdm.std", "tqdm.notebook"}
        Which bar; in a terminal it goes to ``sys.stderr``.
    """

    def __init__(self, evaluation: Evaluation, max_epochs: int, module: str) -> None:
        self.evaluation = evaluation
        self.max_epochs = max_epochs
        self.module = module
        self.bar_: Any = None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Show an empty bar."""
        total = self.evaluation.steps_per_epoch * self.max_epochs
        self.shown_ = 0
        size: dict[str, Any] = {"dynamic_ncols": True} if _has_size(sys.stderr) else DEFAULT_SIZE
        self.bar_ = _make_bar(self.module, total=total, desc=self._epoch(1), bar_format=BAR, **size)

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        """Move on by a step."""
        records, steps = self.evaluation.records_, self.evaluation.steps_
        if len(records) > self.shown_:
            self.shown_ = len(records)
            self.bar_.set_postfix_str(_figures(records[-1]), refresh=False)
        epoch = (steps - 1) // self.evaluation.steps_per_epoch + 1
        self.bar_.set_description_str(self._epoch(epoch), refresh=False)
        self.bar_.update(steps - self.bar_.n)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Show the evaluation that ended the training, and which one was the best."""
        self.on_batch_end(net)
        best = self.evaluation.best_
        if best is not None and "valid_loss" in best:
            self.bar_.set_postfix_str(f"{_figures(best)} at the best epoch, {best['epoch']:g}", refresh=False)
        self.bar_.total = self.bar_.n  # that it stopped before the last epoch is no failure
        self.bar_.refresh()
        self.close()

    def close(self) -> None:
        """Leave the bar as it stands, and begin a new line."""
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None

    def _epoch(self, epoch: int) -> str:
        return f"epoch {epoch}/{self.max_epochs}"


def _figures(record: dict[str, float]) -> str:
    figures = [f"loss {record['train_loss']:.4f}"]
    if "valid_loss" in record:
        figures.append(f"validation loss {record['valid_loss']:.4f}")
        if record["valid_score"] != -record["valid_loss"]:
            figures.append(f"score {record['valid_score']:.4f}")
    return "  ".join(figures)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # there is none, one that can't tell, or it is closed
        return False


def _has_size(stream: Any) -> bool:
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except (AttributeError, OSError, ValueError):  # no terminal after all
        return True


def _make_bar(module: str, **parameters: Any) -> Any:
    if module == "tqdm.notebook":
        from tqdm.notebook import tqdm
    else:
        from tqdm.std import tqdm

    class Bar(tqdm):
        """A bar that changes nothing in the process.

        It starts no thread that watches over all bars. Its lock is one of threads: tqdm's own, if no other bar has made
        it yet, would settle how the process starts others.
        """

        monitor_interval = 0
        _lock = getattr(tqdm, "_lock", None) or LOCK

    return Bar(**parameters)
