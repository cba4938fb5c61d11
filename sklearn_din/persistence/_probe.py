"""What a transformer of scikit-learn makes of a few rows: the same numbers here as where it was saved."""

import copy
from typing import Any

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator

WIDEST = 10_000  # columns of the rows
_NAMED = ("_sklearn_output_config", "feature_names_in_")


def probe(transformer: Any) -> list[NDArray[np.float64] | None]:
    """Return what a fitted transformer makes of rows of equal numbers from -2 to 2, and of a row of missing ones.

    Parameters
    ----------
    transformer : estimator
        Of numbers.

    Returns
    -------
    list of ndarray, or None where it refuses the rows
        Two; empty if it is not fitted, or for more than 10,000 columns.
    """
    n_features = getattr(transformer, "n_features_in_", None)
    if n_features is None or n_features > WIDEST:
        return []
    nameless = _without_names(transformer)  # which would warn of rows without names
    rows = np.repeat(np.linspace(-2.0, 2.0, 5)[:, np.newaxis], n_features, axis=1)
    return [_transformed(nameless, rows), _transformed(nameless, np.full((1, n_features), np.nan))]


def check_probe(transformer: Any, expected: list[NDArray[np.float64] | None]) -> None:
    """Raise if a transformer gives other numbers for these rows.

    Parameters
    ----------
    transformer : estimator
        Loaded.
    expected : list
        What ``probe`` gave where it was saved.

    Raises
    ------
    ValueError
        If a number differs by more than 1e-6 of it.
    """
    for actual, wanted in zip(probe(transformer), expected, strict=True):
        is_equal = actual is wanted
        if actual is not None and wanted is not None and actual.shape == wanted.shape:
            is_equal = bool(np.allclose(actual, wanted, rtol=1e-6, atol=1e-12, equal_nan=True))
        if not is_equal:
            msg = (
                f"{type(transformer).__name__} does not transform here as it did where it was saved: scikit-learn has "
                "another version"
            )
            raise ValueError(msg)


def _without_names(value: Any) -> Any:
    """Return a copy of an estimator, and of those inside it, without names of columns and kinds of output."""
    if isinstance(value, BaseEstimator):
        twin = copy.copy(value)
        twin.__dict__ = {name: _without_names(part) for name, part in vars(value).items() if name not in _NAMED}
        return twin
    if isinstance(value, list | tuple):
        return type(value)(map(_without_names, value))
    return value


def _transformed(transformer: Any, rows: NDArray[np.float64]) -> NDArray[np.float64] | None:
    with config_context(transform_output="default"), parallel_config("sequential"), np.errstate(all="ignore"):
        try:
            out = transformer.transform(rows)
        except (TypeError, ValueError):
            return None
    return np.asarray(out.toarray() if hasattr(out, "toarray") else out, dtype=np.float64)
