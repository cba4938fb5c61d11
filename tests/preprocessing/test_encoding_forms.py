"""Every container of list columns gives the ids that a Python dict per value gives."""

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_din.preprocessing import BehaviorEncoder, _factors

MAX_LENGTH = 4


def ids_by_dict(histories, candidates):
    """Return the ids of histories, cut and padded, and of candidates."""
    kept = [(history or [])[-MAX_LENGTH:] for history in histories]
    counts = Counter()
    for candidate, history in zip(candidates, kept, strict=True):
        counts.update({candidate, *history} - {None})
    ids = {value: 2 + i for i, value in enumerate(sorted(counts, key=lambda value: (-counts[value], value)))}
    padded = [[*(ids.get(value, 1) for value in history), *[0] * (MAX_LENGTH - len(history))] for history in kept]
    return padded, [ids[candidate] for candidate in candidates]


def objects(cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def arrays(histories):
    """Return histories as NumPy arrays; those with a missing value are arrays of objects."""
    return [None if h is None else objects(h) if None in h else np.array(h) for h in histories]


def arrow(histories, kind):
    return pa.array(histories, pa.list_(kind))


def cut(histories, kind):
    """Return an Arrow array that begins and ends within another one."""
    return arrow([histories[-1], *histories, histories[0]], kind).slice(1, len(histories))


def coded(histories, kind):
    return pa.array(histories, pa.list_(pa.dictionary(pa.int32(), kind)))


FORMS = {
    "lists": lambda h, kind: h,
    "tuples": lambda h, kind: [None if cell is None else tuple(cell) for cell in h],
    "arrays": lambda h, kind: arrays(h),
    "pandas lists": lambda h, kind: pd.Series(h, dtype=object),
    "pandas arrays": lambda h, kind: pd.Series(arrays(h), dtype=object),
    "pandas arrow": lambda h, kind: pd.Series(arrow(h, kind), dtype=pd.ArrowDtype(pa.list_(kind))),
    "polars": lambda h, kind: pl.Series(h, dtype=pl.List(pl.String if kind == pa.string() else pl.Int64)),
    "arrow": arrow,
    "arrow cut": cut,
    "arrow chunks": lambda h, kind: pa.chunked_array([arrow(h[:1], kind), arrow(h[1:], kind)]),
    "arrow large": lambda h, kind: arrow(h, kind).cast(pa.large_list(kind)),
    "arrow dictionary": coded,
}
SPARSE = st.sampled_from([-(2**63), -5, 0, 7, 10**6, 2**63 - 1])


def rows(values):
    history = st.none() | st.lists(st.none() | values, max_size=MAX_LENGTH + 2)
    return st.lists(st.tuples(history, values), min_size=1, max_size=8)


@pytest.mark.parametrize("form", FORMS)
@given(
    st.one_of(
        st.tuples(st.just(pa.int64()), rows(st.integers(-3, 3))),
        st.tuples(st.just(pa.int64()), rows(SPARSE)),
        st.tuples(st.just(pa.string()), rows(st.sampled_from(["", "a", "b", "é", "long" * 9]))),
    ),
    st.sampled_from([2, 2**16]),
)
def test_ids_are_those_of_a_dict_per_value(form, drawn, block):
    kind, pairs = drawn
    histories, candidates = [list(column) for column in zip(*pairs, strict=True)]
    histories[0] = histories[0] or [candidates[0]]  # a column of missing cells only has another type in some forms
    padded, ids = ids_by_dict(histories, candidates)
    X = {"hist": FORMS[form](histories, kind), "item": candidates}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_factors, "BLOCK", block)
        encoder = BehaviorEncoder({"hist": "item"}, max_length=MAX_LENGTH)
        at_once = encoder.fit_transform(X)
        table = encoder.transform(X)

    for found in (at_once, table):
        assert found["hist"].tolist() == padded
        assert found["item"].tolist() == ids


def test_histories_of_equal_length_in_a_polars_array_are_encoded():
    histories, candidates = [[1, 2], [2, 2], [3, 1]], [2, 3, 3]
    X = pl.DataFrame({"hist": pl.Series(histories, dtype=pl.Array(pl.Int64, 2)), "item": candidates})
    padded, ids = ids_by_dict(histories, candidates)

    table = BehaviorEncoder({"hist": "item"}, max_length=MAX_LENGTH).fit_transform(X)

    assert table["hist"].tolist() == padded
    assert table["item"].tolist() == ids


def test_encoding_does_not_write_to_numbers_that_it_did_not_copy():
    prices = np.array([1.0, np.nan, 3.0])
    X = {"price": pa.ListArray.from_arrays([0, 2, 3], pa.array(prices))}

    table = BehaviorEncoder({"price": None}).fit_transform(X)
    table.ragged("price").values[:] = 0

    np.testing.assert_array_equal(prices, [1.0, np.nan, 3.0])
