"""A picture of the training: losses and score by epoch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.estimators import DINRegressor
from sklearn_din.estimators._fitted import final_estimator
from sklearn_din.inspection._pyplot import check_axes, closed_on_error, import_pyplot

MOST_MARKERS = 40  # points of a line that are marked one by one


class TrainingCurveDisplay:
    """Training and validation loss by epoch, and the validation score where it is another figure.

    Make it with ``from_estimator``. All parameters are stored as attributes.

    Parameters
    ----------
    history : list of dict
        The estimator's ``history_``: a dict for each evaluation, with ``epoch`` and ``train_loss``, and with
        ``valid_loss`` and ``valid_score`` where rows were held out. What is None or not finite leaves a gap.
    best_epoch : float, default=None
        When the weights were best that the estimator kept; between two epochs where there are several evaluations in
        each. None to mark none.
    loss_name : str, default="loss"
        What the loss is called.
    score_name : str, default="score"
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the losses.
    score_ax_ : matplotlib Axes or None
        With the score; None where nothing was held out, or the score is the negative loss.
    figure_ : matplotlib Figure
        What they are in.

    Notes
    -----
    The training loss is the mean over the steps since the last evaluation, with all that makes training harder
    (dropout, behaviors and ids that are left out); the validation loss is that of the whole network afterwards. The
    former may therefore lie above the latter.

    A score that equals the negative loss has no axis, whatever it is called.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.inspection import TrainingCurveDisplay
    >>> X, y = make_clicks(300, random_state=0)
    >>> table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)
    >>> model = DINClassifier(max_epochs=3, scoring="roc_auc", random_state=0).fit(table, y)
    >>> display = TrainingCurveDisplay.from_estimator(model)
    >>> display.score_ax_.get_ylabel()
    'roc_auc'
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        history: Sequence[Mapping[str, float]],
        *,
        best_epoch: float | None = None,
        loss_name: str = "loss",
        score_name: str = "score",
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.loss_name = loss_name
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, model: Any, *, ax: Any = None) -> "TrainingCurveDisplay":
        """Draw the training of a fitted model.

        Parameters
        ----------
        model : Pipeline or estimator
            Fitted: an estimator of this library, or a pipeline that ends with one.
        ax : matplotlib Axes, default=None
            Where to draw. None for a new figure.

        Returns
        -------
        TrainingCurveDisplay
            Drawn. The evaluation whose weights the estimator kept is marked, if it chose one: by the score on held-out
            rows, or, where none were held out, by the lowest training loss if it went back to that epoch.

        Raises
        ------
        TypeError
            If ``model`` is no model of this library, or ``ax`` is no axes.
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the model is not fitted.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        estimator = final_estimator(model)
        is_regressor = isinstance(estimator, DINRegressor)
        display = cls(
            estimator.history_,
            best_epoch=_best_epoch(estimator),
            loss_name="squared error / variance of y" if is_regressor else "log loss",
            score_name=estimator.score_name_,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Any = None) -> "TrainingCurveDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None for a new figure.

        Returns
        -------
        TrainingCurveDisplay
            Itself.

        Raises
        ------
        ValueError
            If the history is empty.
        TypeError
            If ``ax`` is no axes.
        ImportError
            If matplotlib is not installed.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if not self.history:
            msg = "history is empty: there is nothing to draw. Give the history_ of a fitted estimator."
            raise ValueError(msg)
        new = None
        if ax is None:
            new, ax = plt.subplots(layout="constrained")
        check_axes(ax, "matplotlib Axes, or None")
        with closed_on_error(new):
            self.ax_ = ax
            self.figure_ = ax.figure
            self.score_ax_ = ax.twinx() if self._has_score() else None
            self._draw()
        return self

    def _has_score(self) -> bool:
        scores = self._values("valid_score")
        return bool((np.isfinite(scores) & ~np.isclose(scores, -self._values("valid_loss"))).any())

    def _draw(self) -> None:
        from matplotlib.ticker import MaxNLocator

        handles = [self._line(self.ax_, "train_loss", "training loss", "C0", "o-")]
        if any(record.get("valid_loss") is not None for record in self.history):
            handles.append(self._line(self.ax_, "valid_loss", "validation loss", "C1", "s-"))
        self.ax_.set(xlabel="epoch", ylabel=self.loss_name)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if self.score_ax_ is not None:
            handles.append(self._line(self.score_ax_, "valid_score", f"validation {self.score_name}", "C2", "^-"))
            self.score_ax_.set_ylabel(self.score_name)
        if self.best_epoch is not None:
            label = f"best: epoch {self.best_epoch:.4g}"
            handles.append(self.ax_.axvline(self.best_epoch, color="0.4", linestyle="--", label=label, zorder=0))
        # Above the picture it hides nothing, whichever way the curves of the two axes go.
        self.ax_.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        self.ax_.set_xlim(left=0, auto=None)  # a later curve may still widen it

    def _line(self, ax: Any, key: str, label: str, color: str, style: str) -> Any:
        epochs = np.array([record["epoch"] for record in self.history])
        style = style if len(epochs) <= MOST_MARKERS else style[1:]
        (line,) = ax.plot(epochs, self._values(key), style, color=color, label=label, markersize=4)
        return line

    def _values(self, key: str) -> NDArray[np.float64]:
        """Return a column (n_evaluations,) of the history, NaN where it is missing or the training had diverged."""
        values = np.array([np.nan if record.get(key) is None else record[key] for record in self.history], dtype=float)
        return np.where(np.isfinite(values), values, np.nan)


def _best_epoch(estimator: Any) -> float | None:
    """Return the epoch, with its fraction, of the evaluation whose weights were kept; None where none was chosen."""
    if estimator.best_score_ is not None:
        is_best = [record.get("valid_score") == estimator.best_score_ for record in estimator.history_]
    elif estimator.best_epoch_ < math.ceil(estimator.history_[-1]["epoch"]):
        # It went back, which the parameters of now need not tell: set_params may have changed them.
        losses = [record["train_loss"] for record in estimator.history_]
        is_best = [loss == min(filter(math.isfinite, losses)) for loss in losses]
    else:
        return None
    epochs = [record["epoch"] for record, best in zip(estimator.history_, is_best, strict=True) if best]
    # After partial_fit the weights are the last ones, whatever their loss.
    return next((epoch for epoch in epochs if math.ceil(epoch) == estimator.best_epoch_), None)
