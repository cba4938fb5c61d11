"""What is wrong with a part of a model, in one sentence, and without running the ``repr`` of what may be forged."""

from typing import Any, NoReturn

import numpy as np

from sklearn_din.utils._pieces import shown


def refuse(name: str, value: Any, expected: Any) -> NoReturn:
    """Raise ``ValueError`` for a part of a model.

    Parameters
    ----------
    name : str
        What it is called.
    value : object
        What it is.
    expected : object
        What it should be.

    Raises
    ------
    ValueError
        Always.
    """
    msg = f"{name} must be {expected}: got {shown(value) if _is_plain(value) else f'a {type(value).__name__}'}"
    raise ValueError(msg)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    is_array = isinstance(value, np.ndarray) and value.dtype != object
    return value is None or isinstance(value, bool | int | float | str) or is_array
