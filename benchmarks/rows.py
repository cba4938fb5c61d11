"""The rows that speed and memory are measured on: made up, with histories of a given kind, or real reviews."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_din.preprocessing import build_histories, sample_negatives

PAIRS = {"hist_item_id": "item_id", "hist_category": "category"}  # list column -> candidate column
GROUP = "user_id"
MAX_LENGTH = 50  # of the histories of real reviews, and of short ones
LONGEST = 100  # of all histories
N_ITEMS, N_CATEGORIES = 100_000, 1_000
TAIL = 0.8  # the popularity of an item goes with its rank to the power of minus this
SHORT, LONG_TAILED = "short", "long_tailed"  # lengths of histories
REAL = {"sports": ("amazon_sports", "uniform"), "beauty": ("amazon_beauty", "popularity")}  # name -> folder, negatives


class Rows(NamedTuple):
    """Rows of a user, a candidate and a history, and their target."""

    X: pd.DataFrame
    y: np.ndarray


def make_rows(lengths, n_items=N_ITEMS, seed=0):
    """Make rows of which nothing can be learnt.

    Parameters
    ----------
    lengths : ndarray of shape (n_samples,)
        Of the histories.
    n_items : int, default=100_000
        From which candidates and behaviors are drawn, with unequal popularity; they are in 1,000 categories.
    seed : int, default=0
        Of items and labels.

    Returns
    -------
    Rows
        Two of each user.
    """
    rng = np.random.default_rng(seed)
    n_rows = len(lengths)
    category = rng.integers(N_CATEGORIES, size=n_items)
    item, behaviors = np.split(draw_items(n_rows + lengths.sum(), n_items, rng), [n_rows])
    columns = {GROUP: np.arange(n_rows) // 2, "item_id": item, "category": category[item]}
    columns |= {"hist_item_id": cells(behaviors, lengths), "hist_category": cells(category[behaviors], lengths)}
    return Rows(pd.DataFrame(columns), rng.integers(2, size=n_rows))


def make_lengths(histories, n_rows, *, mean=10, seed=0):
    """Make the lengths of histories.

    Parameters
    ----------
    histories : str
        A number, which is the length of all; ``"short"``: geometric, and at most 50; ``"long_tailed"``: lognormal, from
        1 to 100, about 27 in the mean.
    n_rows : int
        How many.
    mean : float, default=10
        Of short ones.
    seed : int, default=0
        Of those that are drawn.

    Returns
    -------
    ndarray of shape (n_rows,)
        At least 1 each.
    """
    rng = np.random.default_rng(seed)
    if histories == SHORT:
        return np.minimum(rng.geometric(1 / mean, n_rows), MAX_LENGTH)
    if histories == LONG_TAILED:
        return np.clip(rng.lognormal(np.log(30) - 0.5, 1.0, n_rows), 1, LONGEST).astype(int)
    return np.full(n_rows, int(histories))


def draw_items(n, n_items, rng):
    """Draw items from 0 to ``n_items - 1``; how popular one is has nothing to do with its number."""
    popularity = np.cumsum(np.arange(1, n_items + 1) ** -TAIL)
    rank = np.searchsorted(popularity / popularity[-1], rng.random(n))
    return rng.permutation(n_items)[rank]


def cells(values, lengths):
    """Return a column of arrays."""
    column = np.empty(len(lengths), dtype=object)
    column[:] = np.split(values, np.cumsum(lengths)[:-1])
    return column


def read_rows(name, folder):
    """Make rows of real reviews; the question is whether an item was the next one that the user reviewed.

    Each review but the last two of a user is a positive row, the reviews before it are its history, the newest 50. For
    each there is a negative with another item: one that is drawn uniformly from those that the user never reviewed
    (``sports``), or as often as the item is in a positive row (``beauty``).

    Parameters
    ----------
    name : {"sports", "beauty"}
        Which reviews.
    folder : Path
        Holds ``amazon_sports`` and ``amazon_beauty``, each with ``events.parquet`` (user_id, item_id, position) and
        ``items.parquet`` (item_id, category).

    Returns
    -------
    Rows
        In random order.
    """
    source, strategy = REAL[name]
    items = pd.read_parquet(folder / source / "items.parquet")[["item_id", "category"]]
    events = pd.read_parquet(folder / source / "events.parquet").merge(items, on="item_id")
    events = events.sort_values([GROUP, "position"], ignore_index=True)
    left = events.groupby(GROUP).cumcount(ascending=False)
    reviews = build_histories(
        events, user=GROUP, time="position", behaviors=["item_id", "category"], max_length=MAX_LENGTH
    )
    is_positive = (events["position"] > events.groupby(GROUP)["position"].transform("min")) & (left >= 2)
    rows = sample_negatives(
        reviews[is_positive],
        user=GROUP,
        item="item_id",
        items=items,
        strategy=strategy,
        exclude=events,
        random_state=0,
    ).sample(frac=1, random_state=0, ignore_index=True)
    return Rows(rows[[GROUP, *PAIRS.values(), *PAIRS]], np.array(rows["label"]))
