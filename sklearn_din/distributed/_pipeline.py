"""A pipeline that is fitted step by step: its encoder on chunks of rows, then its estimator."""

from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.preprocessing import BehaviorEncoder


def encoder_and_estimator(model: Any) -> tuple[BehaviorEncoder, Any]:
    """Return the two steps of a pipeline.

    Parameters
    ----------
    model : Pipeline
        Of a ``BehaviorEncoder`` and an estimator of this library.

    Returns
    -------
    (BehaviorEncoder, DINClassifier or DINRegressor)
        The steps themselves.

    Raises
    ------
    TypeError
        If it is something else.
    """
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    if (
        len(steps) != 2
        or not isinstance(steps[0], BehaviorEncoder)
        or not isinstance(steps[1], DINClassifier | DINRegressor)
    ):
        got = ", ".join(type(step).__name__ for step in steps)
        msg = (
            "Parquet files are read by a pipeline of two steps, a BehaviorEncoder and a DINClassifier or DINRegressor: "
            f"got {got}. Leave other steps out, or give a frame."
        )
        raise TypeError(msg)
    encoder, estimator = steps
    return encoder, estimator


def params_of_estimator(model: Pipeline, fit_params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is meant for the ``fit`` of the last step.

    Parameters
    ----------
    model : Pipeline
        Whose last step is fitted.
    fit_params : mapping
        By the name of the parameter, with or without the name of the step and two underscores before it.

    Returns
    -------
    dict
        By the name of the parameter.

    Raises
    ------
    TypeError
        If a parameter is not one of ``fit``, or given twice.
    """
    prefix = f"{model.steps[-1][0]}__"
    params = {name.removeprefix(prefix): value for name, value in fit_params.items()}
    known = ("sample_weight", "X_val", "y_val", "sample_weight_val")
    for name in fit_params:
        if name.removeprefix(prefix) not in known:
            msg = f"There is no parameter {name!r} of fit for Parquet files. Give one of {', '.join(known)}."
            raise TypeError(msg)
    if len(params) < len(fit_params):
        msg = f"A parameter of fit is given twice, with and without {prefix!r}: {', '.join(fit_params)}. Give it once."
        raise TypeError(msg)
    return params
