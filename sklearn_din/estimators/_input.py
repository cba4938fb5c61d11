"""What an estimator is given, as an ``EncodedTable``: one already, or plain numbers."""

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils.validation import check_array, validate_data

from sklearn_din.layout import FeatureLayout
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import TableShare

PIPELINE = """
    Pipeline([
        ("encode", BehaviorEncoder({"hist_item": "item"})),   # list column: candidate column
        ("din", DINClassifier()),
    ])"""


def as_table(estimator: Any, X: Any, *, reset: bool, name: str = "X") -> Any:
    """Return ``X`` as a table, and record (``reset``) or check its features.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and, where there are names, ``feature_names_in_``.
    X : EncodedTable, TableShare, or array-like or frame of shape (n_samples, n_features)
        Plain numbers are taken as they are, as float32.
    reset : bool
        True in ``fit``.
    name : str
        What the user calls ``X``, for messages about its numbers.

    Returns
    -------
    EncodedTable or TableShare
        ``X`` itself, or its numbers.

    Raises
    ------
    ValueError
        If the numbers are not finite, or the features are not those of ``fit``.
    TypeError
        If ``X`` is a frame with columns that are not numbers.
    """
    if isinstance(X, EncodedTable | TableShare):
        if reset:
            estimator.n_features_in_ = X.shape[1]
            estimator.feature_names_in_ = np.asarray(X.layout.padded_names, dtype=object)
        else:
            _check_layout(estimator, X.layout)
        return X
    _check_is_numeric(X, name)
    if not reset and estimator.layout_.columns != estimator.layout_.numeric:
        msg = (
            f"X is not encoded: {type(estimator).__name__} was fitted on a table with the columns "
            f"{', '.join(estimator.layout_.columns)}, and got a {type(X).__name__}. "
            "Encode X with the same fitted BehaviorEncoder, for example in a Pipeline."
        )
        raise TypeError(msg)
    if name != "X":  # what validate_data calls it
        check_array(X, dtype=np.float32, input_name=name, estimator=estimator)
    numbers = validate_data(estimator, X, reset=reset, dtype=np.float32)
    names = getattr(estimator, "feature_names_in_", [f"x{i}" for i in range(numbers.shape[1])])
    layout = FeatureLayout(numeric=tuple(names))
    if not reset:
        _check_layout(estimator, layout)
    return EncodedTable(layout, dict(zip(layout.numeric, numbers.T, strict=True)))


def _check_layout(estimator: Any, layout: FeatureLayout) -> None:
    if layout == estimator.layout_:
        return
    given, fitted = layout.columns, estimator.layout_.columns
    difference = (
        f"its columns are {', '.join(given)}, those of fit were {', '.join(fitted)}"
        if given != fitted
        else "the columns have the same names, but other vocabularies or lengths"
    )
    msg = (
        f"X was not encoded as the rows that {type(estimator).__name__} was fitted on: {difference}. "
        "Encode both with the same fitted BehaviorEncoder, for example in a Pipeline."
    )
    raise ValueError(msg)


def _check_is_numeric(X: Any, name: str) -> None:
    if isinstance(X, dict):
        raise TypeError(_needs_encoder(f"{name} is a dict of columns", next(iter(X), ""), name))
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return
    for column, dtype in frame.schema.items():
        cells = frame[column].drop_nulls() if dtype == nw.Object else None
        is_list = cells is not None and len(cells) > 0 and isinstance(cells[0], list | tuple | np.ndarray)
        if is_list or dtype in (nw.List, nw.Array):
            raise TypeError(_needs_encoder(f"{name} has a column of lists", column, name))
        if not dtype.is_numeric() and dtype not in (nw.Boolean, nw.Object):
            kind = "strings" if dtype in (nw.String, nw.Categorical, nw.Enum) else str(dtype)
            raise TypeError(_needs_encoder(f"{name} has a column of {kind}", column, name))


def _needs_encoder(problem: str, column: str, name: str) -> str:
    advice = f"put an encoder before it:{PIPELINE}"
    if name != "X":
        advice = (
            f"encode {name} with the encoder of X. A pipeline does that for raw rows with "
            f'transform_input=["{name}"] and metadata routing.'
        )
    return f"{problem}: {column!r}. The estimator takes encoded ids or plain numbers; {advice}"
