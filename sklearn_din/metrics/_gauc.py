"""The area under the ROC curve within users, averaged over them (GAUC)."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints

from sklearn_din.utils._arrow import arrow_array

_GAUC_CONSTRAINTS: Mapping[str, list[Any]] = {
    "y_true": ["array-like"],
    "y_score": ["array-like"],
    "groups": ["array-like"],
    "sample_weight": ["array-like", None],
    "average": [StrOptions({"weighted"}), None],
}


@overload
def gauc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike,
    sample_weight: ArrayLike | None = None,
    average: Literal["weighted"] = "weighted",
) -> float: ...
@overload
def gauc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike,
    sample_weight: ArrayLike | None = None,
    average: None,
) -> NDArray[np.float64]: ...
def gauc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike,
    sample_weight: ArrayLike | None = None,
    average: Literal["weighted"] | None = "weighted",
) -> float | NDArray[np.float64]:
    r"""Compute the area under the ROC curve within each user, averaged over the users.

    .. math:: \mathrm{GAUC} = \frac{\sum_u w_u \, \mathrm{AUC}_u}{\sum_u w_u}

    where :math:`w_u` is the number of rows (impressions) of user :math:`u`, or the sum of their sample weights.
    It tells how well a model orders the candidates of one user, which is what that user sees.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels of at most two classes; the greater one is the positive class.
    y_score : array-like of shape (n_samples,)
        Finite scores, greater for the positive class: ``predict_proba(X)[:, 1]`` or ``decision_function(X)``.
    groups : array-like of shape (n_samples,)
        The user of each row: integers, strings or any other values of one type, in an array, a list or a column of
        a frame.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights from 0 up. They weight the rows within a user, as in ``roc_auc_score``, and the user in the average.
    average : {"weighted"} or None, default="weighted"
        ``None`` gives one value per user.

    Returns
    -------
    float or ndarray of shape (n_groups,)
        A fraction between 0 and 1; 0.5 is chance. With ``average=None`` the areas of the users in the order of
        ``np.unique(groups)``, NaN for a user with one class.

    Raises
    ------
    ValueError
        If the lengths differ, there is no row, the labels have more than two classes, a score is not finite, a group
        is missing, a weight is negative or not finite.
    TypeError
        If ``groups`` mixes types that cannot be compared, or holds lists.

    Warns
    -----
    UndefinedMetricWarning
        If no user has rows of both classes; the average is then NaN.

    Notes
    -----
    Two rows with the same score count one half. Users whose rows have one class only (a row of weight zero is no
    row) have no area, and are left out of the average with their weight. The time is that of sorting the rows.

    References
    ----------
    .. [1] Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018, section 6.3,
       equation 10. https://arxiv.org/abs/1706.06978v4

    Examples
    --------
    >>> from sklearn_din.metrics import gauc_score
    >>> y_true = [0, 1, 1, 0, 1]
    >>> y_score = [0.2, 0.6, 0.3, 0.3, 0.9]
    >>> gauc_score(y_true, y_score, groups=["ann", "ann", "bob", "bob", "cat"])
    0.75
    >>> gauc_score(y_true, y_score, groups=["ann", "ann", "bob", "bob", "cat"], average=None)
    array([1. , 0.5, nan])
    """
    given = {"y_true": y_true, "y_score": y_score, "groups": groups, "sample_weight": sample_weight}
    validate_parameter_constraints(_GAUC_CONSTRAINTS, given | {"average": average}, caller_name="gauc_score")
    check_consistent_length(y_true, y_score, groups, sample_weight)
    score = _scores(y_score)
    is_positive = _is_positive(y_true)
    group, n_groups = _positions(groups, "groups")
    weight = np.ones(len(score)) if sample_weight is None else _weights(sample_weight)
    areas = _areas(is_positive, score, group, weight, n_groups)
    if average is None:
        return areas
    weights = np.bincount(group, weight, minlength=n_groups)
    is_defined = ~np.isnan(areas)
    if not is_defined.any():
        warnings.warn(
            f"GAUC is undefined: none of the {n_groups} groups has rows of both classes. "
            "Score rows of users with both classes, or use roc_auc_score over all rows.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return float("nan")
    return float(np.average(areas[is_defined], weights=weights[is_defined]))


def _is_positive(y_true: ArrayLike) -> NDArray[np.bool_]:
    label, n_classes = _positions(y_true, "y_true")
    if n_classes > 2:
        msg = (
            f"y_true must be labels of at most two classes: got {n_classes} different values. "
            "Compare one class with the rest, for example y_true == positive_class."
        )
        raise ValueError(msg)
    return np.asarray(label == n_classes - 1)


def _scores(y_score: ArrayLike) -> NDArray[Any]:
    score = _finite(y_score, "y_score", "the scores of the positive class, such as predict_proba(X)[:, 1]")
    if not len(score):
        msg = "GAUC needs rows to rank: y_score has none. Give rows of both classes for at least one user."
        raise ValueError(msg)
    return score


def _weights(sample_weight: ArrayLike) -> NDArray[np.float64]:
    weight = _finite(sample_weight, "sample_weight", "one weight per row")
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        msg = f"sample_weight must not be negative: row {row} has {weight[row]}. Give weights from 0 up."
        raise ValueError(msg)
    return weight.astype(np.float64, copy=False)


def _finite(given: ArrayLike, name: str, meaning: str) -> NDArray[Any]:
    is_masked = np.ma.getmaskarray(given) if isinstance(given, np.ma.MaskedArray) else False
    try:
        values = np.asarray(given)
        numbers: NDArray[Any] = check_array(
            values, ensure_2d=False, ensure_all_finite=False, ensure_min_samples=0, allow_nd=True, input_name=name
        )
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        msg = f"{name} must be numbers: {error}. Give {meaning}."
        raise kind(msg) from error
    if values.ndim != 1:
        msg = f"{name} must be 1-D: got shape {values.shape}. Give {meaning}."
        raise ValueError(msg)
    if numbers.dtype.kind not in "biuf":
        msg = f"{name} must be numbers: got {numbers.dtype}. Give {meaning}."
        raise TypeError(msg)
    if np.any(is_masked):
        numbers = np.where(is_masked, np.nan, numbers)
    is_finite = np.isfinite(numbers)
    if not is_finite.all():
        row = int(np.argmin(is_finite))
        msg = (
            f"{name} must be finite numbers: row {row} has {numbers[row]}. Look for the cause, or leave such rows out."
        )
        raise ValueError(msg)
    return numbers


def _positions(values: ArrayLike, name: str) -> tuple[NDArray[np.int64], int]:
    """Return the place of each value among the sorted different values, shape (n_samples,), and their number."""
    try:
        column = _arrow_column(values)
        encoded = column.dictionary_encode()
        order = pc.array_sort_indices(encoded.dictionary).to_numpy(zero_copy_only=False)
    except (pa.ArrowException, OverflowError) as error:
        msg = f"{name} must be a 1-D array of values of one type: {error}. Give one integer or string per row."
        raise TypeError(msg) from error
    except ValueError as error:
        msg = f"{name} cannot be read: {error}. Remove the lone surrogates, or use integers."
        raise ValueError(msg) from error
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        msg = f"{name} must not be missing: row {row} has {column[row]}. Leave such rows out."
        raise ValueError(msg)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[encoded.indices.to_numpy()], len(order)


def _arrow_column(values: ArrayLike) -> Any:
    """Return the values as one Arrow array, NaN as null, categoricals decoded."""
    column = arrow_array(values)
    if pa.types.is_floating(column.type):
        if pa.types.is_float16(column.type):  # of which Arrow compares none
            column = column.cast(pa.float32())
        column = pc.add(pc.if_else(pc.is_nan(column), None, column), 0.0)  # -0.0 is the same value as 0.0
    views = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}  # which it does not sort
    return column.cast(views[column.type]) if column.type in views else column


def _areas(
    is_positive: NDArray[np.bool_],
    score: NDArray[Any],
    group: NDArray[np.int64],
    weight: NDArray[np.float64],
    n_groups: int,
) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each group, shape (n_groups,), NaN where one class is missing."""
    order = np.lexsort((score, group))
    score, group, is_positive = score[order], group[order], is_positive[order]
    weight = _balanced(weight[order], 2 * group + is_positive, 2 * n_groups)

    is_new_group = np.r_[True, group[1:] != group[:-1]]
    is_new_score = is_new_group | np.r_[True, score[1:] != score[:-1]]  # rows of one user with one score are a tie
    tie = np.cumsum(is_new_score) - 1
    positive = np.bincount(tie, weight * is_positive)
    negative = np.bincount(tie, weight * ~is_positive)
    group = group[is_new_score]
    total_positive = np.bincount(group, positive, minlength=n_groups)
    total_negative = np.bincount(group, negative, minlength=n_groups)

    below = np.cumsum(negative) - negative
    below -= below[is_new_group[is_new_score]][group]
    pairs = np.bincount(group, positive * (below + negative / 2), minlength=n_groups)
    possible = total_positive * total_negative
    areas = np.full(n_groups, np.nan)
    np.divide(pairs, possible, out=areas, where=possible > 0)
    return areas


def _balanced(weight: NDArray[np.float64], part: NDArray[np.int64], n_parts: int) -> NDArray[np.float64]:
    """Scale the weights of each part to a maximum from 0.5 to 1.

    The area of a user does not change with the scale of either class. Powers of two lose nothing, and without them
    small weights would drown in the running sum of the users before.
    """
    largest = np.zeros(n_parts)
    np.maximum.at(largest, part, weight)
    return np.ldexp(weight, -np.frexp(largest)[1][part])
