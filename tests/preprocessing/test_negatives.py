"""sample_negatives against sets and counts of plain Python, for every kind of frame."""

import copy
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing import sample_negatives
from sklearn_din.preprocessing._negatives import _distinct_pairs, _draw, _weight_left

KINDS = {
    "pandas": pd.DataFrame,
    "polars": lambda columns: pl.DataFrame(columns, strict=False),
    "pyarrow": pa.table,
    "dict": dict,
}
POSITIVES = {
    "user": [7, 7, 8, 9],
    "item": ["a", "b", "a", "c"],
    "day": [3, 4, 4, 1],
    "category": [1, 2, 1, 1],
    "hist_item": [["c"], ["c", "a"], [], ["e"]],
}
ITEMS = {"item": ["a", "b", "c", "d", "e"], "category": [1, 2, 1, 2, 3], "price": [5, 4, 3, 2, 1]}
NAMES = {"user": "user", "item": "item"}


def cells(column):
    """Return a column of any frame as a list, lists in it as lists."""
    values = column.to_pylist() if isinstance(column, pa.ChunkedArray | pa.Array) else list(column)
    return [
        value.to_list() if isinstance(value, pl.Series) else value.tolist() if isinstance(value, np.ndarray) else value
        for value in values
    ]


def names(frame):
    """Return the columns of any frame in order."""
    columns = frame.column_names if isinstance(frame, pa.Table) else getattr(frame, "columns", frame)
    return list(columns)


def contents(frame):
    """Return any frame as a dict of lists."""
    return {name: cells(frame[name]) for name in names(frame)}


def negatives_of(frame):
    """Return the items of the negatives of any frame."""
    return [item for item, label in zip(cells(frame["item"]), cells(frame["label"]), strict=True) if label == 0]


def assert_shares(drawn, shares):
    """Compare the counts of many draws with probabilities: within 4.5 standard deviations, and none of the others."""
    count = Counter(drawn)
    assert set(count) == set(shares)
    for value, share in shares.items():
        deviation = np.sqrt(len(drawn) * share * (1 - share))
        assert abs(count[value] - len(drawn) * share) <= 4.5 * deviation


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(log=pairs, more=pairs, n_negatives=st.integers(1, 3), seed=st.integers(0, 9))
def test_each_positive_is_followed_by_items_that_its_user_does_not_have(kind, strategy, log, more, n_negatives, seed):
    columns = {"user": [user for user, _ in log], "item": [item for _, item in log], "row": list(range(len(log)))}
    exclude = {"item": [item for _, item in more], "user": [user for user, _ in more]}
    allowed = set(range(6)) if strategy == "uniform" else set(columns["item"])
    free = {user: allowed - {item for other, item in [*log, *more] if other == user} for user, _ in log}
    frame, catalogue = KINDS[kind](columns), KINDS[kind]({"item": [5, 3, 4, 0, 1, 2]})
    arguments = NAMES | {"n_negatives": n_negatives, "strategy": strategy, "random_state": seed}

    if not all(free.values()):
        with pytest.raises(ValueError, match="has every item"):
            sample_negatives(frame, items=catalogue, exclude=KINDS[kind](exclude), **arguments)
        return
    out = sample_negatives(frame, items=catalogue, exclude=KINDS[kind](exclude), **arguments)

    assert type(out) is type(frame)
    assert names(out) == ["user", "item", "row", "label"]
    got = contents(out)
    assert got["label"] == [1, *[0] * n_negatives] * len(log)
    assert got["row"] == [row for row in range(len(log)) for _ in range(1 + n_negatives)]
    assert got["user"] == [log[row][0] for row in got["row"]]
    for row, user, item, label in zip(got["row"], got["user"], got["item"], got["label"], strict=True):
        assert item == log[row][1] if label else item in free[user]


class Points:
    """A generator whose draws for each row are all points of its line, one after another."""

    def integers(self, high, size):
        """Return 0, 1, … below the one bound that all rows have."""
        assert (high == size[1]).all()
        return np.tile(np.arange(size[1]), (size[0], 1))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(owned=pairs, weights=st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_the_points_of_a_line_hold_each_free_item_as_often_as_its_weight(owned, weights):
    users, items = np.array(owned).T
    found = _distinct_pairs(users, items, n_users=4, n_items=5)
    left = _weight_left(found, np.array(weights), n_users=4)

    for user in range(4):
        free = {item: weights[item] for item in range(5) if (user, item) not in owned and weights[item]}
        assert left[user] == sum(free.values())
        if free:
            drawn = _draw(Points(), np.array([user]), found, np.array(weights), left, int(left[user]))
            assert Counter(drawn.ravel().tolist()) == free


def test_uniform_draws_are_equally_often_each_item_that_the_user_does_not_have():
    rows = sample_negatives(POSITIVES, **NAMES, items=ITEMS, n_negatives=20_000, random_state=0)

    by_row = np.array(rows["item"]).reshape(4, -1)[:, 1:]
    assert_shares(by_row[0], {"c": 1 / 3, "d": 1 / 3, "e": 1 / 3})
    assert_shares(by_row[2], {"b": 1 / 4, "c": 1 / 4, "d": 1 / 4, "e": 1 / 4})


def test_popularity_draws_are_in_proportion_to_the_rows_of_the_items_that_the_user_does_not_have():
    log = {"user": [1, 1, 2, 3, 4, 4, 5, 6], "item": ["a", "a", "b", "b", "b", "c", "d", "d"]}
    catalogue = {"item": ["never", "d", "c", "b", "a"]}

    rows = sample_negatives(log, **NAMES, items=catalogue, n_negatives=20_000, strategy="popularity", random_state=0)
    by_row = np.array(rows["item"]).reshape(8, -1)[:, 1:]
    assert_shares(by_row[0], {"b": 3 / 6, "c": 1 / 6, "d": 2 / 6})
    assert_shares(by_row[4], {"a": 2 / 4, "d": 2 / 4})
    assert_shares(by_row[7], {"a": 2 / 6, "b": 3 / 6, "c": 1 / 6})


def test_a_further_interaction_does_not_make_an_item_more_popular():
    log = {"user": [1, 2, 3], "item": ["a", "b", "c"]}
    more = {"user": [4, 4, 4, 5], "item": ["b", "b", "b", "b"]}

    rows = sample_negatives(
        log, **NAMES, items=ITEMS, exclude=more, n_negatives=10_000, strategy="popularity", random_state=0
    )
    assert_shares(np.array(rows["item"]).reshape(3, -1)[0, 1:], {"b": 1 / 2, "c": 1 / 2})


def test_the_negatives_of_a_row_are_drawn_independently():
    log = {"user": [1], "item": [0]}

    rows = sample_negatives(log, **NAMES, items={"item": [0, 1, 2]}, n_negatives=20_000, random_state=3)
    drawn = np.array(rows["item"][1:]).reshape(-1, 2)
    assert_shares(list(map(tuple, drawn.tolist())), {(a, b): 1 / 4 for a in (1, 2) for b in (1, 2)})


@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
def test_a_user_with_all_items_but_one_gets_that_one(strategy):
    log = {"user": [1, 2], "item": [4321, 17]}
    more = {"user": np.ones(9_999, dtype=int), "item": np.delete(np.arange(10_000), 17)}

    rows = sample_negatives(
        log, **NAMES, items={"item": np.arange(10_000)}, exclude=more, n_negatives=3, strategy=strategy, random_state=0
    )
    assert rows["item"][:4] == [4321, 17, 17, 17]


def test_users_with_nearly_all_items_get_each_of_the_rest_equally_often():
    more = {"user": np.ones(997, dtype=int), "item": np.delete(np.arange(1000), [3, 500, 999])}

    rows = sample_negatives(
        {"user": [1], "item": [0]},
        **NAMES,
        items={"item": np.arange(1000)},
        exclude=more,
        n_negatives=9_000,
        random_state=0,
    )
    assert_shares(rows["item"][1:], {3: 1 / 3, 500: 1 / 3, 999: 1 / 3})


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_items_has_are_those_of_the_drawn_item(kind):
    out = sample_negatives(KINDS[kind](POSITIVES), **NAMES, items=KINDS[kind](ITEMS), n_negatives=5, random_state=0)

    category = dict(zip(ITEMS["item"], ITEMS["category"], strict=True))
    assert cells(out["category"]) == [category[item] for item in cells(out["item"])]
    assert len(set(negatives_of(out))) > 2


@pytest.mark.parametrize("kind", KINDS)
def test_all_other_columns_repeat_those_of_the_positive(kind):
    out = sample_negatives(KINDS[kind](POSITIVES), **NAMES, items=KINDS[kind](ITEMS), n_negatives=2, random_state=0)

    for name in ("user", "day", "hist_item"):
        assert cells(out[name]) == [value for value in POSITIVES[name] for _ in range(3)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_columns_are_those_of_positives_and_the_label_in_the_end(kind):
    out = sample_negatives(KINDS[kind](POSITIVES), **NAMES, items=KINDS[kind](ITEMS), random_state=0)

    assert names(out) == [*POSITIVES, "label"]


def test_positives_keep_values_that_differ_from_those_of_items():
    prices = POSITIVES | {"price": [50, 40, 50, 30]}

    out = sample_negatives(pd.DataFrame(prices), **NAMES, items=ITEMS, random_state=0)
    assert out.loc[out["label"] == 1, "price"].tolist() == [50, 40, 50, 30]
    assert set(out.loc[out["label"] == 0, "price"]) <= set(ITEMS["price"])


@pytest.mark.parametrize("kind", KINDS)
def test_list_columns_of_items_are_those_of_the_drawn_item(kind):
    tags = {"a": ["x"], "b": [], "c": ["x", "y"], "d": ["z"], "e": ["y", "z", "z"]}
    log = {"user": [1, 2], "item": ["a", "c"], "tags": [tags["a"], tags["c"]]}
    catalogue = {"item": list(tags), "tags": list(tags.values())}

    out = sample_negatives(KINDS[kind](log), **NAMES, items=KINDS[kind](catalogue), n_negatives=4, random_state=0)
    assert cells(out["tags"]) == [tags[item] for item in cells(out["item"])]
    assert type(out) is type(KINDS[kind](log))


@pytest.mark.parametrize("index", [[4, 4, 0, 9], pd.Index(list("dcba"), name="row")])
def test_negatives_have_the_index_label_of_their_positive(index):
    frame = pd.DataFrame(POSITIVES, index=index)

    out = sample_negatives(frame, **NAMES, items=ITEMS, n_negatives=2, random_state=0)
    pd.testing.assert_index_equal(out.index, frame.index.repeat(3))
    pd.testing.assert_frame_equal(out[out["label"] == 1].drop(columns="label"), frame)


@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
def test_one_seed_gives_the_same_rows_for_every_kind_of_frame(strategy):
    arguments = NAMES | {"n_negatives": 3, "strategy": strategy, "random_state": 5}

    made = [
        contents(sample_negatives(KINDS[kind](POSITIVES), items=KINDS[other](ITEMS), **arguments))
        for kind in KINDS
        for other in KINDS
    ]
    assert all(each == made[0] for each in made)


def test_one_seed_gives_the_same_rows_whatever_the_order_of_exclude():
    more = {"user": [7, 9, 8, 7], "item": ["c", "d", "d", "d"]}
    turned = {name: values[::-1] for name, values in more.items()}

    first, second = (
        sample_negatives(POSITIVES, **NAMES, items=ITEMS, exclude=each, n_negatives=9, random_state=1)
        for each in (more, turned)
    )
    assert first["item"] == second["item"]


def test_another_seed_gives_other_rows():
    first, second = (
        sample_negatives(POSITIVES, **NAMES, items=ITEMS, n_negatives=9, random_state=seed)["item"] for seed in (0, 1)
    )

    assert first != second


def test_a_random_state_determines_the_rows_and_moves_on():
    rng, same = np.random.RandomState(3), np.random.RandomState(3)

    first, second, again = (
        sample_negatives(POSITIVES, **NAMES, items=ITEMS, n_negatives=9, random_state=state)["item"]
        for state in (rng, rng, same)
    )
    assert first == again
    assert first != second


@pytest.mark.parametrize("random_state", [None, 0, np.random.RandomState(0)], ids=["None", "int", "RandomState"])
def test_the_global_generator_is_left_alone(random_state):
    before = np.random.get_state()

    sample_negatives(POSITIVES, **NAMES, items=ITEMS, random_state=random_state)
    after = np.random.get_state()
    assert before[2:] == after[2:]
    assert np.array_equal(before[1], after[1])


def test_without_a_seed_each_call_draws_anew():
    first, second = (sample_negatives(POSITIVES, **NAMES, items=ITEMS, n_negatives=50)["item"] for _ in range(2))

    assert first != second


@pytest.mark.parametrize("kind", KINDS)
def test_the_inputs_stay_as_they_were(kind):
    log, catalogue = KINDS[kind](copy.deepcopy(POSITIVES)), KINDS[kind](copy.deepcopy(ITEMS))
    more = KINDS[kind]({"user": [7], "item": ["c"]})

    sample_negatives(log, **NAMES, items=catalogue, exclude=more, n_negatives=2, random_state=0)
    assert contents(log) == POSITIVES
    assert contents(catalogue) == ITEMS
    assert contents(more) == {"user": [7], "item": ["c"]}


def test_arrays_that_cannot_be_written_to_are_read():
    log = {"user": np.array([1, 2]), "item": np.array([5, 6]), "day": np.array([1.5, 2.5])}
    catalogue = {"item": np.array([5, 6, 7])}
    for values in [*log.values(), *catalogue.values()]:
        values.flags.writeable = False

    out = sample_negatives(log, **NAMES, items=catalogue, random_state=0)
    assert out["day"].tolist() == [1.5, 1.5, 2.5, 2.5]
    assert out["item"][::2].tolist() == [5, 6]


def test_columns_of_a_dict_keep_their_containers():
    log = {
        "user": np.array([1, 2], np.int16),
        "item": pd.Series(["a", "b"], index=[4, 5], dtype="category"),
        "category": pl.Series([1, 2], dtype=pl.Int8),
        "price": pa.array([1, 2], pa.int32()),
        "shop": pa.chunked_array([["x"], ["y"]], pa.string_view()),
        "size": (3, 4),
        "weight": np.array([1.0, 2.0], np.float32),
        "place": range(2),
        "colour": pd.Categorical(["red", "blue"]),
        "vector": np.array([[0, 1], [2, 3]]),
    }
    catalogue = {"item": ["a", "b", "c"], "category": [1, 2, 3], "price": [7, 8, 9], "size": [3, 4, 5]}
    catalogue |= {"weight": [1.0, 2.0, 0.5], "shop": ["x", "y", "z"]}

    out = sample_negatives(log, **NAMES, items=catalogue, random_state=0)
    assert {name: type(column) for name, column in out.items()} == {name: type(log[name]) for name in log} | {
        "size": list,
        "place": np.ndarray,
        "label": np.ndarray,
    }
    assert [out["user"].dtype, out["category"].dtype, out["price"].type] == [np.int16, pl.Int8, pa.int32()]
    assert out["item"].dtype == "category"
    assert out["item"].index.tolist() == [4, 4, 5, 5]
    assert out["weight"].dtype == np.float32
    assert out["place"].tolist() == [0, 0, 1, 1]
    assert out["colour"].tolist() == ["red", "red", "blue", "blue"]
    assert out["shop"].type == pa.string_view()
    assert out["vector"].tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int16", [1, 2, 3]),
        ("uint64", [2**64 - 1, 2, 3]),
        ("Int64", [2**53 + 1, 2, 3]),
        ("float32", [0.5, 1.5, 2.5]),
        ("boolean", [True, False, True]),
        ("string", ["x", "y", "z"]),
        ("object", ["x", "y", "z"]),
        ("datetime64[ns]", pd.date_range("2024-03-01", periods=3)),
        ("datetime64[us, UTC]", pd.date_range("2024-03-01", periods=3, tz="UTC")),
        ("int64[pyarrow]", [1, 2, 3]),
    ],
)
@pytest.mark.parametrize("other", ["pandas", "polars"])
def test_columns_of_pandas_keep_their_type(dtype, values, other):
    values = pd.Series(values, dtype=dtype)
    log = pd.DataFrame({"user": [1, 2], "item": [0, 1], "value": values[:2]})
    catalogue = pd.DataFrame({"item": [0, 1, 2], "value": values})
    catalogue = catalogue if other == "pandas" else pl.from_arrow(pa.Table.from_pandas(catalogue))

    out = sample_negatives(log, **NAMES, items=catalogue, n_negatives=4, random_state=0)
    assert out["value"].dtype == values.dtype
    assert out["value"].tolist() == [values[item] for item in out["item"]]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Int8, [1, 2, 3]),
        (pl.Float32, [0.5, 1.5, 2.5]),
        (pl.Categorical, ["x", "y", "z"]),
        (pl.Enum(["z", "y", "x"]), ["x", "y", "z"]),
        (pl.Datetime("ms"), pd.date_range("2024-03-01", periods=3).to_list()),
        (pl.List(pl.Int16), [[1], [], [2, 3]]),
    ],
    ids=str,
)
@pytest.mark.parametrize("other", ["polars", "pyarrow"])
def test_columns_of_polars_keep_their_type(dtype, values, other):
    values = pl.Series(values, dtype=dtype)
    log = pl.DataFrame({"user": [1, 2], "item": [0, 1], "value": values[:2]})
    catalogue = pl.DataFrame({"item": [0, 1, 2], "value": values})
    catalogue = catalogue if other == "polars" else catalogue.to_arrow()

    out = sample_negatives(log, **NAMES, items=catalogue, n_negatives=4, random_state=0)
    assert out["value"].dtype == dtype
    assert out["value"].to_list() == [values.to_list()[item] for item in out["item"]]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int8(), [1, 2, 3]),
        (pa.string(), ["x", "y", "z"]),
        (pa.large_string(), ["x", "y", "z"]),
        (pa.string_view(), ["x", "y", "z"]),
        (pa.binary_view(), [b"x", b"y", b"z"]),
        (pa.list_(pa.float32()), [[1.0], [], [2.0, 3.0]]),
        (pa.date32(), pd.date_range("2024-03-01", periods=3).date.tolist()),
    ],
    ids=str,
)
def test_columns_of_pyarrow_keep_their_type(kind, values):
    log = pa.table({"user": [1, 2], "item": [0, 1], "value": pa.array(values[:2], kind)})
    catalogue = {"item": [0, 1, 2], "value": values}

    out = sample_negatives(log, **NAMES, items=catalogue, n_negatives=4, random_state=0)
    assert out["value"].type == kind
    assert out["value"].to_pylist() == [values[item] for item in out["item"].to_pylist()]


def test_dictionaries_of_pyarrow_stay_dictionaries():
    log = pa.table({"user": [1, 2], "item": pa.array(["a", "b"]).dictionary_encode()})

    out = sample_negatives(log, **NAMES, items={"item": ["a", "b", "c"]}, exclude=log, random_state=0)
    assert pa.types.is_dictionary(out["item"].type)
    assert out["item"].to_pylist()[::2] == ["a", "b"]


def test_the_metadata_of_an_arrow_table_stays():
    table = pa.table(POSITIVES).replace_schema_metadata({"from": "here"})

    assert sample_negatives(table, **NAMES, items=ITEMS, random_state=0).schema.metadata == {b"from": b"here"}


def test_rows_of_pyarrow_taken_in_blocks_are_the_same(monkeypatch):
    whole = sample_negatives(pa.table(POSITIVES), **NAMES, items=ITEMS, n_negatives=2, random_state=0)
    monkeypatch.setattr("sklearn_din.preprocessing._frame_edits._MOST_VALUES", 5)

    parts = sample_negatives(pa.table(POSITIVES), **NAMES, items=ITEMS, n_negatives=2, random_state=0)
    assert parts["hist_item"].num_chunks > 1
    assert parts.to_pydict() == whole.to_pydict()


@pytest.mark.parametrize("is_ordered", [False, True])
def test_categoricals_of_pandas_keep_their_categories(is_ordered):
    dtype = pd.CategoricalDtype(["d", "c", "b", "a", "e"], ordered=is_ordered)
    frame = pd.DataFrame(POSITIVES).astype({"item": dtype})

    out = sample_negatives(frame, **NAMES, items=ITEMS, n_negatives=2, random_state=0)
    assert out["item"].dtype == dtype
    assert (
        out["item"].astype(str).tolist()
        == contents(sample_negatives(POSITIVES, **NAMES, items=ITEMS, n_negatives=2, random_state=0))["item"]
    )


def test_categoricals_of_pandas_get_the_categories_that_they_lack():
    frame = pd.DataFrame({"user": [1, 2], "item": pd.Categorical([30, 10], categories=[30, 10], ordered=True)})
    catalogue = pd.DataFrame({"item": pd.Categorical([10, 20, 30])})

    out = sample_negatives(frame, **NAMES, items=catalogue, exclude={"user": [1, 2], "item": [10, 30]}, random_state=0)
    assert out["item"].dtype == pd.CategoricalDtype([30, 10, 20], ordered=False)
    assert out["item"].tolist() == [30, 20, 10, 20]


def test_enums_of_polars_get_the_categories_that_they_lack():
    frame = pl.DataFrame({"user": [1, 2], "item": pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"]))})

    out = sample_negatives(
        frame,
        **NAMES,
        items={"item": ["a", "c", "b"]},
        exclude={"user": [1, 2], "item": ["a", "b"]},
        random_state=0,
    )
    assert out["item"].dtype == pl.Enum(["b", "a", "c"])
    assert out["item"].to_list() == ["b", "c", "a", "c"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_item_misses_is_missing_in_its_negatives(kind):
    log = KINDS[kind]({"user": [1, 2], "item": [0, 0], "category": ["x", "x"]})
    catalogue = KINDS[kind]({"item": [0, 1], "category": ["x", None]})

    out = sample_negatives(log, **NAMES, items=catalogue, random_state=0)
    assert [None if value is None or value != value else value for value in cells(out["category"])] == [
        "x",
        None,
        "x",
        None,
    ]


def test_a_column_without_values_in_positives_takes_those_of_items():
    log = {"user": [1, 2], "item": [0, 0], "category": [None, None]}

    out = sample_negatives(log, **NAMES, items={"item": [0, 1], "category": ["x", "y"]}, random_state=0)
    assert out["category"] == [None, "y", None, "y"]


def test_a_column_without_values_in_items_is_missing_in_negatives():
    log = {"user": [1, 2], "item": [0, 0], "category": ["x", "x"]}

    out = sample_negatives(log, **NAMES, items={"item": [0, 1], "category": [None, None]}, random_state=0)
    assert out["category"] == ["x", None, "x", None]


def test_integers_among_floats_become_floats():
    log = pd.DataFrame({"user": [1, 2], "item": [0, 0], "category": [5.0, np.nan]})

    out = sample_negatives(log, **NAMES, items={"item": [0, 1], "category": [5, 6]}, random_state=0)
    assert out["category"].tolist() == pytest.approx([5.0, 6.0, np.nan, 6.0], nan_ok=True)


@pytest.mark.parametrize("kind", KINDS)
def test_items_and_users_of_exclude_that_nobody_asks_for_do_not_matter(kind):
    more = KINDS[kind]({"user": [7, 99, 8], "item": ["gone", "c", "new"]})

    with_more, without = (
        sample_negatives(POSITIVES, **NAMES, items=ITEMS, exclude=exclude, n_negatives=9, random_state=0)
        for exclude in (more, None)
    )
    assert with_more["item"] == without["item"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_exclude_without_rows_excludes_nothing(kind):
    empty = KINDS[kind]({"user": [], "item": []})

    with_empty, without = (
        sample_negatives(POSITIVES, **NAMES, items=ITEMS, exclude=exclude, n_negatives=9, random_state=0)
        for exclude in (empty, None)
    )
    assert with_empty["item"] == without["item"]


@pytest.mark.parametrize(
    ("ids", "others"),
    [
        (np.array([1, 2, 3], np.int8), np.array([1, 2, 3], np.int64)),
        (np.array([2**63, 2, 1], np.uint64), np.array([2**63, 2, 1], np.uint64)),
        (np.array([1, 2, 3], np.uint64), [1, 2, 3]),
        (["x", "y", "z"], pd.Categorical(["x", "y", "z"])),
        ([b"x", b"y", b"z"], pa.array([b"x", b"y", b"z"], pa.binary(1))),
        (pl.Series(["x", "y", "z"]), pa.array(["x", "y", "z"], pa.string_view())),
        ([0.5, -0.0, 1.0], np.array([0.5, 0.0, 1.0], np.float32)),
    ],
    ids=["width", "large", "unsigned", "categorical", "bytes", "text", "float"],
)
def test_equal_users_and_items_meet_whatever_holds_them(ids, others):
    log = {"user": ids[:2], "item": others[:2]}
    catalogue = {"item": ids}
    more = {"user": others[:2], "item": ids[1::-1]}

    out = sample_negatives(log, **NAMES, items=catalogue, exclude=more, random_state=0)
    assert cells(out["item"])[1::2] == [ids[2]] * 2


def test_a_user_who_has_every_item_is_named():
    log = {"user": ["Ann", "Bob", "Bob", "Bob"], "item": [0, 0, 1, 2]}

    with pytest.raises(
        ValueError,
        match=r"User 'Bob' of column 'user' \(row 1 of positives\) has every item of items: there is no negative to "
        "draw. Leave the rows of this user out, or give more items",
    ):
        sample_negatives(log, **NAMES, items={"item": [0, 1, 2]})


def test_a_user_who_has_every_item_by_exclude_is_named():
    more = {"user": [8, 8, 8, 8], "item": list("bcde")}

    with pytest.raises(ValueError, match=r"User 8 of column 'user' \(row 2 of positives\) has every item of items"):
        sample_negatives(POSITIVES, **NAMES, items=ITEMS, exclude=more)


def test_a_user_who_has_every_item_of_positives_is_named_where_popularity_counts():
    log = {"user": [1, 2, 2], "item": ["a", "a", "b"]}

    with pytest.raises(ValueError, match=r"User 2 .* \(row 1 of positives\) has every item that occurs in positives"):
        sample_negatives(log, **NAMES, items=ITEMS, strategy="popularity")


def test_a_positive_whose_item_is_not_in_items_is_named():
    log = pd.DataFrame({"user": [1, 2, 3], "item": ["a", "z", "y"]}, index=[5, 6, 7])

    with pytest.raises(
        ValueError,
        match="Column 'item' of positives must hold items that are in items: row 1 has 'z', which is not. Add it",
    ):
        sample_negatives(log, **NAMES, items=ITEMS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_that_is_twice_in_items_is_named(kind):
    twice = KINDS[kind]({"item": ["a", "b", "c", "b"]})

    with pytest.raises(ValueError, match="'item' of items must have each item once: rows 1 and 3 both have 'b'. Drop"):
        sample_negatives(KINDS[kind](POSITIVES), **NAMES, items=twice)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_that_is_there_already_is_not_overwritten(kind):
    once = sample_negatives(KINDS[kind](POSITIVES), **NAMES, items=KINDS[kind](ITEMS), random_state=0)

    with pytest.raises(ValueError, match="There is a column 'label' in positives already. Drop or rename it."):
        sample_negatives(once, **NAMES, items=KINDS[kind](ITEMS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("role", "name", "match"),
    [
        ("positives", "user", r"no column 'user' in positives: the columns are \['item'"),
        ("positives", "item", r"no column 'item' in positives: the columns are \['user'"),
        ("items", "item", r"no column 'item' in items: the columns are \['category', 'price'\]"),
        ("exclude", "user", r"no column 'user' in exclude: the columns are \['item'"),
        ("exclude", "item", r"no column 'item' in exclude: the columns are \['user'"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(kind, role, name, match):
    frames = {"positives": POSITIVES, "items": ITEMS, "exclude": POSITIVES}
    frames[role] = {other: values for other, values in frames[role].items() if other != name}
    frames = {each: KINDS[kind](columns) for each, columns in frames.items()}

    with pytest.raises(ValueError, match=match):
        sample_negatives(**frames, **NAMES)


@pytest.mark.parametrize(
    ("role", "name", "match"),
    [
        ("positives", "user", "'user' of positives must not have missing values: row 1 has None. Leave such rows out"),
        ("positives", "item", "'item' of positives must not have missing values: row 1 has None"),
        ("items", "item", "'item' of items must not have missing values: row 1 has None"),
        ("exclude", "user", "'user' of exclude must not have missing values: row 1 has None"),
        ("exclude", "item", "'item' of exclude must not have missing values: row 1 has None"),
    ],
)
def test_a_missing_value_is_named(role, name, match):
    frames = {"positives": POSITIVES, "items": ITEMS, "exclude": POSITIVES}
    values = list(frames[role][name])
    values[1] = None
    frames[role] = frames[role] | {name: values}

    with pytest.raises(ValueError, match=match):
        sample_negatives(**frames, **NAMES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["positives", "items"])
def test_frames_without_rows_are_refused(kind, role):
    frames = {"positives": KINDS[kind](POSITIVES), "items": KINDS[kind](ITEMS)}
    frames[role] = KINDS[kind]({"user": [], "item": []} if role == "positives" else {"item": []})

    with pytest.raises(ValueError, match=f"{role} must have rows: it has none. Give at least one"):
        sample_negatives(**frames, **NAMES)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (
            {"exclude": {"user": ["7"], "item": ["a"]}},
            r"'user' must be of one kind in positives and exclude: positives int64 \(row 0: 7\), exclude .*string",
        ),
        (
            {"exclude": {"user": [7], "item": [1]}},
            r"'item' must be of one kind in items and exclude: items .*string \(row 0: 'a'\), exclude int64 \(row 0: 1",
        ),
        ({"items": {"item": [0, 1]}}, r"'item' must be of one kind in items and positives: items int64 \(row 0: 0\)"),
        ({"items": {"item": [["a"], ["b"]]}}, "'item' must be of one kind in items and positives"),
        ({"items": {"item": ["a", 1]}}, "'item' of items must hold values of one type"),
        (
            {"items": ITEMS | {"category": list("uvwxy")}},
            r"'category' must be of one kind in positives and items: positives int64 \(row 0: 1\), items .*string "
            r"\(row 0: 'u'\). Convert one",
        ),
        ({"items": ITEMS | {"category": [[1]] * 5}}, "'category' must be of one kind in positives and items"),
        ({"items": ITEMS | {"category": [True] * 5}}, "'category' must be of one kind in positives and items"),
        ({"items": ITEMS | {"hist_item": [[1]] * 5}}, "'hist_item' must be of one kind in positives and items"),
        ({"items": ITEMS | {"day": np.array(["2024-03-01"] * 5, "datetime64[s]")}}, "'day' must be of one kind"),
    ],
)
def test_columns_of_another_kind_are_refused(changed, match):
    with pytest.raises(TypeError, match=match):
        sample_negatives(**({"positives": POSITIVES, "items": ITEMS} | NAMES | changed))


@pytest.mark.parametrize("column", ["user", "item"])
def test_lists_of_users_and_items_are_refused(column):
    log = {"user": [1, 2], "item": [1, 2]} | {column: [[1], [2]]}
    catalogue = {"item": [[1], [2]] if column == "item" else [1, 2]}

    with pytest.raises(TypeError, match=f"'{column}' must hold one {column} per row: it holds list"):
        sample_negatives(log, **NAMES, items=catalogue)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (np.array([1, 1, 1, 1], np.int8), [1, 2, 3, 4, 500]),
        ([1, 1, 1, 1], [1.0, 2.0, 3.0, 4.0, 5.5]),
        (np.array(["2024-03-01"] * 4, "datetime64[s]"), np.array(["2024-03-01T00:00:00.5"] * 5, "datetime64[ms]")),
    ],
    ids=["width", "fraction", "time"],
)
def test_values_that_the_type_of_positives_cannot_hold_are_refused(own, other):
    with pytest.raises(ValueError, match="'category' of items does not fit the type that positives has.*Give both the"):
        sample_negatives(POSITIVES | {"category": own}, **NAMES, items=ITEMS | {"category": other})


def test_a_column_of_the_user_in_items_is_refused():
    with pytest.raises(ValueError, match="'user' is the user of a row, and items has a column 'user' too.*rename that"):
        sample_negatives(POSITIVES, **NAMES, items=ITEMS | {"user": [1] * 5})


@pytest.mark.parametrize("name", ["day", "user"])
def test_columns_of_a_dict_must_be_equally_long(name):
    with pytest.raises(ValueError, match=rf"columns of positives must have the same length.*'{name}': 1"):
        sample_negatives(POSITIVES | {name: [7]}, **NAMES, items=ITEMS)


@pytest.mark.parametrize("role", ["positives", "items", "exclude"])
@pytest.mark.parametrize("frame", [np.zeros((2, 3)), [ITEMS], pl.LazyFrame(ITEMS)], ids=["array", "list", "lazy"])
def test_what_is_no_frame_is_refused(role, frame):
    frames = {"positives": POSITIVES, "items": ITEMS, "exclude": POSITIVES} | {role: frame}

    with pytest.raises(TypeError, match=f"{role} must be a pandas or polars DataFrame.*{type(frame).__name__}"):
        sample_negatives(**frames, **NAMES)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"n_negatives": 0}, "'n_negatives' parameter of sample_negatives must be an int in the range"),
        ({"n_negatives": 1.5}, "'n_negatives' parameter of sample_negatives"),
        ({"strategy": "popular"}, "'strategy' parameter of sample_negatives must be a str among"),
        ({"random_state": -1}, "'random_state' parameter of sample_negatives"),
        ({"random_state": "0"}, "'random_state' parameter of sample_negatives"),
        ({"user": 0}, "'user' parameter of sample_negatives"),
        ({"item": ["item"]}, "'item' parameter of sample_negatives"),
        ({"user": "item"}, "user and item must be two columns: both are 'item'. Name the column of each."),
    ],
)
def test_bad_parameters_are_refused(changed, match):
    with pytest.raises(ValueError, match=match):
        sample_negatives(**({"positives": POSITIVES, "items": ITEMS} | NAMES | changed))
