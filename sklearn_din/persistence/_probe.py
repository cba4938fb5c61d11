"""What a transformer of scikit-learn makes of a few rows: the same numbers here as where it was saved."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context


def probe(transformer: Any) -> list[NDArray[np.float64] | None]:
    """Return what a fitted transformer makes of rows of equal numbers from -2 to 2, and of a row of missing ones.

    Parameters
    ----------
    transformer : estimator
        Of numbers.

    Returns
    -------
    list of ndarray, or None where it refuses the rows
        Two; empty if it is not fitted.
    """
    n_features = getattr(transformer, "n_features_in_", None)
    if n_features is None:
        return []
    rows = np.repeat(np.linspace(-2.0, 2.0, 5)[:, np.newaxis], n_features, axis=1)
    return [_transformed(transformer, rows), _transformed(transformer, np.full((1, n_features), np.nan))]


def check_probe(transformer: Any, expected: list[NDArray[np.float64] | None]) -> None:
    """Raise if a transformer makes something else of these rows.

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


def _transformed(transformer: Any, rows: NDArray[np.float64]) -> NDArray[np.float64] | None:
    with config_context(transform_output="default"), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = transformer.transform(rows)
        except (TypeError, ValueError):
            return None
    return np.asarray(out.toarray() if hasattr(out, "toarray") else out, dtype=np.float64)
