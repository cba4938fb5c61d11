"""Pieces of Python objects and NumPy arrays, against a look at each value."""

from enum import IntEnum

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_din.utils._columns import read_column
from sklearn_din.utils._objects import kind_of, pieces_of_objects, types_of


class Action(IntEnum):
    """Integers of a type of their own."""

    CLICK = 1
    BUY = 2


PYTHON = [None, float("nan"), 0, 1, -7, 2**63, True, False, 1.0, 0.5, "1", "", b"1", Action.BUY]
NUMPY = [np.int8(1), np.uint64(2**63), np.bool_(True), np.float32(0.5), np.str_("a"), np.bytes_(b"a")]
VALUES = st.sampled_from([*PYTHON, *NUMPY, pd.NA])


def kinds_and_values(values):
    """Kind and value of each, told one by one; None where missing."""
    kinds = [kind_of(type(value)) for value in values]
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    is_missing = [kind == "missing" or value != value for kind, value in zip(kinds, plain, strict=True)]
    return [None if missing else (kind, value) for missing, kind, value in zip(is_missing, kinds, plain, strict=True)]


def read_back(pieces, n_values):
    names = {"bool": "boolean", "int64": "integer", "uint64": "integer", "double": "float"}
    names |= {"large_string": "string", "large_binary": "binary"}
    out = [None] * n_values
    for piece in pieces:
        positions = range(n_values) if piece.positions is None else piece.positions
        for position, value in zip(positions, piece.values.to_pylist(), strict=True):
            out[position] = None if value != value else (names[str(piece.values.type)], value)
    return out


@given(st.lists(VALUES))
def test_each_value_is_in_the_piece_of_its_type(values):
    assert read_back(pieces_of_objects("c", values), len(values)) == kinds_and_values(values)


@given(VALUES, st.integers(0, 4), VALUES)
def test_one_other_value_among_equal_ones_stays_what_it_is(value, place, other):
    values = [value] * 4
    values.insert(place, other)

    assert read_back(pieces_of_objects("c", values), 5) == kinds_and_values(values)


@pytest.mark.parametrize("values", [[], [1, 2], [1, True], [True, 1], [1, 1, "a", 1], [Action.BUY, 2], [None, None]])
def test_the_exact_types_are_found(values):
    assert types_of(values) == {type(value) for value in values}


def test_integers_of_numpy_beyond_int64_do_not_wrap_round():
    values = [np.uint64(2**64 - 1), np.uint64(1)]

    assert read_back(pieces_of_objects("c", values), 2) == [("integer", 2**64 - 1), ("integer", 1)]


def test_the_values_of_a_long_double_are_rounded_to_floats():
    assert read_back(pieces_of_objects("c", [np.longdouble("0.1"), 0.5]), 2) == [("float", 0.1), ("float", 0.5)]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ([np.array([]), np.array([1, 2]), np.array([], dtype="U3")], [("integer", 1), ("integer", 2)]),
        ([np.array([1], dtype=np.int32), np.array([2])], [("integer", 1), ("integer", 2)]),
        ([np.array([1]), np.array([0.5])], [("integer", 1), ("float", 0.5)]),
        ([np.array([1]), np.array([True])], [("integer", 1), ("boolean", True)]),
        ([np.array([1], dtype=">i8"), np.array([2], dtype="<i8")], [("integer", 1), ("integer", 2)]),
        ([np.array(["a"]), np.array(["bcd"])], [("string", "a"), ("string", "bcd")]),
        ([np.array(["a", 1, None], dtype=object), np.array([2])], [("string", "a"), ("integer", 1), None]),
        ([np.array([1]), [True, "a"], (b"c",)], [("integer", 1), ("boolean", True), ("string", "a"), ("binary", b"c")]),
        ([np.array([]), np.array([], dtype=int)], []),
    ],
)
def test_arrays_of_several_types_keep_them(arrays, expected):
    column = read_column("h", arrays)

    assert read_back(column.pieces, column.n_values)[: len(expected)] == expected
    assert column.lengths.tolist() == list(map(len, arrays))


def test_empty_arrays_tell_no_type():
    assert read_column("h", [np.array([]), np.array([])]).is_untyped
