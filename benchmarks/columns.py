"""Frames with one list column of each kind that the encoder takes, to measure how fast it reads them."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from rows import N_ITEMS, SHORT, cells, draw_items, make_lengths

LENGTHS = (SHORT, "50")
MEAN_SHORT = 10
SPARSITY = 20  # the ids are spread over so many times as many integers
KINDS = (
    "pandas, arrays of integers",
    "pandas, lists of integers",
    "pandas, lists of strings",
    "pandas, Arrow lists of integers",
    "pandas, Arrow lists of strings",
    "polars, integers",
    "polars, strings",
)


def make_frame(lengths, kind, n_behaviors, seed=0):
    """Make a frame with a column ``item`` and a column ``hist_item``.

    Parameters
    ----------
    lengths : {"short", "50"}
        Of the histories: short ones, as real ones are, or all of 50.
    kind : str
        One of ``KINDS``. Each string is an object of its own, as it is when read from a file.
    n_behaviors : int
        About how many there are.
    seed : int, default=0
        Of the values.

    Returns
    -------
    frame : pandas.DataFrame or polars.DataFrame
        With 100,000 items of unequal popularity.
    n_behaviors : int
        How many there are.
    """
    rng = np.random.default_rng(seed)
    of_rows = make_lengths(lengths, n_behaviors // (MEAN_SHORT if lengths == SHORT else int(lengths)), mean=MEAN_SHORT)
    ids = rng.permutation(SPARSITY * N_ITEMS)[:N_ITEMS]
    item, behaviors = (ids[draw_items(n, N_ITEMS, rng)] for n in (len(of_rows), of_rows.sum()))
    if "strings" in kind:
        item, behaviors = (np.array([f"B{value:09d}" for value in each], dtype=object) for each in (item, behaviors))
    if kind == "pandas, arrays of integers":
        history = cells(behaviors, of_rows)
    elif kind.startswith("pandas, lists"):
        history = cells(behaviors, of_rows)
        history[:] = [each.tolist() for each in history]
    else:
        offsets = np.concatenate([[0], np.cumsum(of_rows)]).astype(np.int32)
        history = pa.ListArray.from_arrays(offsets, pa.array(behaviors))
    if kind.startswith("polars"):
        return pl.DataFrame({"item": item.tolist(), "hist_item": pl.from_arrow(history)}), len(behaviors)
    if isinstance(history, pa.Array):
        history = pd.arrays.ArrowExtensionArray(history)
    return pd.DataFrame({"item": item, "hist_item": history}), len(behaviors)
