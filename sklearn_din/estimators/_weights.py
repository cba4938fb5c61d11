"""Weights of rows: their checks, and a scale on which nothing overflows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight


def check_weight(weight: Any, y: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return the weights of rows as an array.

    Parameters
    ----------
    weight : array-like of shape (n_samples,)
        As given.
    y : ndarray of shape (n_samples,)
        Their target.
    name : str
        What the user calls the weights.

    Returns
    -------
    ndarray of shape (n_samples,)
        Finite, 0 or greater.

    Raises
    ------
    ValueError
        If they are not so, or all 0.
    """
    try:
        weight = _check_sample_weight(weight, y, dtype=np.float64, ensure_non_negative=True)
    except ValueError as error:
        if name == "sample_weight":
            raise
        raise ValueError(str(error).replace("sample_weight", name)) from error
    check_some_weight(weight)
    return weight


def check_some_weight(weight: NDArray[np.float64]) -> None:
    """Check that a row is left.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Raises
    ------
    ValueError
        If all are 0.
    """
    if not weight.any():
        msg = "The weight of every row is 0: nothing is left. Give some rows a weight, or leave sample_weight out."
        raise ValueError(msg)


def as_shares(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights as shares of the largest one, so that neither their sums nor their products overflow.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        One is greater than 0.

    Returns
    -------
    ndarray of shape (n_samples,)
        From 0 to 1.
    """
    return weight / weight.max()
