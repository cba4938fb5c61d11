"""Permutation importance for columns that only make sense together."""

from collections.abc import Collection, Mapping, Sequence
from numbers import Integral
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from sklearn_din.inspection._groups import (
    check_sequences_are_whole,
    checked_groups,
    column_names,
    default_groups,
    layout_of,
    single_groups,
)
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.preprocessing._frame_edits import take_rows
from sklearn_din.utils._frames import read_frame

_CONSTRAINTS: Mapping[str, list[Any]] = {
    "groups": [Mapping, None],
    "scoring": [str, callable, None],
    "n_repeats": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


def grouped_permutation_importance(
    model: Any,
    X: Any,
    y: Any,
    *,
    groups: Mapping[str, Collection[str]] | None = None,
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: Any = None,
) -> Bunch:
    """Return how much worse a model scores when columns that belong together are permuted among the rows.

    Parameters
    ----------
    model : estimator
        Any fitted estimator or pipeline that takes ``X``.
    X : frame, dict of columns, or EncodedTable
        Rows that the model was not trained on. It is not written to.
    y : array-like of shape (n_samples,)
        Their target.
    groups : dict of str to list of str, default=None
        Columns by the name of their group; those in no group stay as they are. None: the list columns of each sequence
        together, under the name of the first, all columns of the candidate together, as "candidate", and each other
        column that the encoder reads alone. What belongs together is read from the layout of an ``EncodedTable``, or
        from the ``BehaviorEncoder`` of a pipeline, also where the pipeline is in a search, a
        ``TunedThresholdClassifierCV``, a ``CalibratedClassifierCV``, a ``FrozenEstimator`` and the like, provided that
        the steps before the encoder keep the columns. Without either each column stands alone.
    scoring : str, callable or None, default=None
        A scorer's name, or a scorer. None for the model's ``score``.
    n_repeats : int, default=5
        Permutations of each group.
    random_state : int, RandomState instance or None, default=None
        An int makes the permutations reproducible.

    Returns
    -------
    Bunch
        With the attributes

        importances_mean : ndarray of shape (n_groups,)
            Score of ``X`` less that with the group permuted, mean over the repeats.
        importances_std : ndarray of shape (n_groups,)
            Standard deviation over the repeats.
        importances : ndarray of shape (n_groups, n_repeats)
            Each repeat.
        groups : dict of str to list of str
            The groups, in the same order.

    Raises
    ------
    ValueError
        If a group is empty, names a column that ``X`` lacks, or parts columns of a sequence that differ in length from
        row to row; if ``groups`` is None, ``X`` has several list columns and there is no encoder to read what belongs
        together; or a parameter is not valid.
    TypeError
        If ``X`` has no named columns, or a group is no list.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    sklearn.inspection.permutation_importance : For columns that stand alone.

    Notes
    -----
    scikit-learn's ``permutation_importance`` permutes one column at a time. With two list columns in a sequence that
    gives a row the items of one history and the categories of another: their lengths differ, and the encoder raises.
    Even where it does not, an item of a foreign category is a candidate that does not exist, and what is measured is
    how the model takes nonsense. Permuted together, each row gets the whole history, or the whole candidate,
    of another.

    Two groups that tell the same share their importance: the model finds in one what is lost in the other.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.inspection import grouped_permutation_importance
    >>> X, y = make_clicks(600, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=3, random_state=0)).fit(X[:400], y[:400])
    >>> result = grouped_permutation_importance(model, X[400:], y[400:], scoring="roc_auc", random_state=0)
    >>> result.groups
    {'hist_item': ['hist_item', 'hist_category'], 'candidate': ['item', 'category']}
    >>> result.importances.shape
    (2, 5)
    """
    given = {"groups": groups, "scoring": scoring, "n_repeats": n_repeats, "random_state": random_state}
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name="grouped_permutation_importance")
    names = column_names(X)
    if isinstance(model, BaseEstimator):
        check_is_fitted(model)
    layout, read = layout_of(model, X, names)
    if groups is None:
        chosen = default_groups(names, layout, read) if layout is not None else single_groups(X, names, model)
    else:
        chosen = checked_groups(groups, names)
    check_sequences_are_whole(X, chosen, layout)
    scorer = check_scoring(model, scoring=scoring)
    rng = check_random_state(random_state)
    n_samples = len(X) if isinstance(X, EncodedTable) else read_frame(X).n_samples
    baseline = scorer(model, X, y)
    importances = np.empty((len(chosen), n_repeats))
    for group, columns in enumerate(chosen.values()):
        for repeat in range(n_repeats):
            order = rng.permutation(n_samples)
            importances[group, repeat] = baseline - scorer(model, _permute(X, columns, order), y)
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        groups=chosen,
    )


def _permute(X: Any, columns: Sequence[str], order: NDArray[np.int64]) -> Any:
    """Return a copy of ``X`` in which row ``i`` has the values of row ``order[i]`` in some columns."""
    if isinstance(X, EncodedTable):
        taken = X[order]
        lists = set(X.layout.list_columns)
        sources = {name: taken if name in columns else X for name in X.keys()}  # noqa: SIM118 - no mapping
        parts = {name: each.ragged(name) if name in lists else each[name] for name, each in sources.items()}
        return EncodedTable(X.layout, parts)
    if isinstance(X, Mapping):
        return dict(X) | take_rows({name: X[name] for name in columns}, "X", order)
    frame = nw.from_native(X, eager_only=True)
    if frame.implementation.is_pandas_like():
        permuted = X.copy(deep=False)
        for name in columns:
            permuted[name] = X[name].iloc[order].set_axis(X.index)  # by position: labels may occur twice
        return permuted
    part = take_rows(frame.select(list(columns)).to_native(), "X", order)
    if frame.implementation.is_pyarrow():
        for name in columns:
            X = X.set_column(X.column_names.index(name), X.schema.field(name), part.column(name))
        return X
    return frame.with_columns(*nw.from_native(part, eager_only=True).iter_columns()).to_native()
