"""What scikit-learn's own callbacks are told of a fit; nothing where the installed version has none (before 1.9)."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # TODO: drop when scikit-learn 1.9 is the minimum

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Without ``set_callbacks``."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that does the same."""

        @wraps(method)
        def as_it_is(*args: Any, **kwargs: Any) -> Any:  # one frame, as of scikit-learn's, for the place of warnings
            return method(*args, **kwargs)

        return as_it_is


__all__ = ["OF_A_FIT", "CallbackSupportMixin", "FitTasks", "with_callbacks"]

OF_A_FIT = {"_callback_fit_ctx", "_skl_callbacks_to_teardown"}  # attributes that with_callbacks needs to end a fit


class FitTasks:
    """The task "fit" of an estimator, and those below it, one after another.

    Parameters
    ----------
    estimator : estimator
        With ``CallbackSupportMixin``, in its ``fit``, which ``with_callbacks`` decorates.
    n_subtasks : int
        How many there are at most; 0 for a fit that is one step.
    **data
        What callbacks may ask for: ``X``, ``y``, ``metadata``, or functions that return them.
    """

    def __init__(self, estimator: Any, n_subtasks: int = 0, **data: Any) -> None:
        self.estimator = estimator
        self.data = data
        self.subtask: Any = None
        self.fit: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self.fit = estimator._init_callback_context(max_subtasks=n_subtasks)
            self.fit.call_on_fit_task_begin(estimator=estimator, **data)

    def begin(self, name: str) -> None:
        """Begin a subtask.

        Parameters
        ----------
        name : str
            What it does.
        """
        if self.fit is not None:
            self.subtask = self.fit.subcontext(task_name=name)
            self.subtask.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, fitted: Callable[[], Mapping[str, Any]]) -> bool:
        """End the subtask, if one has begun, else the fit.

        Parameters
        ----------
        fitted : callable
            Returns the attributes that make a fitted estimator of a copy of this one; called where a callback asks.

        Returns
        -------
        bool
            Whether a callback wants the fit to stop.
        """
        if self.fit is None:
            return False
        task, self.subtask = self.subtask or self.fit, None
        stop = task.call_on_fit_task_end(estimator=self.estimator, reconstruction_attributes=fitted, **self.data)
        return bool(stop)
