"""The optional package that the data sets are frames of."""

from typing import Any


def import_pandas() -> Any:
    """Import pandas.

    Returns
    -------
    module
        pandas.

    Raises
    ------
    ImportError
        If it is not installed, naming the extra to install.
    """
    try:
        import pandas as pd
    except ImportError as error:
        msg = "The data sets are pandas frames, and pandas is not there. Install it: pip install sklearn-din[pandas]."
        raise ImportError(msg) from error
    return pd
