"""Fitted models taken apart: encoder and estimator."""

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_din.estimators._classifier import DINClassifier
from sklearn_din.estimators._regressor import DINRegressor
from sklearn_din.preprocessing import BehaviorEncoder


def split_model(model: Any) -> tuple[BehaviorEncoder | None, Any]:
    """Return encoder and estimator of a fitted model.

    Parameters
    ----------
    model : Pipeline or estimator
        A pipeline that begins with a ``BehaviorEncoder`` and ends with an estimator of this library, or such an
        estimator alone.

    Returns
    -------
    (BehaviorEncoder or None, DINClassifier or DINRegressor)
        An estimator alone has no encoder.

    Raises
    ------
    TypeError
        If a pipeline does not begin with an encoder, or the model does not end with an estimator of this library.
    NotFittedError
        If the model is not fitted.
    """
    if isinstance(model, Pipeline) and not isinstance(model[0], BehaviorEncoder):
        msg = (
            f"The pipeline must begin with a BehaviorEncoder; it begins with {type(model[0]).__name__}. "
            "Give the part of the pipeline from the encoder on, and the rows that reach it."
        )
        raise TypeError(msg)
    estimator = final_estimator(model)
    return (model[0] if isinstance(model, Pipeline) else None), estimator


def final_estimator(model: Any) -> Any:
    """Return the estimator of this library that a fitted model is or ends with.

    Parameters
    ----------
    model : Pipeline or estimator
        Of any first steps.

    Returns
    -------
    DINClassifier or DINRegressor
        Fitted.

    Raises
    ------
    TypeError
        If there is none.
    NotFittedError
        If it is not fitted.
    """
    estimator = model[-1] if isinstance(model, Pipeline) else model
    if not isinstance(estimator, DINClassifier | DINRegressor):
        is_search = hasattr(estimator, "best_estimator_")
        advice = "Give its best_estimator_." if is_search else "Give a fitted model that it holds, if any."
        msg = (
            "The model must be a DINClassifier or a DINRegressor, or a pipeline that ends with one: "
            f"got {type(estimator).__name__}. {advice}"
        )
        raise TypeError(msg)
    check_is_fitted(estimator)
    return estimator
