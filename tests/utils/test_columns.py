"""One form for the columns of all frames."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sklearn_din.utils._columns import read_column


def flat(column):
    """All flat values as Python objects with their types, None where missing."""
    values = [None] * column.n_values
    for piece in column.pieces:
        positions = range(column.n_values) if piece.positions is None else piece.positions
        for position, value in zip(positions, piece.values.to_pylist(), strict=True):
            values[position] = None if value != value else value
    return values


def lists(column):
    values = flat(column)
    return [values[a:b] for a, b in zip(column.offsets[:-1], column.offsets[1:], strict=True)]


LISTS = [[1, 2], None, [], [3]]


@pytest.mark.parametrize(
    "data",
    [
        LISTS,
        [(1, 2), float("nan"), (), (3,)],
        [np.array([1, 2]), pd.NA, np.array([]), np.array([3], dtype=np.uint8)],
        [np.array([1, 2], dtype=">i4"), None, np.array([], dtype=">i4"), np.array([3], dtype=">i4")],
        [[1, 2], pd.NaT, np.array([]), np.array([3])],
        [pd.Series([1, 2]), None, pl.Series([], dtype=pl.Int64), pa.array([3])],
        pd.Series(LISTS),
        pd.Series(LISTS, dtype=pd.ArrowDtype(pa.list_(pa.int32()))),
        pl.Series(LISTS),
        pa.array(LISTS),
        pa.array(LISTS, pa.large_list(pa.int8())),
        pa.array(LISTS, pa.list_view(pa.int64())),
        pa.array([[9], *LISTS]).slice(1),
        pa.chunked_array([LISTS[:1], LISTS[1:]], pa.list_(pa.int64())),
        np.array([[1, 2], None, [], [3]], dtype=object),
        pl.Series([(1, 2), None, (), (3,)], dtype=pl.Object),
    ],
)
def test_lists_are_the_same_in_every_container(data):
    assert lists(read_column("h", data)) == [[1, 2], [], [], [3]]


def test_lists_of_fixed_size_skip_the_missing_ones():
    column = read_column("h", pl.Series([[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int64, 2)))

    assert lists(column) == [[1, 2], [], [3, 4]]


def test_missing_elements_keep_their_place():
    expected = [[None, 1], [2, None, 3]]

    for data in (
        [[None, 1], [2, float("nan"), 3]],
        [[pd.NA, 1], [2, pd.NaT, 3]],
        [np.array([None, 1], dtype=object), np.array([2, np.nan, 3], dtype=object)],
        pl.Series(expected),
        pa.array(expected),
    ):
        assert lists(read_column("h", data)) == expected


def test_values_of_all_types_stay_what_they_are_in_one_list():
    values = ["1", 1, b"1", True, 1.5, None, 2**63, -5]

    column = read_column("h", [values[:4], values[4:]])

    assert lists(column) == [values[:4], values[4:]]
    assert [type(value) for value in flat(column)] == [type(value) for value in values]


def test_numpy_scalars_are_read_as_their_values():
    cells = [np.int8(1), np.float32(0.5), np.bool_(True), np.str_("a"), np.bytes_(b"b"), np.uint64(2**63)]

    assert flat(read_column("c", cells)) == [1, 0.5, True, "a", b"b", 2**63]


@pytest.mark.parametrize(
    "data",
    [
        pd.Series(pd.Categorical(["a", None, "b"])),
        pl.Series(["a", None, "b"], dtype=pl.Categorical),
        pl.Series(["a", None, "b"], dtype=pl.Enum(["b", "a"])),
        pa.array(["a", None, "b"]).dictionary_encode(),
    ],
)
def test_categories_are_decoded_and_marked(data):
    column = read_column("c", data)

    assert flat(column) == ["a", None, "b"]
    assert column.is_category


@pytest.mark.parametrize(
    "data",
    [
        pa.array(["a", None], pa.string_view()),
        pa.array(["a", None], pa.large_string()),
        pd.Series(["a", None], dtype="str"),
        pd.Series(["a", None], dtype=object),
        pd.Series(["a", np.nan], dtype=object),
        pl.Series(["a", None]),
        ["a", pd.NA],
    ],
)
def test_text_is_the_same_in_every_container(data):
    assert flat(read_column("c", data)) == ["a", None]


@pytest.mark.parametrize("kind", [pa.binary(), pa.binary_view(), pa.binary(2), pa.large_binary()])
def test_bytes_are_read_from_every_arrow_type(kind):
    assert flat(read_column("c", pa.array([b"ab", None], kind))) == [b"ab", None]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">i8")[::-2],
        np.asfortranarray(np.arange(6).reshape(3, 2)[::-1])[:, 1],
        np.array([5, 3, 1], dtype=np.uint64),
        np.array([5, 3, 1], dtype=np.longdouble),
        np.array([5, 3, 1], dtype=np.float16),
        np.array([5, 3, 1], dtype=object),
    ],
)
def test_the_form_of_an_array_does_not_matter(array):
    array.setflags(write=False)

    assert flat(read_column("c", array)) == [5, 3, 1]


@pytest.mark.parametrize("dtype", ["i1", ">i8", "u8", "f2", ">f4", "O", "?"])
@pytest.mark.parametrize("step", [1, 2, -1])
def test_the_form_of_the_arrays_in_the_cells_does_not_matter(dtype, step):
    long = np.array([0, 1, 1, 0, 1, 0], dtype=dtype)
    long.setflags(write=False)
    cells = pd.Series([long[::step], long[:0], long[1:3]])

    expected = [long.tolist()[::step], [], long.tolist()[1:3]]
    actual = lists(read_column("h", cells))
    assert actual == expected
    # By kind: a half float of Arrow 18 comes as one of NumPy.
    kinds = [{np.asarray(value).dtype.kind for each in found for value in each} for found in (actual, expected)]
    assert kinds[0] == kinds[1]


def test_a_column_cut_to_the_newest_keeps_pieces_in_place():
    column = read_column("h", [["a", 1, True], [], [2, "b"], [None, "c", 3]])

    assert lists(column.newest(2)) == [[1, True], [], [2, "b"], ["c", 3]]
    assert lists(column.first(1)) == [["a"], [], [2], [None]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([[1], {2}], r"Column 'h' holds a value of type|Column 'h' must hold a list in each row: row 1 has \{2\}"),
        ([{1}], r"Column 'h' holds a value of type set: row 0 has \{1\}\. Histories are lists"),
        ([{"a": 1}], r"Column 'h' holds a value of type dict: row 0 has \{'a': 1\}\. Histories are lists"),
        ([None, [1], {"a": 1}], r"Column 'h' must hold a list in each row: row 2 has \{'a': 1\}\. Give a list"),
        ([[1], "1|2|3"], r"row 1 has '1\|2\|3'\. Split the text into lists first: \.str\.split\(\"\|\"\)"),
        ([[1], "1,2"], r"\.str\.split\(\",\"\)"),
        ([[1], "[251, 50]"], r"row 1 has '\[251, 50\]'\. The text is a list .* parse it first.*json\.loads"),
        ([[1], b"1|2"], r"Column 'h' must hold a list in each row: row 1 has b'1\|2'"),
        ([[1], 7], "Column 'h' must hold a list in each row: row 1 has 7"),
        ([[1], float("nan"), 1.5], r"Column 'h' must hold a list in each row: row 2 has 1\.5"),
        (
            [[1], [], [[2]]],
            r"Column 'h' holds a value of type list: row 2 has \[2\]\. A list column holds one flat list",
        ),
        ([[1], [2, {3}]], r"Column 'h' holds a value of type set: row 1 has \{3\}"),
        ([np.array([1]), np.zeros((2, 2))], "Column 'h' holds a value of type array of 2 dimensions: row 1 has"),
        ([np.array([1]), np.array(3)], "Column 'h' holds a value of type array of 0 dimensions: row 1 has"),
        ([[Decimal("1.5")]], r"Column 'h' holds a value of type Decimal: row 0 has Decimal\('1.5'\).*\.astype\(str\)"),
        ([1, datetime.date(2020, 1, 2)], r"type date: row 1 has datetime\.date\(2020, 1, 2\).*\.astype\(str\)"),
        ([np.datetime64("2020-01-01")], "Column 'h' holds a value of type datetime64: row 0"),
        (["a", 1 + 2j], r"Column 'h' holds a value of type complex: row 1 has \(1\+2j\)"),
    ],
)
def test_what_is_no_value_raises_with_column_row_and_value(cells, message):
    with pytest.raises(TypeError, match=message):
        read_column("h", cells)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pa.array([None, datetime.date(2020, 1, 2)]), r"type date32\[day\]: row 1 has datetime\.date\(2020, 1, 2\)"),
        (pa.array([None, [], [Decimal("1.5")]]), r"decimal128.*: row 2 has Decimal\('1.5'\)"),
        (pa.array([{"a": 1}]), r"struct<a: int64>: row 0 has \{'a': 1\}"),
        (pa.array([[], [[1]]]), r"list<.*>: row 1 has \[1\]"),
        (np.array([1j]), "type complex128: row 0 has 1j"),
        (np.array(["2020"], dtype="M8[D]"), r"type datetime64\[D\]: row 0 has"),
        (pd.Series(pd.cut([1, 2], 2)), "Column 'h' .*row 0 has"),
        (pl.Series([1], dtype=pl.Int128), "Column 'h' has the type Int128, which cannot be read: row 0 has 1"),
        (np.zeros((2, 2)), r"Column 'h' must be a series, .* it is a ndarray of shape \(2, 2\).*from_padded"),
        (7, "Column 'h' must be a series, a list or a one-dimensional array; it is a int"),
    ],
)
def test_unusable_types_raise_what_to_do(data, message):
    with pytest.raises(TypeError, match=message):
        read_column("h", data)


@pytest.mark.parametrize(
    "data",
    [
        np.array([], dtype="M8[D]"),
        pa.array([None, None], pa.timestamp("s")),
        pa.array([None, None], pa.struct([("a", pa.int64())])),
        pl.Series([], dtype=pl.Int128),
        pl.Series([None, None]),
        [None, float("nan"), pd.NA],
        pl.Series([None], dtype=pl.Object),
    ],
)
def test_a_column_without_values_is_read_whatever_its_type(data):
    column = read_column("h", data)

    assert column.first_value() == (0, None)
    assert lists(column.as_list()) == [[]] * len(data)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 2**70])
def test_integers_beyond_64_bits_raise_with_column_row_and_value(value):
    with pytest.raises(ValueError, match=f"Column 'h' holds an integer of more than 64 bits: row 2 has {value}"):
        read_column("h", [[1], [], [2, value]])


def test_invalid_unicode_raises_with_column_row_and_value():
    with pytest.raises(ValueError, match=r"Column 'h' holds text that is no valid Unicode: row 1 has 'b\\ud800'"):
        read_column("h", ["a", "b\ud800"])


def test_long_values_are_cut_in_messages():
    with pytest.raises(TypeError) as caught:
        read_column("h", [set(range(1000))])

    assert len(str(caught.value)) < 200
