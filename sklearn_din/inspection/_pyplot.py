"""The optional package that the displays draw with, and its axes and figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_pyplot(caller: str) -> Any:
    """Import matplotlib's pyplot.

    Parameters
    ----------
    caller : str
        Who draws, for the message.

    Returns
    -------
    module
        ``matplotlib.pyplot``.

    Raises
    ------
    ImportError
        If matplotlib is not installed, naming the extra to install.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        msg = f'{caller} draws with matplotlib, which is not there. Install it: pip install "sklearn-din[plots]".'
        raise ImportError(msg) from error
    return plt


def check_axes(ax: Any, wanted: str) -> None:
    """Check that something is axes to draw on.

    Parameters
    ----------
    ax : object
        What the user gave.
    wanted : str
        What ``ax`` may be, for the message.

    Raises
    ------
    TypeError
        If it is no matplotlib Axes.
    """
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        msg = f"ax must be {wanted}: got {type(ax).__name__}. Give what plt.subplots() returns second, for example."
        raise TypeError(msg)


@contextmanager
def closed_on_error(figure: Any) -> Iterator[None]:
    """Close a figure where drawing on it fails, so that no half of a picture is shown.

    Parameters
    ----------
    figure : matplotlib Figure or None
        Made for the drawing; None where it is the user's.

    Yields
    ------
    None
        While it is drawn on.
    """
    try:
        yield
    except BaseException:
        if figure is not None:
            import_pyplot("closed_on_error").close(figure)
        raise
