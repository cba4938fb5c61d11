"""What the encoder is given, as columns whose names and number scikit-learn has recorded or checked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_din.preprocessing._items import numbers_of
from sklearn_din.utils._frames import Frame, is_frame, read_array, read_frame
from sklearn_din.utils._pieces import shown


def frame_of(estimator: BaseEstimator, X: Any, *, reset: bool) -> Frame:
    """Return the columns of ``X``, and record (``reset``) or check their names and number on the estimator.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_``.
    X : frame, dict of columns, or array-like of shape (n_samples, n_features)
        What the user gave.
    reset : bool
        Whether this is ``fit``.

    Returns
    -------
    Frame
        Of at least one row in ``fit``.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is neither a frame nor an array of numbers, is empty, or differs from that of ``fit``.
    """
    if not is_frame(X):
        return _array_frame(estimator, X, reset=reset)
    frame = read_frame(X)
    if frame.kind == "dict" and not reset:
        frame = frame.reordered(getattr(estimator, "feature_names_in_", ()))
    validate_data(estimator, frame.skeleton() if frame.kind == "dict" else X, reset=reset, skip_check_array=True)
    if reset:
        check_has_rows(estimator, frame)
    return frame


def check_has_rows(estimator: BaseEstimator, frame: Frame) -> None:
    """Check that there is something to learn from.

    Parameters
    ----------
    estimator : estimator
        For the message, which is that of scikit-learn.
    frame : Frame
        What it is to learn from.

    Raises
    ------
    ValueError
        If there are no rows, or no columns.
    """
    shape = (frame.n_samples, len(frame.names))
    for axis, unit in enumerate(("sample(s)", "feature(s)")):
        if shape[axis] == 0:
            msg = (
                f"Found array with 0 {unit} (shape={shape}) while a minimum of 1 is required by "
                f"{type(estimator).__name__}."
            )
            raise ValueError(msg)


def record_columns(estimator: BaseEstimator, names: Sequence[str], *, is_named: bool) -> None:
    """Set ``n_features_in_`` and ``feature_names_in_`` as ``fit`` does in scikit-learn.

    Parameters
    ----------
    estimator : estimator
        Gets them; one that had names and has none now loses them.
    names : sequence of str
        Of the columns.
    is_named : bool
        Whether they are the user's.
    """
    estimator.n_features_in_ = len(names)
    if is_named:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _array_frame(estimator: BaseEstimator, X: Any, *, reset: bool) -> Frame:
    if isinstance(X, list) and X and isinstance(X[0], Mapping):
        msg = (
            f"X must be a frame, a dict of columns or an array: it is a list of dicts, the first of which is "
            f"{shown(X[0])}. Give pandas.DataFrame(X), or a dict of lists with a value for each row."
        )
        raise TypeError(msg)
    if getattr(X, "ndim", 2) == 1 and hasattr(X, "to_frame"):
        msg = (
            f"X must be a frame, a dict of columns or an array: it is a {type(X).__name__}, a single row or column. "
            "Give a frame: frame.iloc[[0]] for the first row."
        )
        raise TypeError(msg)
    n_rows = 1 if reset else 0
    try:
        array = validate_data(
            estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False, ensure_min_samples=n_rows
        )
    except (TypeError, ValueError, OverflowError):
        if isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype.kind in "OUS"):
            _check_cells(X)
        raise
    return read_array(array)


def _check_cells(X: Any) -> None:
    """Raise the error of the first column that is not numeric: scikit-learn's names neither column nor row."""
    cells = np.asarray(X, dtype=object)
    frame = read_array(cells if cells.ndim == 2 else np.empty((0, 0)))
    for name in frame.names:
        if frame[name].is_list:
            msg = (
                f"Column {name!r} of X holds lists, and X is an array, whose columns have no names. If it was a frame, "
                "a tool or step before the encoder made an array of it: let the encoder have the frame itself. Some "
                'tools keep only a frame of pandas; a step may need set_output(transform="pandas").'
            )
            raise TypeError(msg)
        numbers_of(frame[name])
