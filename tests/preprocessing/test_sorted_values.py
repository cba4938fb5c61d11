"""Places of values, against those that Arrow finds by hashing."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sklearn_din.preprocessing import _sorted_values
from sklearn_din.preprocessing._sorted_values import SortedValues

VALUES = {
    "binary": pa.array([b"b", b"", b"a\x00", b"a", b"\xff\xfe", b"a\x00\x00"], pa.large_binary()),
    "boolean": pa.array([True, False]),
    "integer": pa.array([7, -(2**63), 0, 2**63 - 1, 2**53 + 1, 2**53, -1]),
    "large": pa.array([2**64 - 1, 2**63, 2**63 + 1], pa.uint64()),
    "fraction": pa.array([0.5, -0.5, 1e-300, -1e300 / 3, 2.5]),
    "string": pa.array(["b", "", "aa", "a", "ä", "日本", "a\x00", "A"], pa.large_string()),
}
OTHERS = {
    "binary": [b"c", b"aa", b"\x00"],
    "boolean": [],
    "integer": [1, -(2**63) + 1, 2**63 - 2, 2**53 + 2],
    "large": [2**63 + 2, 2**64 - 2],
    "fraction": [0.25, 1e-301, 5e300],
    "string": ["c", "aaa", "Ä", "\x00"],
}


def places_by_hashing(values, known):
    return pc.fill_null(pc.index_in(values, value_set=known), -1).to_pylist()


@pytest.mark.parametrize("kind", list(VALUES))
def test_values_known_and_unknown_are_where_hashing_finds_them(kind):
    known = VALUES[kind]
    asked = pa.array([*known.to_pylist(), *OTHERS[kind], *known.to_pylist()[:2]], known.type)

    places = SortedValues(known).find(asked)

    assert places.dtype == np.int32
    assert places.tolist() == places_by_hashing(asked, known)
    assert sorted(set(places)) == [-1] * bool(OTHERS[kind]) + list(range(len(known)))


@pytest.mark.parametrize("kind", list(VALUES))
def test_no_values_have_no_places(kind):
    known = VALUES[kind]

    assert SortedValues(known).find(known[:0]).tolist() == []


@pytest.mark.parametrize("kind", list(VALUES))
def test_among_no_values_nothing_is_found(kind):
    known = VALUES[kind]

    assert SortedValues(known[:0]).find(known).tolist() == [-1] * len(known)


@pytest.mark.parametrize("kind", ["string", "binary", "integer"])
def test_a_part_of_an_array_is_known_without_the_rest(kind):
    known = VALUES[kind]

    places = SortedValues(known[1:4]).find(known[2:])

    assert places.tolist() == [1, 2, *[-1] * (len(known) - 4)]


def test_many_texts_are_found_in_all_blocks(monkeypatch):
    monkeypatch.setattr(_sorted_values, "_BLOCK", 7)
    known = pa.array([f"item {number}" for number in range(40)], pa.large_string())
    asked = pa.array([f"item {number}" for number in np.random.default_rng(0).integers(0, 60, 30)], pa.large_string())

    assert SortedValues(known).find(asked).tolist() == places_by_hashing(asked, known)


@pytest.mark.parametrize("kind", ["string", "binary"])
def test_texts_that_share_a_hash_are_told_apart(monkeypatch, kind):
    monkeypatch.setattr(_sorted_values, "hash", len, raising=False)
    known = VALUES[kind]
    asked = pa.array([*known.to_pylist()[::-1], *OTHERS[kind]], known.type)

    assert SortedValues(known).find(asked).tolist() == places_by_hashing(asked, known)


def test_an_unknown_text_that_has_the_hash_of_a_known_one_is_not_found(monkeypatch):
    monkeypatch.setattr(_sorted_values, "hash", len, raising=False)
    known = pa.array(["a", "bb", "ccc"], pa.large_string())
    asked = pa.array(["b", "bb", "c", "ccc", "dddd"], pa.large_string())

    assert SortedValues(known).find(asked).tolist() == [-1, 1, -1, 2, -1]


def test_a_text_that_is_no_text_is_unknown():
    broken = pa.Array.from_buffers(pa.large_binary(), 1, pa.array([b"\xff"], pa.large_binary()).buffers())
    known = pa.array(["a", "b"], pa.large_string())

    assert SortedValues(known).find(broken.view(pa.large_string())).tolist() == [-1]
