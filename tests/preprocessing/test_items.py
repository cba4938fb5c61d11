"""What counts as the same value."""

import numpy as np
import pyarrow as pa
import pytest

from sklearn_din.preprocessing._items import items_of, numbers_of
from sklearn_din.utils._columns import read_column


def items(data):
    """Kind and value of each flat value, None where missing."""
    found = items_of(read_column("c", data))
    out = [None] * found.column.n_values
    for part in found.parts:
        positions = range(len(out)) if part.positions is None else part.positions
        for position, value in zip(positions, part.values.to_pylist(), strict=True):
            out[position] = (part.kind, value)
    return out


@pytest.mark.parametrize(
    "data",
    [
        np.array([3, 0], dtype=np.int8),
        np.array([3, 0], dtype=np.uint64),
        np.array([3.0, -0.0], dtype=np.float32),
        np.array([3.0, 0.0], dtype=np.float16),
        [3, 0.0],
        pa.array([3.0, 0.0]),
    ],
)
def test_integers_of_every_width_and_integral_floats_are_equal(data):
    assert items(data) == [("integer", 3), ("integer", 0)]


def test_values_of_different_type_are_different():
    assert items(["1", 1, True, b"1", 1.5]) == [
        ("string", "1"),
        ("integer", 1),
        ("boolean", True),
        ("binary", b"1"),
        ("fraction", 1.5),
    ]


def test_neighbours_beyond_the_precision_of_floats_are_different():
    assert items([2**53, 2**53 + 1]) == [("integer", 2**53), ("integer", 2**53 + 1)]
    assert items([2**63 - 1, 2**63, 2**64 - 1]) == [
        ("integer", 2**63 - 1),
        ("large", 2**63),
        ("large", 2**64 - 1),
    ]
    assert items(np.array([1, 2**64 - 1], dtype=np.uint64)) == [("integer", 1), ("large", 2**64 - 1)]


def test_nan_is_missing():
    assert items(np.array([np.nan, 1.0])) == [None, ("integer", 1)]
    assert items([float("nan"), 1]) == [None, ("integer", 1)]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (np.array([1.0, 2.0**53]), "9007199254740992.0"),
        ([1, 2.0**53], "9007199254740992.0"),
        (np.array([1.0, -(2.0**53)]), "-9007199254740992.0"),
        (np.array([1.0, 2.0**24], dtype=np.float32), "16777216.0"),
        (np.array([1.0, np.inf]), "inf"),
    ],
)
def test_floats_that_may_have_lost_digits_raise_with_column_row_and_value(data, shown):
    with pytest.raises(ValueError, match=f"Column 'c' holds ids as float.* row 1 has {shown}"):
        items_of(read_column("c", data))


def test_the_row_of_an_element_is_named():
    with pytest.raises(ValueError, match="row 2 has inf"):
        items_of(read_column("c", [[1.0], [], [2.0, np.inf]]))


def test_numbers_are_read_with_nan_where_missing():
    numbers = numbers_of(read_column("c", [1, None, 2.5, True]))

    np.testing.assert_array_equal(numbers, [1.0, np.nan, 2.5, 1.0])


def test_text_among_numbers_raises_with_column_row_and_value():
    with pytest.raises(TypeError, match=r"Column 'c' must hold numbers: row 1 has 'x'.*categorical_features"):
        numbers_of(read_column("c", [1, "x"]))


def test_infinity_among_numbers_raises_with_column_row_and_value():
    with pytest.raises(ValueError, match="Column 'c' holds infinity.*row 1 has -inf"):
        numbers_of(read_column("c", [1.0, -np.inf]))
