"""The optional package that the displays draw with."""

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
