"""Fitted models taken apart, and rows as they reach the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_din.estimators._fitted import split_model
from sklearn_din.preprocessing import BehaviorEncoder, EncodedTable
from sklearn_din.training import TensorTable, predict_attention
from sklearn_din.utils._frames import Frame, read_frame


@dataclass(frozen=True)
class EncodedRows:
    """Rows with behaviors, and the estimator that is to score them.

    Attributes
    ----------
    table : EncodedTable
        The rows as the estimator takes them; it has a behavior sequence at least.
    estimator : DINClassifier or DINRegressor
        Fitted with the encoder of the table.
    raw : Frame or None
        The rows as they were before the encoder; None where they came encoded.
    """

    table: EncodedTable
    estimator: Any
    raw: Frame | None

    def attention(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights (n_behaviors,) of each sequence by its name, flat in the order of the rows."""
        return predict_attention(self.estimator.module_, TensorTable(self.table, self.estimator.device_))


def encode_rows(model: Any, X: Any) -> EncodedRows:
    """Bring rows before the network of a fitted model.

    Parameters
    ----------
    model : Pipeline or estimator
        A pipeline that begins with a ``BehaviorEncoder`` and ends with an estimator of this library, or such an
        estimator alone.
    X : frame, dict of columns, or EncodedTable
        Raw rows for a pipeline, encoded rows for an estimator.

    Returns
    -------
    EncodedRows
        The rows in order.

    Raises
    ------
    ValueError
        If the model has no behavior sequence, or ``X`` is not what it was fitted on.
    TypeError
        If ``model`` is neither, or an estimator gets rows that are not encoded.
    NotFittedError
        If the model is not fitted.
    """
    encoder, estimator = split_model(model)
    if encoder is None and not isinstance(X, EncodedTable):
        msg = (
            f"{type(estimator).__name__} alone takes an EncodedTable: got {type(X).__name__}. "
            "Give the fitted pipeline with its encoder, or encode X."
        )
        raise TypeError(msg)
    table = X if encoder is None else model[:-1].transform(X)
    if not table.layout.sequences:
        msg = "The model has no behavior sequence, and so no attention. Name one in behavior_features of its encoder."
        raise ValueError(msg)
    if table.layout != estimator.layout_:
        msg = "X was not encoded by the encoder that the estimator was fitted with. Use the table of that encoder."
        raise ValueError(msg)
    return EncodedRows(table, estimator, None if encoder is None else read_frame(X))


def find_encoder(model: Any, names: Sequence[str]) -> BehaviorEncoder | None:
    """Return the encoder whose columns are those that a model takes.

    Parameters
    ----------
    model : estimator
        A fitted pipeline, or what holds one: a search, a choice of threshold, a calibration, a frozen estimator, a
        transformed target, a pipeline again.
    names : sequence of str
        The columns of its rows.

    Returns
    -------
    BehaviorEncoder or None
        Fitted. None where there is none, or a step before it makes other columns of them.

    Raises
    ------
    NotFittedError
        If the encoder is not fitted.
    """
    if isinstance(model, BehaviorEncoder):
        check_is_fitted(model)
        return model
    if not isinstance(model, Pipeline):
        held = _held_by(model)
        return None if held is None else find_encoder(held, names)
    for position, (_, step) in enumerate(model.steps):
        encoder = find_encoder(step, names)
        if encoder is not None:
            keeps_names = not position or set(getattr(encoder, "feature_names_in_", ())) == set(names)
            return encoder if keeps_names else None
    return None


def _held_by(model: Any) -> Any:
    """Return the fitted model that another one passes its rows to as they are; None where that is not known."""
    # Not any estimator_: that of a bagging is a template which was never fitted.
    if isinstance(model, TunedThresholdClassifierCV | FixedThresholdClassifier):
        return model.estimator_
    if isinstance(model, CalibratedClassifierCV):
        return model.calibrated_classifiers_[0].estimator
    if isinstance(model, FrozenEstimator):
        return model.estimator
    if isinstance(model, TransformedTargetRegressor):
        return model.regressor_
    return getattr(model, "best_estimator_", None)  # of a search, Optuna's too
