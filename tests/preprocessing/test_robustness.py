"""No input makes the encoder answer nonsense in silence: random cells, and every form of array."""

import datetime
import re
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing import BehaviorEncoder

MISSING = st.sampled_from([None, float("nan"), pd.NA, pd.NaT])
PLAIN = st.one_of(
    MISSING,
    st.integers(-4, 4),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, 2.0**53, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1]),
    st.floats(width=32),
    st.floats(),
    st.text(st.characters(), max_size=3),
    st.binary(max_size=3),
    st.booleans(),
    st.sampled_from(
        [np.int8(1), np.uint64(2**63), np.float32(0.5), np.bool_(True), np.str_("a"), np.datetime64("NaT")]
    ),
    st.sampled_from([Decimal("1.5"), datetime.date(2020, 1, 1), 1j, object()]),
)
ARRAYS = st.one_of(
    st.lists(st.integers(-4, 4), max_size=3).map(np.array),
    st.lists(st.floats(width=32), max_size=3).map(lambda values: np.array(values, dtype=np.float32)),
    st.lists(st.text(max_size=2), max_size=3).map(lambda values: np.array(values, dtype=str)),
    st.sampled_from(
        [np.array(1), np.zeros((1, 1)), np.array(["2020"], dtype="M8[D]"), np.array([1, "a"], dtype=object)]
    ),
)
LISTS = st.one_of(st.lists(PLAIN, max_size=4), st.lists(PLAIN, max_size=4).map(tuple), ARRAYS)
ODD = st.sampled_from([{1, 2}, frozenset(), {"a": 1}, [[1], [2]], [{}], "1|2|3", b"1", 3, 1.5])
# What can be an id; a few values that occur again and again, so that histories meet candidates.
INT64 = st.one_of(
    st.integers(-4, 4), st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1])
)
FRACTIONS = st.floats(-(2**20), 2**20, width=32)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=3)
USABLE = st.one_of(
    INT64,
    st.integers(2**63, 2**64 - 1),
    FRACTIONS,
    TEXTS,
    st.binary(max_size=3),
    st.booleans(),
    st.sampled_from([np.int8(1), np.uint64(2**63), np.float32(0.5), np.bool_(True), np.str_("a")]),
)
FAMILIES = st.sampled_from([USABLE, INT64, FRACTIONS, TEXTS, st.binary(max_size=3), st.booleans()])
POOLS = FAMILIES.flatmap(lambda values: st.lists(values, min_size=1, max_size=5))
CONTAINERS = st.sampled_from([list, tuple, lambda values: np.fromiter(values, dtype=object, count=len(values))])
# What a column may hold instead.
HOSTILE = {
    "item": st.lists(st.one_of(PLAIN, ODD), min_size=3, max_size=3),
    "lists": st.lists(st.one_of(MISSING, LISTS, LISTS, ODD), min_size=3, max_size=3),
    "age": st.lists(st.one_of(MISSING, st.floats(), st.integers(-(2**70), 2**70), PLAIN, ODD), min_size=3, max_size=3),
}


@st.composite
def pairs_of_frames(draw):
    """Draw rows to fit and rows to transform: in half of the pairs sound ones, in the other with a hostile column."""
    pools = {"item": draw(POOLS), "acts": draw(POOLS), "tags": draw(POOLS)}
    missing = draw(st.sampled_from([[], [None], [None, float("nan"), pd.NA, pd.NaT]]))
    pair = [sound_frame(draw, pools, missing) for _ in range(2)]
    place = draw(st.sampled_from([None] * 4 + ["item", "hist", "acts", "tags"]))
    if place is not None:
        draw(st.sampled_from(pair))[place] = draw(HOSTILE["item" if place == "item" else "lists"])
    if draw(st.sampled_from([False] * 7 + [True])):
        draw(st.sampled_from(pair))["age"] = draw(HOSTILE["age"])
    return pair


def sound_frame(draw, pools, missing):
    """Draw three rows of values that the encoder takes; missing cells and elements among them."""
    container = draw(CONTAINERS)
    lengths = draw(st.lists(st.integers(-1, 4), min_size=3, max_size=3))

    def lists(name, lengths):
        values = st.sampled_from(pools[name] + missing)
        return [container([draw(values) for _ in range(n)]) if n >= 0 else draw(MISSING) for n in lengths]

    numbers = st.one_of(FRACTIONS, st.integers(-9, 9), st.sampled_from([0.0, *missing]))
    return {
        "item": draw(st.lists(st.sampled_from(pools["item"] + missing), min_size=3, max_size=3)),
        "hist": lists("item", lengths),
        "acts": lists("acts", lengths),
        "tags": lists("tags", draw(st.lists(st.integers(-1, 4), min_size=3, max_size=3))),
        "age": [*draw(st.lists(numbers, min_size=2, max_size=2)), draw(FRACTIONS)],
    }


ENCODERS = st.builds(
    BehaviorEncoder,
    st.sampled_from([{"hist": "item"}, {"hist": "item", "acts": None}, [{"hist": "item"}, {"acts": None}]]),
    max_length=st.integers(1, 5),
    min_frequency=st.sampled_from([1, 2, 0.5]),
    max_categories=st.sampled_from([None, 1]),
    numeric_features=st.sampled_from(["auto", ["age"]]),
)


def as_objects(columns):
    return pd.DataFrame({name: pd.Series(columns[name], dtype=object) for name in sorted(columns)})


def as_polars(columns):
    return pl.DataFrame([polars_series(name, cells) for name, cells in columns.items()])


def polars_series(name, cells):
    try:
        return pl.Series(name, plain(cells))
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return pl.Series(name, cells, dtype=pl.Object)


def as_arrow(columns):
    """Return a table, unless Arrow has no type for the cells of a column."""
    try:
        return pa.table({name: pa.array(plain(cells), from_pandas=True) for name, cells in columns.items()})
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return reject()


def plain(value):
    """Return Python's values in place of NumPy's, of which pyarrow 26 crashes on mixtures, and no set as a list."""
    if isinstance(value, set | frozenset):
        msg = "Arrow makes a list of a set, and the encoder never sees it."
        raise TypeError(msg)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return list(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def check_answer(encoder, train, test, make_frame):
    """Assert a finite table of the right shape and ids within their tables, or an error that names column and row."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All values of column", UserWarning)
            table = encoder.fit(make_frame(train)).transform(make_frame(test))
    except (TypeError, ValueError) as error:
        message = str(error)
    else:
        message = None
    if message is not None:
        assert re.search("'(item|hist|acts|tags|age)'", message)
        assert re.search(r"row \d", message)
        return
    matrix = table.to_numpy()
    assert matrix.shape == (3, len(encoder.get_feature_names_out()))
    assert np.isfinite(matrix).all()
    sizes = {field.name: field.n_ids for field in encoder.layout_.fields if not field.is_numeric}
    sizes |= {column.name: column.n_ids for column in (*encoder.layout_.categorical, *encoder.layout_.bags)}
    for name, size in sizes.items():
        assert table[name].min() >= 0
        assert table[name].max() < size
    cells = [cell if isinstance(cell, list | tuple | np.ndarray) else [] for cell in test["hist"]]
    assert table.lengths("hist").tolist() == [min(len(cell), encoder.max_length) for cell in cells]


FORMS = [dict, as_objects, as_polars, as_arrow]
UNHURRIED = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@pytest.mark.parametrize("make_frame", FORMS)
@settings(max_examples=500, suppress_health_check=UNHURRIED)
@given(encoder=ENCODERS, pair=pairs_of_frames())
def test_any_cells_give_a_finite_table_or_an_error_with_column_and_row(make_frame, encoder, pair):
    check_answer(encoder, *pair, make_frame)


@pytest.mark.nightly
@pytest.mark.parametrize("make_frame", FORMS)
@settings(max_examples=20_000, derandomize=False, print_blob=True, suppress_health_check=UNHURRIED)
@given(encoder=ENCODERS, pair=pairs_of_frames())
def test_random_cells_give_a_finite_table_or_an_error_with_column_and_row(make_frame, encoder, pair):
    check_answer(encoder, *pair, make_frame)


TYPED = st.sampled_from(
    [
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 3),
        st.text(max_size=2),
        st.sampled_from(["1", "a"]),
        st.booleans(),
        st.binary(max_size=2),
    ]
)


@st.composite
def typed_frames(draw):
    values = st.one_of(st.none(), draw(TYPED))
    numbers = st.one_of(st.none(), st.floats(-1e6, 1e6))
    n_rows = draw(st.integers(1, 5))

    def column(cells):
        return draw(st.lists(cells, min_size=n_rows, max_size=n_rows))

    return {
        "item": column(values),
        "hist": column(st.one_of(st.none(), st.lists(values, max_size=4))),
        "prices": column(st.one_of(st.none(), st.lists(numbers, max_size=4))),
        "age": column(numbers),
    }


def typed(columns):
    """Return the columns as Arrow arrays, so that every frame gets the same types although all may be missing."""
    kinds = {"age": pa.float64(), "prices": pa.list_(pa.float64())}
    return pa.table({name: pa.array(cells, kinds.get(name)) for name, cells in columns.items()})


@settings(max_examples=60)
@given(columns=typed_frames())
def test_all_frames_give_the_same_bits(columns):
    table = typed(columns)
    frames = [
        table,
        columns,
        as_objects(columns),
        pd.DataFrame({name: pd.arrays.ArrowExtensionArray(table[name]) for name in table.column_names}),
        pl.from_arrow(table),
    ]
    given_roles = {"categorical_features": ["item"], "numeric_features": ["age"]}

    encoded = [
        BehaviorEncoder([{"hist": "item"}, {"prices": None}], max_length=3, **given_roles).fit_transform(frame)
        for frame in frames
    ]

    for other in encoded[1:]:
        for name in ("item", "hist", "age"):
            np.testing.assert_array_equal(encoded[0][name], other[name])
    if any(value is not None for cell in columns["prices"] for value in cell or []):
        for other in encoded[1:]:
            np.testing.assert_array_equal(encoded[0].to_numpy(), other.to_numpy())


NUMBERS_2D = np.array([[1, 20], [2, 10], [3, 60], [4, 30]])


@pytest.mark.parametrize(
    "make",
    [
        np.asfortranarray,
        lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.astype(np.int32),
        lambda X: X.astype(np.uint64),
        lambda X: X.astype(">i8"),
        lambda X: X.astype(">f4"),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        pd.DataFrame,
    ],
    ids=[
        "fortran",
        "negative",
        "strided",
        "int32",
        "uint64",
        "big int",
        "big float",
        "float16",
        "object",
        "list",
        "frame",
    ],
)
def test_the_form_of_an_array_does_not_matter(make):
    X = make(NUMBERS_2D)
    if isinstance(X, np.ndarray):
        X.setflags(write=False)
    encoder = BehaviorEncoder(categorical_features=["x1"])

    table = encoder.fit(NUMBERS_2D).transform(X)
    again = encoder.fit(X).transform(NUMBERS_2D)

    for encoded in (table, again):
        assert encoded["x1"].tolist() == [3, 2, 5, 4]
        np.testing.assert_allclose(encoded["x0"], (np.arange(1, 5) - 2.5) / np.std([1, 2, 3, 4]), rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(X, dtype=float), NUMBERS_2D)


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "<u8", ">u8", ">f4", "f8", "O"])
def test_the_type_of_the_arrays_in_the_cells_does_not_matter(dtype):
    histories = [[3, 1], [2], [], [1, 1, 2]]
    arrays = [np.array(history, dtype=dtype) for history in histories]
    for array in arrays:
        array.setflags(write=False)
    encoder = BehaviorEncoder({"hist": "item"}, max_length=3)
    expected = encoder.fit_transform({"item": [1, 2, 3, 1], "hist": histories}).to_numpy()

    table = encoder.fit_transform(pd.DataFrame({"item": [1, 2, 3, 1], "hist": arrays}))

    np.testing.assert_array_equal(table.to_numpy(), expected)


def test_missing_values_are_one_whatever_they_are_called():
    X = {"item": [None, float("nan"), pd.NA, pd.NaT, "a"], "hist": [[None], [float("nan")], [pd.NA], [pd.NaT], ["a"]]}

    table = BehaviorEncoder({"hist": "item"}, max_length=1).fit_transform(X)

    assert table["item"].tolist() == [2, 2, 2, 2, 3]
    assert table["hist"].tolist() == [[1], [1], [1], [1], [3]]


def test_no_global_state_is_touched():
    before = (np.random.get_state()[1].tolist(), np.geterr(), list(warnings.filters))
    BehaviorEncoder({"hist": "item"}).fit_transform({"item": [1], "hist": [[1]], "age": [1.5]})

    assert before == (np.random.get_state()[1].tolist(), np.geterr(), list(warnings.filters))
