"""The same value has the same id whatever frame and type it comes in, and different values have different ids."""

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing import BehaviorEncoder


def as_polars_objects(columns):
    return pl.DataFrame([pl.Series(name, cells, dtype=pl.Object) for name, cells in columns.items()])


def as_objects(columns):
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def as_nullable(columns):
    """Return pandas' own nullable types for the items, None as pd.NA."""
    kinds = {bool: "boolean", int: "Int64", str: "string"}
    kind = next((kinds.get(type(item)) for item in columns["item"] if item is not None), None)
    return as_objects(columns).assign(item=pd.array(columns["item"], dtype=kind or object))


def as_backed_by_arrow(columns):
    return pd.DataFrame({name: pd.arrays.ArrowExtensionArray(pa.array(cells)) for name, cells in columns.items()})


def as_arrays(columns):
    """Return lists as NumPy arrays of the type that NumPy finds, missing cells as None."""
    frame = as_objects(columns)
    return frame.assign(hist=[None if cell is None else np.array(cell) for cell in columns["hist"]])


# What holds one type per column, and what holds any.
TYPED = {
    "pandas": pd.DataFrame,
    "nullable": as_nullable,
    "arrow-backed": as_backed_by_arrow,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
}
UNTYPED = {"dict": dict, "objects": as_objects, "polars objects": as_polars_objects}
FORMS = TYPED | UNTYPED


def ids_of(make_frame, items, histories):
    """Fit on items and histories, and return their ids."""
    encoder = BehaviorEncoder({"hist": "item"}, categorical_features=["item"], max_length=2)
    table = encoder.fit_transform(make_frame({"item": items, "hist": histories}))
    return table["item"].tolist(), table["hist"].tolist()


@pytest.mark.parametrize("form", [*FORMS, "arrays"])
@pytest.mark.parametrize(
    ("items", "histories", "item_ids", "history_ids"),
    [
        pytest.param(  # rows with the greatest: 4, with the least: 2, with 0: 2
            [-(2**63), 2**63 - 1, 2**63 - 1, 0],
            [[2**63 - 1], [-(2**63), 0], [], [2**63 - 1]],
            [3, 2, 2, 4],
            [[2, 0], [3, 4], [0, 0], [2, 0]],
            id="int64",
        ),
        pytest.param(  # 2 rows with each: in order of value
            [2**53 - 1, 2**53, 2**53 + 1],
            [[2**53 + 1], [2**53 - 1], [2**53]],
            [2, 3, 4],
            [[4, 0], [2, 0], [3, 0]],
            id="beyond floats",
        ),
        pytest.param(  # 2 rows with each: False before True
            [True, False, True], [[False], [], [True]], [3, 2, 3], [[2, 0], [0, 0], [3, 0]], id="booleans"
        ),
        pytest.param(  # rows with "1": 2, with "01", "1.0" and " 1": 1
            ["1", "01", "1.0"], [[" 1"], ["1"], []], [2, 4, 5], [[3, 0], [2, 0], [0, 0]], id="texts of digits"
        ),
        pytest.param(  # the letter with an accent, and the letter followed by the accent
            ["é", "e\u0301", "E"], [[], ["é"], []], [2, 4, 3], [[0, 0], [2, 0], [0, 0]], id="texts"
        ),
    ],
)
def test_ids_worked_by_hand_are_those_of_every_frame(form, items, histories, item_ids, history_ids):
    make_frame = as_arrays if form == "arrays" else FORMS[form]

    assert ids_of(make_frame, items, histories) == (item_ids, history_ids)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("items", "histories", "item_ids", "history_ids"),
    [
        pytest.param(  # missing and "a" in 2 rows each, missing first; a missing element is unknown
            [None, "a", None], [[None, "a"], [], None], [2, 3, 2], [[1, 3], [0, 0], [0, 0]], id="texts"
        ),
        pytest.param(  # missing in 1 row, 1 in 2, 2**53 - 1 in 1
            [1, None, 2**53 - 1], [[1], [None, 1], None], [2, 3, 4], [[2, 0], [1, 2], [0, 0]], id="integers"
        ),
        pytest.param(  # True in 2 rows, missing in 1
            [True, None], [[True], [True, None]], [2, 3], [[2, 0], [2, 1]], id="booleans"
        ),
    ],
)
def test_missing_values_worked_by_hand_are_those_of_every_frame(form, items, histories, item_ids, history_ids):
    assert ids_of(FORMS[form], items, histories) == (item_ids, history_ids)


@pytest.mark.parametrize("form", FORMS)
def test_a_large_integer_beside_a_missing_one_is_exact_or_refused(form):
    items, histories = [2**53, None, 2**53 + 1], [[2**53 + 1], [], [2**53 + 1]]

    if form == "pandas":  # which has made floats of the integers
        with pytest.raises(
            ValueError, match="Column 'item' holds ids as float64 numbers that may have lost digits.*row 0"
        ):
            ids_of(FORMS[form], items, histories)
    else:
        assert ids_of(FORMS[form], items, histories) == ([4, 3, 2], [[2, 0], [0, 0], [2, 0]])


@pytest.mark.parametrize("form", UNTYPED)
def test_values_of_different_type_have_different_ids(form):
    # The number 1 is in 4 rows, the text in 2, the bytes and True in 1.
    items = ["1", 1, b"1", True, 1.0, np.int8(1), np.str_("1"), np.float32(1)]

    assert ids_of(UNTYPED[form], items, [[]] * 8)[0] == [3, 2, 4, 5, 2, 2, 3, 2]


@pytest.mark.parametrize("form", UNTYPED)
def test_values_of_different_type_have_different_ids_in_a_history(form):
    # 1 is in 2 rows; b"1", True and "1" are in 1, in this order.
    assert ids_of(UNTYPED[form], [True, 1], [[1, True], ["1", b"1"]]) == ([4, 2], [[2, 4], [5, 3]])


@pytest.mark.parametrize(
    "items",
    [
        *(np.array([3, 0], dtype) for dtype in ("i1", "u1", "i2", ">u2", "<i4", ">u4", "i8", "u8", "f2", ">f4", "f8")),
        [np.int8(3), -0.0],
        pd.array([3, 0], dtype="UInt16").astype(object),
        *(
            pd.Series([3, 0], dtype=dtype)
            for dtype in ("Int8", "UInt64", "Float32", "int32[pyarrow]", "double[pyarrow]")
        ),
        pd.Series([3, 0], dtype="category"),
        *(pl.Series([3, 0], dtype=dtype) for dtype in (pl.Int8, pl.UInt64, pl.Float32)),
        *(pa.array([3, 0], kind) for kind in (pa.int16(), pa.uint64(), pa.float32(), pa.float64())),
        pa.chunked_array([[3], [0]]),
        pa.array([3, 0]).dictionary_encode(),
        pa.RunEndEncodedArray.from_arrays([1, 2], [3, 0]),
    ],
    ids=lambda items: f"{type(items).__name__} {getattr(items, 'dtype', getattr(items, 'type', ''))}",
)
def test_an_integer_is_the_same_in_every_type_of_number(items):
    encoder = BehaviorEncoder({"hist": "item"}, max_length=1).fit({"item": [0, 3, 5], "hist": [[3], [], []]})

    assert encoder.transform({"item": items, "hist": [[0], [3]]})["item"].tolist() == [2, 3]


def test_integers_beyond_int64_are_themselves_beside_narrow_ones():
    # 1 is in 2 rows, the others in 1.
    items, histories = np.array([1, 2**63, 2**64 - 1], dtype=np.uint64), [np.array([1], dtype=np.int8), [], [1.0]]

    assert ids_of(dict, items, histories) == ([2, 3, 4], [[2, 0], [0, 0], [2, 0]])


def test_integers_of_the_same_bits_are_different():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=1).fit({"item": [-1, -(2**63)], "hist": [[], []]})

    other = encoder.transform({"item": np.array([2**64 - 1, 2**63], dtype=np.uint64), "hist": [[-1], []]})

    assert other["item"].tolist() == [1, 1]
    assert other["hist"].tolist() == [[3], [0]]


@pytest.mark.parametrize(
    "items", [["1", "2"], [True, False], [b"1", b"2"], np.array(["1", "2"]), pl.Series(["1", "2"])]
)
def test_values_of_another_type_than_in_fit_are_unknown_and_warned_about(items):
    encoder = BehaviorEncoder({"hist": "item"}, max_length=1).fit({"item": [1, 2], "hist": [[1], []]})

    with pytest.warns(UserWarning, match="All values of column 'item'"):
        assert encoder.transform({"item": items, "hist": [[1], []]})["item"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "items",
    [
        np.ma.array([7, 5, 7], mask=[True, False, True]),
        np.ma.array([0.5, 5.0, np.nan], mask=[True, False, False]),
        np.ma.array([9, 5, 9], mask=[True, False, True], dtype=object),
        pd.Series([None, 5, pd.NA], dtype=object),
    ],
    ids=["integers", "floats", "objects", "pandas"],
)
def test_what_a_mask_hides_is_missing(items):
    histories = [np.ma.array([5, 9], mask=[False, True]), np.ma.array([9], mask=[True]), []]

    # missing is in 2 rows, as is 5: it comes first
    assert ids_of(dict, items, histories) == ([2, 3, 2], [[3, 1], [1, 0], [0, 0]])


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1])
FAMILIES = {
    "numbers": NUMBERS,
    "texts": st.text(st.characters(codec="utf-8"), max_size=2),
    "booleans": st.booleans(),
    "bytes": st.binary(max_size=2),
}
MIXED = st.one_of(*FAMILIES.values(), st.integers(2**63, 2**64 - 1), st.floats(-(2**20), 2**20), st.integers(-2, 2))


def key(value):
    """Return family and value: what is equal in these is one item, and they give the order of items."""
    if value is None:
        return "missing", 0
    families = {bool: "boolean", bytes: "binary", str: "string", int: "number", float: "number"}
    return families[type(value)], value


def ids_by_counting(items, histories, max_length=2):
    """Return ids in order of the number of rows, of family, and of value; 1 for missing elements."""
    kept = [[] if history is None else history[-max_length:] for history in histories]
    rows = [
        {key(item)} | {key(one) for one in history if one is not None}
        for item, history in zip(items, kept, strict=True)
    ]
    counts = Counter(one for row in rows for one in row)
    order = sorted(counts, key=lambda one: (-counts[one], one))
    ids = {one: 2 + place for place, one in enumerate(order)}
    rows = [[1 if one is None else ids[key(one)] for one in history] for history in kept]
    return [ids[key(item)] for item in items], [row + [0] * (max_length - len(row)) for row in rows]


@st.composite
def rows_of(draw, values):
    """Draw items and histories from a small pool."""
    pool = st.sampled_from([*draw(st.lists(values, min_size=1, max_size=6)), None])
    rows = draw(st.lists(st.tuples(pool, st.none() | st.lists(pool, max_size=4)), min_size=1, max_size=8))
    return [item for item, _ in rows], [history for _, history in rows]


def check_ids(make_frame, items, histories):
    families = {key(item)[0] for item in items}, {key(one)[0] for row in histories for one in (row or [])[-2:]}
    known = [family - {"missing"} for family in families]
    if all(known) and not known[0] & known[1]:
        event("never match")
        with pytest.raises(TypeError, match="'hist' and 'item' can never match"):
            ids_of(make_frame, items, histories)
        return
    event("ids")
    assert ids_of(make_frame, items, histories) == ids_by_counting(items, histories)


@pytest.mark.parametrize("form", UNTYPED)
@settings(max_examples=200)
@given(rows=rows_of(MIXED))
def test_ids_of_mixed_values_are_those_of_counting(form, rows):
    check_ids(UNTYPED[form], *rows)


@pytest.mark.nightly
@pytest.mark.parametrize("form", UNTYPED)
@settings(max_examples=20_000, derandomize=False, print_blob=True)
@given(rows=rows_of(MIXED))
def test_ids_of_random_mixed_values_are_those_of_counting(form, rows):
    check_ids(UNTYPED[form], *rows)


@pytest.mark.parametrize(
    "form", [form for form in FORMS if form != "pandas"]
)  # which makes floats of integers beside missing ones
@settings(max_examples=100)
@given(rows=st.sampled_from(sorted(FAMILIES)).flatmap(lambda family: rows_of(FAMILIES[family])))
def test_ids_of_values_of_one_type_are_those_of_counting(form, rows):
    check_ids(FORMS[form], *rows)
