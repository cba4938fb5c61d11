"""The score of held-out rows during training."""

import copy
import math
from collections.abc import Callable
from inspect import signature
from typing import Any

from sklearn.metrics import get_scorer

from sklearn_din.estimators._examples import Examples
from sklearn_din.training import TensorTable, current_processes, predict_raw, predict_raw_together


def make_validator(estimator: Any, valid: Examples, tensors: TensorTable) -> Callable[[Any], dict[str, float]]:
    """Return ``validate(net)``, which gives the loss and the score of the held-out rows.

    Parameters
    ----------
    estimator : estimator
        Being fitted; ``scoring`` says what the score is.
    valid : Examples
        The held-out rows.
    tensors : TensorTable
        Their table, on the device of the net.

    Returns
    -------
    callable
        Returns a dict of ``valid_loss``, weighted as the training rows are, and ``valid_score``, greater is better.
    """
    held_out = valid.to_rows(tensors)
    weight = None if held_out.weight is None else held_out.weight.cpu()
    score = None if estimator.scoring == "loss" else _score_of(estimator, valid)
    processes = current_processes()

    def validate(net: Any) -> dict[str, float]:
        if processes is None:
            raw = predict_raw(net.module_, tensors, held_out.positions).float()
        else:
            raw = predict_raw_together(net.module_, tensors, held_out.positions, processes).float()
        loss = float(net.criterion_(raw, held_out.target.cpu(), weight))
        if score is None or not math.isfinite(loss):  # a scorer may raise at predictions that are not finite
            return {"valid_loss": loss, "valid_score": -loss}
        return {"valid_loss": loss, "valid_score": score(net)}

    return validate


def _score_of(estimator: Any, valid: Examples) -> Callable[[Any], float]:
    """Return ``score(net)`` with the user's scorer, which sees a fitted copy of the estimator.

    The user's own weights reach a scorer that takes weights, those of ``class_weight`` do not, as in scikit-learn.
    """
    scorer = get_scorer(estimator.scoring)
    table, y = valid.table[valid.positions], valid.y[valid.positions]
    keywords = {}
    if valid.sample_weight is not None and _takes_weights(scorer):
        keywords["sample_weight"] = valid.sample_weight[valid.positions]

    def score(net: Any) -> float:
        fitted = copy.copy(estimator)
        fitted.net_ = net
        return float(scorer(fitted, table, y, **keywords))

    return score


def _takes_weights(scorer: Any) -> bool:
    metric = getattr(scorer, "_score_func", scorer)  # what make_scorer wraps
    return "sample_weight" in signature(metric).parameters
