"""Codes of values and the rows that hold them, against a Python dict and a Counter."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_din.preprocessing import _factors
from sklearn_din.preprocessing._factors import count_rows, factorize, gather


def check_factors(values):
    distinct, codes = factorize(values)

    assert distinct.type == values.type
    assert codes.dtype == np.int32
    assert len(set(distinct.to_pylist())) == len(distinct)
    assert set(distinct.to_pylist()) == set(values.to_pylist())
    assert distinct.take(pa.array(codes)).to_pylist() == values.to_pylist()


@given(
    st.one_of(
        st.lists(st.integers(-5, 5)),
        st.lists(st.integers(2**63 - 9, 2**63 - 1)),
        st.lists(st.integers(-(2**63), 2**63 - 1)),
        st.lists(st.sampled_from([-(2**63), -1, 0, 2**63 - 1])),
    ),
    st.integers(0, 3),
)
def test_integers_have_the_code_of_their_value(values, start):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_factors, "BLOCK", 4)

        check_factors(pa.array(values, pa.int64()).slice(start))


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["b", "", "a", "b"], pa.large_string()),
        pa.array([b"b", b"", b"b"], pa.large_binary()),
        pa.array([2**64 - 1, 2**63, 2**64 - 1], pa.uint64()),
        pa.array([0.5, 1.5, 0.5]),
        pa.array([True, False, True]),
        pa.array([], pa.large_string()),
    ],
)
def test_other_values_have_the_code_of_their_value(values):
    check_factors(values)


def test_few_integers_far_apart_take_no_table():
    check_factors(pa.array([-(2**62), 2**62, 3]))  # a table would have 2**63 entries


@pytest.mark.parametrize("n_values", [0, 1, 4, 9])
def test_places_are_looked_up_in_blocks(n_values, monkeypatch):
    monkeypatch.setattr(_factors, "BLOCK", 4)
    places = np.random.default_rng(0).integers(7, 10, n_values)

    found = gather(np.array([5, 6, 4], dtype=np.int32), places, first=7)

    assert found.dtype == np.int32
    assert found.tolist() == [[5, 6, 4][place - 7] for place in places]


def check_counts(columns, n_codes):
    """Compare ``count_rows`` of lists of rows of codes with a set per row."""
    arrays = []
    for rows in columns:
        codes = np.array([code for row in rows for code in row], dtype=np.int32)
        arrays.append((codes, np.cumsum([0, *map(len, rows)])))
    expected = Counter(code for rows in zip(*columns, strict=True) for code in set().union(*rows))

    assert count_rows(arrays, n_codes).tolist() == [expected[code] for code in range(n_codes)]


@given(st.data(), st.integers(1, 3), st.integers(1, 12), st.sampled_from([1, 3, 2**16]))
def test_a_code_counts_once_per_row_in_all_columns(data, n_columns, n_codes, block):
    rows = st.lists(st.integers(0, n_codes - 1), max_size=9)
    n_rows = data.draw(st.integers(1, 9))
    columns = [data.draw(st.lists(rows, min_size=n_rows, max_size=n_rows)) for _ in range(n_columns)]
    if not any(row for column in columns for row in column):
        columns[0][0] = [0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_factors, "BLOCK", block)
        check_counts(columns, n_codes)


# Windows have 128 keys, or the next power of two from twice the longest row on.
@pytest.mark.parametrize("longest", [1, 2, 3, 50, 63, 64, 65, 127, 128, 129, 300, 3000])
@pytest.mark.parametrize("is_fixed", [False, True])
def test_rows_that_windows_cut_are_counted_whole(longest, is_fixed):
    rng = np.random.default_rng(longest)
    lengths = np.full(40, longest) if is_fixed else rng.integers(0, longest + 1, 40)
    histories = [rng.integers(0, max(2, longest), length).tolist() for length in lengths]
    candidates = [[code] for code in rng.integers(0, max(2, longest), 40).tolist()]

    check_counts([histories], max(2, longest))
    check_counts([histories, candidates], max(2, longest))
    check_counts([candidates, histories, histories[::-1]], max(2, longest))


def test_more_codes_than_a_block_has_values_are_counted(monkeypatch):
    monkeypatch.setattr(_factors, "BLOCK", 2)

    check_counts([[[7, 0], [], [7, 7], [3], [3, 8], []]], 9)
