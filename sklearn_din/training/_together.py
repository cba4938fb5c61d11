"""Which processes train together, for as long as a block of code runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sklearn_din.nn._processes import Processes

_CURRENT: ContextVar[Processes | None] = ContextVar("processes", default=None)


def current_processes() -> Processes | None:
    """Return the processes that the next fit is shared with; None where it is a fit like any other."""
    return _CURRENT.get()


@contextmanager
def training_together(processes: Processes) -> Iterator[None]:
    """Let each fit inside the block be shared with other processes, which run the same block.

    Parameters
    ----------
    processes : Processes
        All of them.
    """
    token = _CURRENT.set(processes)
    try:
        yield
    finally:
        _CURRENT.reset(token)
