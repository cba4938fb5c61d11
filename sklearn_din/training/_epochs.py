"""Epochs, told to whoever listens outside of skorch."""

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback

from sklearn_din.training._callbacks import StopTraining


class EpochListener(Callback):
    """Calls a function at the begin and one at the end of each epoch, of the one that ends the training too.

    Parameters
    ----------
    begin : callable
        Called without arguments.
    end : callable
        ``end(net) -> bool``: whether to stop.
    """

    def __init__(self, begin: Callable[[], None], end: Callable[[Any], bool]) -> None:
        self.begin = begin
        self.end = end
        self.is_open_ = False

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Tell of it."""
        self.begin()
        self.is_open_ = True

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Tell of it, and stop where that is wanted."""
        self.is_open_ = False
        if self.end(net):
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Tell of the end of an epoch in which training was stopped, and let go of the functions."""
        if self.is_open_:
            self.is_open_ = False
            self.end(net)
        self.begin, self.end = _begin_nothing, _end_nothing


def _begin_nothing() -> None:
    """Do nothing."""


def _end_nothing(net: Any) -> bool:
    return False
