"""Clicks with a known cause: a user clicks what is of a category in his history."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_din.datasets._pandas import import_pandas
from sklearn_din.utils._ragged import offsets_of

if TYPE_CHECKING:
    import pandas as pd

_CONSTRAINTS: Mapping[str, list[Any]] = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_items": [Interval(Integral, 2, None, closed="left")],
    "n_categories": [Interval(Integral, 2, None, closed="left")],
    "max_length": [Interval(Integral, 1, None, closed="left")],
    "noise": [Interval(Real, 0, 1, closed="both")],
    "random_state": ["random_state"],
}


def make_clicks(
    n_samples: int = 10_000,
    *,
    n_items: int = 2_000,
    n_categories: int = 200,
    max_length: int = 30,
    noise: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> "tuple[pd.DataFrame, NDArray[np.int64]]":
    """Make rows that are clicked exactly where the history holds the category of the candidate.

    Attention to the candidate solves the task. Neither the candidate nor the history tells anything alone, and the
    mean of a history hides a single event among many. Counting the category in the history solves the task, too, which
    the estimators do by default: set ``match_counts=False`` to see what attention learns.

    Parameters
    ----------
    n_samples : int, default=10_000
        Rows. From 10,000 on attention learns the rule; with 1,000 rows it does not.
    n_items : int, default=2_000
        Items, each of one category; at least ``n_categories``.
    n_categories : int, default=200
        Categories, from 2 up. With few of them the mean of a history tells as much as attention.
    max_length : int, default=30
        Histories have from 1 to ``max_length`` events, each length equally often.
    noise : float, default=0.0
        The probability from 0 to 1 with which a label is flipped in the end.
    random_state : int, RandomState instance or None, default=None
        Determines the rows; an int gives the same rows in every call.

    Returns
    -------
    X : DataFrame of shape (n_samples, 4)
        Columns item and category (integers from 0 up), hist_item and hist_category (arrays of such integers).
    y : ndarray of shape (n_samples,)
        1 where the history holds the category of the candidate, else 0. Before the flips ``n_samples // 2`` are 1.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If a parameter is out of range, or there are fewer items than categories.

    Notes
    -----
    Each user has a category that he never meets, drawn uniformly; the events of his history are drawn from the
    others. A clicked candidate is of the category of one of his events, one that is not clicked is of the category
    he never meets. So the history does not depend on the label, and the category of the candidate is uniform in
    both classes.

    Examples
    --------
    >>> from sklearn_din.datasets import make_clicks
    >>> X, y = make_clicks(4, n_items=6, n_categories=3, max_length=4, random_state=0)
    >>> sum(category in history for category, history in zip(X["category"], X["hist_category"]))
    2
    >>> int(y.sum())
    2
    """
    given = {"n_samples": n_samples, "n_items": n_items, "n_categories": n_categories, "max_length": max_length}
    given_rest = {"noise": noise, "random_state": random_state}
    validate_parameter_constraints(_CONSTRAINTS, given | given_rest, caller_name="make_clicks")
    if n_items < n_categories:
        msg = f"Each category needs an item: got n_items={n_items} and n_categories={n_categories}. Ask for more items."
        raise ValueError(msg)
    pd = import_pandas()
    rng = check_random_state(random_state)
    category_of = rng.permutation(np.arange(n_items) % n_categories)
    y = rng.permutation(np.arange(n_samples) < n_samples // 2)

    lengths = rng.randint(1, max_length + 1, size=n_samples)
    offsets = offsets_of(lengths)
    never = rng.randint(n_categories, size=n_samples)
    events = rng.randint(n_categories - 1, size=offsets[-1])
    events += events >= np.repeat(never, lengths)  # any category but the one that the user never meets
    one_of_them = events[offsets[:-1] + rng.randint(lengths)]
    candidate = np.where(y, one_of_them, never)

    X = pd.DataFrame(
        {
            "item": _items_of(candidate, category_of, rng),
            "category": candidate,
            "hist_item": _lists(_items_of(events, category_of, rng), offsets),
            "hist_category": _lists(events, offsets),
        }
    )
    is_flipped = rng.uniform(size=n_samples) < noise
    return X, np.where(is_flipped, ~y, y).astype(np.int64)


def _items_of(
    category: NDArray[np.int64], category_of: NDArray[np.int64], rng: np.random.RandomState
) -> NDArray[np.int64]:
    """Draw an item of each category, uniformly among its items; the shape stays."""
    items = np.argsort(category_of, kind="stable")
    count = np.bincount(category_of)
    first = np.cumsum(count) - count
    return np.asarray(items[first[category] + rng.randint(count[category])])


def _lists(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the values of each row as an array of its own, shape (n_samples,)."""
    return np.asarray(pa.LargeListArray.from_arrays(offsets, values).to_numpy(zero_copy_only=False))
