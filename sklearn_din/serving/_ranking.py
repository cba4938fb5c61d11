"""The candidates of one user in order of their scores."""

from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from sklearn_din.estimators import DINClassifier
from sklearn_din.estimators._base import check_prediction
from sklearn_din.estimators._fitted import split_model
from sklearn_din.preprocessing._event_frames import check_new
from sklearn_din.preprocessing._families import warn_of_foreign_values
from sklearn_din.preprocessing._frame_edits import take_rows, with_columns
from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.serving._pairs import CANDIDATES, PairedFrame, check_columns, read_candidates, read_user
from sklearn_din.serving._scores import rank_raw
from sklearn_din.training import TensorTable, threads
from sklearn_din.utils._pieces import shown

SCORE = "score"  # the new column
SKIPPED = (None, "passthrough")  # steps that do nothing


def rank_candidates(model: Any, user: Any, candidates: Any, *, k: int | None = None, pos_label: Any = None) -> Any:
    """Score the candidates of one user, and return them best first.

    The scores are those that ``predict_proba`` (of a regressor ``predict``) gives for rows in which the columns of the
    user are repeated, up to 1e-6. Here the history is encoded, embedded and projected once.

    Parameters
    ----------
    model : Pipeline
        Fitted: a ``BehaviorEncoder``, then a ``DINClassifier`` or a ``DINRegressor``.
    user : mapping of str to object, pandas Series, or frame of one row
        What all candidates have in common, by column: the histories as lists, and what else is known about the user or
        the moment. As in any row, a history may be empty or None.
    candidates : frame or dict of columns
        A row for each candidate, with all columns of ``fit`` that ``user`` does not have and no others. It is not
        written to.
    k : int, default=None
        How many of the best to return, at least 1; None for all.
    pos_label : object, default=None
        The class whose probability is the score. None for the second of two classes; a classifier of more classes needs
        one, a regressor takes none.

    Returns
    -------
    frame or dict of columns
        Of the kind of ``candidates``: their columns and ``score``, the highest first. Equal scores stay in the order in
        which they were given. In pandas the labels of the index go with the rows.

    Raises
    ------
    TypeError
        If ``model``, ``user``, ``candidates`` or ``k`` is not of such a type, or a column holds what its role does not
        allow.
    ValueError
        If a column is in both or in neither of ``user`` and ``candidates``, was not in ``fit`` or is called ``score``;
        if the fields of a sequence are not together; if ``k`` or ``pos_label`` is none of the values above; if a score
        is not finite; the message names the column, and the row in ``candidates`` (0 for the user).
    NotFittedError
        If the model is not fitted.

    Warns
    -----
    UserWarning
        If all values of a column are of a type that ``fit`` has not seen there, so that all are unknown.

    See Also
    --------
    sklearn_din.inspection.attention_weights : Which behaviors made a score.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.serving import rank_candidates
    >>> X, y = make_clicks(300, random_state=0)
    >>> model = Pipeline(
    ...     [
    ...         ("encode", BehaviorEncoder({"hist_item": "item", "hist_category": "category"})),
    ...         ("din", DINClassifier(max_epochs=1, random_state=0)),
    ...     ]
    ... ).fit(X, y)
    >>> user = {"hist_item": [7, 12, 7], "hist_category": [3, 5, 3]}
    >>> ranked = rank_candidates(model, user, X[["item", "category"]], k=5)
    >>> ranked.shape, ranked["score"].is_monotonic_decreasing
    ((5, 3), True)
    """
    encoder, estimator = _split_pipeline(model)
    n_best, target = _check_count(k), _check_class(estimator, pos_label)
    paired = _pair(encoder, read_user(user), read_candidates(candidates))
    check_new(candidates, CANDIDATES, [SCORE], "The result gets one of that name: rename yours, before fit.")
    scores = np.empty(0)
    if paired.n_samples:
        encoding = encoder._encoding
        rows = RawRows(paired, encoding.roles, encoding.layout.max_length)
        warn_of_foreign_values(rows, encoding.families)
        of_user = {name for name in encoding.layout.list_columns if name in paired.of_user}
        with threads(estimator.n_threads):
            scores = _scores(estimator, encoding.encode(rows), of_user, target)
    order = np.argsort(-scores, kind="stable")[:n_best]
    return with_columns(take_rows(candidates, CANDIDATES, order), {SCORE: pa.array(scores[order])})


def _split_pipeline(model: Any) -> tuple[Any, Any]:
    """Return encoder and estimator of a pipeline of these two, or raise."""
    encoder, estimator = split_model(model)
    if encoder is None:
        msg = (
            f"rank_candidates takes raw values: got a {type(estimator).__name__} without its encoder. "
            "Give the fitted pipeline."
        )
        raise TypeError(msg)
    if not hasattr(encoder, "feature_names_in_"):
        msg = (
            "The encoder was fitted on columns without names, which cannot be shared out between user and candidates. "
            "Fit on a frame with names, or repeat the user in each row and call predict_proba."
        )
        raise TypeError(msg)
    for name, step in model.steps[1:-1]:
        if step not in SKIPPED:
            msg = (
                f"The pipeline must have nothing between encoder and estimator: it has the step {name!r}, a "
                f"{type(step).__name__}. Repeat the user in each row and call predict_proba."
            )
            raise TypeError(msg)
    return encoder, estimator


def _check_count(k: Any) -> int | None:
    """Return how many candidates are wanted, or raise."""
    if k is None:
        return None
    if isinstance(k, bool) or not isinstance(k, Integral):
        msg = f"k must be an integer or None: got {shown(k)}. Give how many of the best to return."
        raise TypeError(msg)
    if k < 1:
        msg = f"k must be at least 1: got {k}. Give how many of the best to return, or None for all."
        raise ValueError(msg)
    return int(k)


def _check_class(estimator: Any, pos_label: Any) -> int | None:
    """Return the position of the class whose probability is wanted, None for a regressor, or raise."""
    name = type(estimator).__name__
    if not isinstance(estimator, DINClassifier):
        if pos_label is not None:
            msg = f"pos_label names a class, and a {name} has none: got {shown(pos_label)}. Leave it out."
            raise ValueError(msg)
        return None
    classes: list[Any] = estimator.classes_.tolist()
    if pos_label is None and len(classes) == 2:
        return 1
    if pos_label not in classes:
        msg = (
            f"pos_label must be one of the classes {shown(classes)}: got {shown(pos_label)}. "
            "Give the class whose probability is the score."
        )
        raise ValueError(msg)
    return classes.index(pos_label)


def _pair(encoder: Any, user: Any, candidates: Any) -> PairedFrame:
    names = encoder.feature_names_in_.tolist()
    check_columns(names, encoder._encoding.roles, user, candidates)
    return PairedFrame(names, user, candidates)


def _scores(estimator: Any, table: Any, of_user: set[str], target: int | None) -> NDArray[np.float64]:
    """Return a score (n_candidates,) for each row."""
    module = estimator.module_
    device = next(module.parameters()).device
    raw = check_prediction(rank_raw(module, TensorTable(table, device), of_user).numpy())
    if target is None:
        scores: NDArray[np.float64] = check_prediction(raw[:, 0] * estimator._scale + estimator._mean)
        return scores
    logits = torch.from_numpy(raw)
    if raw.shape[1] > 1:
        return logits.softmax(1)[:, target].numpy()
    return (logits if target else -logits).sigmoid()[:, 0].numpy()
