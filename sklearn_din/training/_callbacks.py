"""What happens beside the steps: learning-rate schedules, and evaluation with early stopping."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from skorch.callbacks import Callback

from sklearn_din.training._batches import TrainingRows

SAFE_MAGNITUDE = 30.0  # decimal digits: float32 has 38
PLATEAU_FACTOR = 0.1  # of the learning rate at an evaluation without gain


class StopTraining(Exception):  # noqa: N818 - a signal between the callbacks and the net, not an error
    """Ends the training; the net keeps what it has learnt."""


class LinearDecay(Callback):
    """Learning rate that falls linearly from step to step, to nearly 0 at the last step of the last epoch.

    Parameters
    ----------
    learning_rate : float
        At the first step.
    total_steps : int
        Steps of all epochs together.
    """

    def __init__(self, learning_rate: float, total_steps: int) -> None:
        self.learning_rate = learning_rate
        self.total_steps = total_steps

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start at the first step."""
        self.step_ = 0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rate of this step."""
        if training:
            set_learning_rate(net, self.learning_rate * (1 - self.step_ / self.total_steps))
            self.step_ += 1


class Evaluation(Callback):
    """Scores the net, remembers its best weights, restores them in the end, and stops in time.

    Without held-out rows it records the training loss and keeps the last finite weights. A loss or a weight that is not
    finite ends the training (``diverged_``), and so does a prediction for a training row, which is looked at where the
    weights are so large that it may overflow. A score that is not a number is no gain.

    Parameters
    ----------
    validate : callable or None
        ``validate(net) -> dict`` with a key ``valid_score``, greater is better; None where nothing is held out.
    steps_per_epoch : int
        Batches of an epoch.
    per_epoch : int
        Evaluations in each epoch, evenly spaced, the last one at its end.
    patience : int or None
        Evaluations without gain after which training stops; None never stops.
    lower_on_plateau : bool
        Whether to multiply the learning rate by 0.1 and return to the best weights at each evaluation without gain (of
        the validation score, or of the training loss where nothing is held out).
    remember : bool
        Whether to keep a copy of the best weights, and to restore them.
    """

    def __init__(
        self,
        validate: Callable[[Any], dict[str, float]] | None,
        *,
        steps_per_epoch: int,
        per_epoch: int = 1,
        patience: int | None = None,
        lower_on_plateau: bool = False,
        remember: bool = True,
    ) -> None:
        self.validate = validate
        self.steps_per_epoch = steps_per_epoch
        self.per_epoch = per_epoch
        self.patience = patience
        self.lower_on_plateau = lower_on_plateau
        self.remember = remember

    def on_train_begin(self, net: Any, X: TrainingRows | None = None, **kwargs: Any) -> None:
        """Forget the last training."""
        self.training_rows_ = X
        count = min(self.per_epoch, self.steps_per_epoch)
        self.marks_ = {round(self.steps_per_epoch * (i + 1) / count) for i in range(count)}
        self.records_: list[dict[str, float]] = []
        self.best_: dict[str, float] | None = None
        self.best_score_ = -math.inf
        self.best_state_: dict[str, torch.Tensor] | None = None
        self.diverged_ = self.is_over_ = False
        self.without_gain_ = 0
        self.steps_ = 0
        self.started_ = time.perf_counter()
        self._reset_loss()

    def on_batch_end(self, net: Any, batch: Any = None, loss: Any = None, **kwargs: Any) -> None:
        """Count the step, and evaluate where one is due."""
        self.steps_ += 1
        self.loss_sum_ += loss.detach() * len(batch)
        self.rows_ += len(batch)
        step = (self.steps_ - 1) % self.steps_per_epoch + 1
        if step in self.marks_:
            self._evaluate(net)
            if self.is_over_ and step < self.steps_per_epoch:
                raise StopTraining

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop where the last evaluation of the epoch said so: all callbacks are told of its end."""
        if self.is_over_:
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the best weights; the last ones are the best where nothing is held out."""
        if self.best_state_ is not None:
            net.module_.load_state_dict(self.best_state_)

    def release(self) -> None:
        """Let go of the rows and of the copy of the weights."""
        self.validate = None
        self.training_rows_ = None
        self.best_state_ = None

    def _evaluate(self, net: Any) -> None:
        record = {
            "epoch": self.steps_ / self.steps_per_epoch,
            "train_loss": float(self.loss_sum_) / self.rows_,
            "learning_rate": net.optimizer_.param_groups[0]["lr"],
        }
        self._reset_loss()
        if self.validate is not None:
            record |= self.validate(net)
            for name, sign in (("valid_loss", -1), ("valid_score", 1)):
                is_best = all(sign * record[name] > sign * earlier[name] for earlier in self.records_)
                net.history.record(name, record[name])
                net.history.record(f"{name}_best", is_best)  # what skorch's Checkpoint looks for
        record["seconds"] = time.perf_counter() - self.started_
        self.records_.append(record)
        losses = record["train_loss"], record.get("valid_loss", 0.0)
        self.diverged_ = not (all(map(math.isfinite, losses)) and self._is_usable(net.module_))
        if self.diverged_:
            self.is_over_ = True
            return
        self._judge(net, record)

    def _is_usable(self, module: Any) -> bool:
        """Whether the weights are finite, and the predictions that they give: huge ones overflow."""
        largest = _largest(module.state_dict().values())
        rows = self.training_rows_
        if not math.isfinite(largest) or rows is None or _magnitude(module, largest) < SAFE_MAGNITUDE:
            return math.isfinite(largest)
        return rows.is_predictable(module)

    def _judge(self, net: Any, record: dict[str, float]) -> None:
        score = -record["train_loss"] if self.validate is None else record["valid_score"]
        score = -math.inf if math.isnan(score) else score
        is_gain = self.best_ is None or score > self.best_score_
        if is_gain or (self.validate is None and not self.lower_on_plateau):
            self.best_, self.best_score_ = record, score
            if self.remember:
                self._copy(net.module_.state_dict())
        if is_gain:
            self.without_gain_ = 0
            return
        self.without_gain_ += 1
        if self.lower_on_plateau:
            net.module_.load_state_dict(self.best_state_)
            set_learning_rate(net, record["learning_rate"] * PLATEAU_FACTOR)
        self.is_over_ = self.patience is not None and self.without_gain_ >= self.patience

    def _copy(self, state: dict[str, torch.Tensor]) -> None:
        if self.best_state_ is None:
            self.best_state_ = {name: torch.empty_like(value) for name, value in state.items()}
        for name, value in self.best_state_.items():
            value.copy_(state[name])

    def _reset_loss(self) -> None:
        self.loss_sum_: Any = 0.0
        self.rows_ = 0


def set_learning_rate(net: Any, learning_rate: float) -> None:
    """Give all parameters of the net this learning rate.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized.
    learning_rate : float
        Greater than 0.
    """
    for group in net.optimizer_.param_groups:
        group["lr"] = learning_rate


def _largest(tensors: Iterable[torch.Tensor]) -> float:
    """Return the largest absolute value; NaN or infinity if any value is so, as after one pass over a big table."""
    extremes = [torch.stack(torch.aminmax(each.detach())).abs().max().float() for each in tensors if each.numel()]
    return float(torch.stack(extremes).max()) if extremes else 0.0


def _magnitude(module: Any, largest: float) -> float:
    """Return a bound of the decimal digits before the point of a prediction, from the sizes of the layers.

    A layer makes its input larger by no more than the largest sum of a row of its weights; embeddings, here as large as
    the largest weight, come into a product of three at most.
    """
    is_layer = {name: not name.startswith(("embedding.", "candidate_bias.")) for name in module.state_dict()}
    layers = [parameter.detach() for name, parameter in module.named_parameters() if is_layer[name]]
    growth = [each.abs().sum(-1).max() if each.ndim == 2 else each.abs().max() for each in layers if each.numel()]
    growth += [each.min().clamp(min=1e-8).rsqrt() for name, each in module.named_buffers() if name.endswith("_var")]
    digits = torch.stack([each.float() for each in growth]).clamp(min=1).log10().sum()
    return float(digits) + 3 * math.log10(max(largest, 1.0))
