"""build_histories against a loop over all pairs of rows and events, for every kind of frame."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing._histories import build_histories

KINDS = {
    "pandas": pd.DataFrame,
    "polars": lambda columns: pl.DataFrame(columns, strict=False),
    "pyarrow": pa.table,
    "dict": dict,
}
LOG = {"user": [7, 7, 8, 7, 8], "day": [2, 1, 1, 2, 3], "item": [10, 11, 12, 13, 14]}
NAMES = {"user": "user", "time": "day", "behaviors": ["item"]}


def lists(column):
    """Return the cells of a list column of any frame as lists."""
    cells = column.to_pylist() if isinstance(column, pa.ChunkedArray | pa.Array) else column
    return [cell.to_list() if isinstance(cell, pl.Series) else list(cell) for cell in cells]


def names(frame):
    """Return the columns of any frame in order."""
    columns = frame.column_names if isinstance(frame, pa.Table) else getattr(frame, "columns", frame)
    return list(columns)


def history_of_each_row(log, rows, behavior, max_length):
    """Compare each row with each event."""
    histories = []
    for user, time in zip(rows["user"], rows["day"], strict=True):
        earlier = [
            (log["day"][i], i) for i in range(len(log["user"])) if log["user"][i] == user and log["day"][i] < time
        ]
        histories.append([log[behavior][i] for _, i in sorted(earlier)][-max_length:])
    return histories


events = st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 3), st.integers(0, 99)), max_size=15)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(events=events, targets=st.none() | events, max_length=st.integers(1, 5))
def test_histories_are_those_of_a_loop_over_all_pairs(kind, events, targets, max_length):
    log = {name: [event[i] for event in events] for i, name in enumerate(("user", "day", "item"))}
    log["text"] = [f"item {item}" for item in log["item"]]
    rows = log if targets is None else {"day": [row[1] for row in targets], "user": [row[0] for row in targets]}
    frame = KINDS[kind](log)
    target = None if targets is None else KINDS[kind](rows)

    out = build_histories(
        frame, target, user="user", time="day", behaviors=["item", "text"], max_length=max_length, prefix="past_"
    )
    assert type(out) is type(frame)
    assert names(out) == [*rows, "past_item", "past_text"]
    for behavior in ("item", "text"):
        assert lists(out[f"past_{behavior}"]) == history_of_each_row(log, rows, behavior, max_length)
    for name, values in rows.items():
        assert (out[name].to_pylist() if kind == "pyarrow" else list(out[name])) == values


def test_hand_worked_histories():
    out = build_histories(LOG, **NAMES)

    assert lists(out["hist_item"]) == [[11], [], [], [11], [12]]


def test_events_of_the_same_time_keep_the_order_of_the_log():
    log = {"user": [1] * 5, "day": [3, 1, 1, 2, 1], "item": ["z", "b", "a", "y", "c"]}

    assert lists(build_histories(log, **NAMES)["hist_item"])[0] == ["b", "a", "c", "y"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(events=events.filter(len), now=st.integers(-2, 3))
def test_no_event_from_a_row_s_time_on_changes_its_history(events, now):
    log = pd.DataFrame(events, columns=["user", "day", "item"])
    other = log.assign(item=log["item"].where(log["day"] < now, -1))
    shorter = log[log["day"] < now]
    rows = pd.DataFrame({"user": [0, 1, 2, 3], "day": [now] * 4})

    expected = lists(build_histories(log, rows, **NAMES)["hist_item"])
    assert lists(build_histories(other, rows, **NAMES)["hist_item"]) == expected
    assert lists(build_histories(shorter, rows, **NAMES)["hist_item"]) == expected


@pytest.mark.parametrize("index", [[4, 4, 0, 9, 1], pd.Index(list("edcba"), name="row")])
def test_the_index_stays_with_its_rows(index):
    frame = pd.DataFrame(LOG, index=index)

    out = build_histories(frame, **NAMES)
    pd.testing.assert_frame_equal(out.drop(columns="hist_item"), frame)
    assert lists(out["hist_item"]) == [[11], [], [], [11], [12]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_without_events_has_an_empty_list(kind):
    rows = KINDS[kind]({"user": [9, 7], "day": [5, 0]})

    out = build_histories(KINDS[kind](LOG), rows, **NAMES)
    assert lists(out["hist_item"]) == [[], []]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_without_rows_give_frames_without_histories(kind):
    log, empty = KINDS[kind](LOG), KINDS[kind]({"user": [], "day": [], "item": []})
    rows = KINDS[kind]({"user": [7], "day": [5]})

    assert lists(build_histories(empty, **NAMES)["hist_item"]) == []
    assert lists(build_histories(empty, rows, **NAMES)["hist_item"]) == [[]]
    assert lists(build_histories(log, empty, user="user", time="day", behaviors=["item"])["hist_item"]) == []


def test_cells_are_arrays_in_pandas_and_dicts_and_lists_elsewhere():
    made = {kind: build_histories(frame(LOG), **NAMES)["hist_item"] for kind, frame in KINDS.items()}

    assert all(cell.dtype == np.int64 for kind in ("pandas", "dict") for cell in made[kind])
    assert made["dict"].dtype == made["pandas"].dtype == object
    assert made["polars"].dtype == pl.List(pl.Int64)
    assert made["pyarrow"].type == pa.list_(pa.int64())


@pytest.mark.parametrize("log_kind", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_the_targets_decides(log_kind, kind):
    rows = KINDS[kind]({"user": [8, 7], "day": [4, 2]})

    out = build_histories(KINDS[log_kind](LOG), rows, **NAMES)
    assert type(out) is type(rows)
    assert lists(out["hist_item"]) == [[12, 14], [11]]


def test_the_inputs_stay_as_they_were():
    log = {name: np.array(values) for name, values in LOG.items()}
    for values in log.values():
        values.flags.writeable = False
    frame, table, polars = pd.DataFrame(LOG), pa.table(LOG), pl.DataFrame(LOG)

    for each in (log, frame, table, polars):
        build_histories(each, **NAMES)
    for each in (log, frame, table, polars):
        assert names(each) == list(LOG)
        assert [list(np.asarray(each[name])) for name in LOG] == list(LOG.values())


def test_the_metadata_of_an_arrow_table_stays():
    table = pa.table(LOG).replace_schema_metadata({"from": "here"})

    assert build_histories(table, **NAMES).schema.metadata == {b"from": b"here"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Categorical(["b", "a", "b"], categories=["z", "a", "b"]), ["b", "a"]),
        (pd.Series([1.5, None, 2.0]), [1.5, np.nan]),
        (pd.Series([2**53 + 1, 1, 1]), [2**53 + 1, 1]),
        (pd.Series([True, False, True]), [True, False]),
        (pd.Series(["x", None, "y"]), ["x", None]),
    ],
    ids=["category", "float", "large", "bool", "string"],
)
def test_behaviors_of_any_type_keep_value_and_place(values, expected):
    log = pd.DataFrame({"user": [1, 1, 1], "day": [1, 2, 3], "item": values})

    history = build_histories(log, **NAMES)["hist_item"].iloc[-1]
    assert [None if value is None else value for value in history.tolist()] == pytest.approx(expected, nan_ok=True)


def test_categoricals_of_polars_become_strings():
    log = pl.DataFrame(LOG | {"item": list("abcde")}, schema_overrides={"item": pl.Categorical})

    out = build_histories(log, **NAMES)
    assert out["hist_item"].dtype == pl.List(pl.String)
    assert lists(out["hist_item"]) == [["b"], [], [], ["b"], ["c"]]


@pytest.mark.parametrize(
    ("users", "others"),
    [
        (np.array([1, 2], np.int8), np.array([2, 1], np.int64)),
        (np.array([1, 2], np.uint64), np.array([2, 1], np.int32)),
        (np.array([2**64 - 1, 7], np.uint64), pa.array([7, 2**64 - 1], pa.uint64())),
        (np.array([1, 2], np.int32), [2, 1]),
        (np.array([1, 2], ">i4"), [2, 1]),
        (["x", "y"], np.array(["y", "x"])),
        (["x", "y"], pd.Categorical(["y", "x"])),
        (pl.Series(["x", "y"]), pa.array(["y", "x"], pa.string_view())),
        ([b"x", b"y"], [b"y", b"x"]),
        ([1, 2], pd.Series([2, 1], dtype="int64[pyarrow]")),
        ([0.5, -0.0], np.array([0.0, 0.5], np.float32)),
        ([True, False], [False, True]),
    ],
)
def test_equal_users_meet_whatever_holds_them(users, others):
    log = {"user": users, "day": [1, 1], "item": [10, 20]}

    out = build_histories(log, {"user": others, "day": [2, 2]}, **NAMES)
    assert lists(out["hist_item"]) == [[20], [10]]


def test_a_negative_user_is_not_the_unsigned_one_of_the_same_bits():
    log = {"user": np.array([2**64 - 1], np.uint64), "day": [1], "item": [10]}

    assert lists(build_histories(log, {"user": [-1], "day": [2]}, **NAMES)["hist_item"]) == [[]]


def test_large_users_differ_by_one():
    log = {"user": [2**53, 2**53 + 1], "day": [1, 1], "item": [10, 20]}

    out = build_histories(log, {"user": [2**53 + 1, 2**53], "day": [2, 2]}, **NAMES)
    assert lists(out["hist_item"]) == [[20], [10]]


DAY = datetime.date(2024, 3, 1)
NOON = datetime.datetime(2024, 3, 1, 12)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ([2**53], [2**53 + 1]),
        ([0.1], [np.nextafter(0.1, 1)]),
        ([1], [1.5]),
        ([-0.5], np.array([0], np.uint8)),
        (np.array([2**63], np.uint64), np.array([2**63 + 1], np.uint64)),
        ([DAY], [DAY + datetime.timedelta(days=1)]),
        ([DAY], [NOON]),
        ([NOON], [DAY + datetime.timedelta(days=1)]),
        (np.array([NOON], "datetime64[ns]"), np.array([NOON], "datetime64[ns]") + np.timedelta64(1, "ns")),
        (np.array([NOON], "datetime64[s]"), np.array([NOON], "datetime64[ns]") + np.timedelta64(1, "ns")),
        (np.array(["1969-12-31T23:59:59"], "datetime64[s]"), np.array([0], "datetime64[ms]")),
        (np.array([NOON], "datetime64[ns]"), np.array(["9999-12-31"], "datetime64[us]")),
        (pd.Series([NOON]), pl.Series([NOON + datetime.timedelta(microseconds=1)])),
        (pd.Series([NOON]).dt.tz_localize("UTC"), pd.Series([NOON]).dt.tz_localize("America/New_York")),
        (pa.array([115 * 86_400_000], pa.date64()), pa.array([116], pa.date32())),
    ],
)
def test_the_earlier_time_is_seen_by_the_later_and_not_the_reverse(earlier, later):
    def seen(log_time, row_time):
        log = {"user": [1], "day": log_time, "item": [10]}
        return lists(build_histories(log, {"user": [1], "day": row_time}, **NAMES)["hist_item"])

    assert seen(earlier, later) == [[10]]
    assert seen(later, earlier) == seen(earlier, earlier) == seen(later, later) == [[]]


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ([3], [3.0]),
        ([DAY], np.array(["2024-03-01"], "datetime64[ns]")),
        (np.array([NOON], "datetime64[s]"), np.array([NOON], "datetime64[ns]")),
        (
            pd.Series(pd.to_datetime(["2024-03-01 12:00+00:00"])),
            pd.Series(pd.to_datetime(["2024-03-01 07:00-05:00"])),
        ),
    ],
)
def test_equal_times_of_different_types_do_not_see_each_other(one, same):
    for first, second in ((one, same), (same, one)):
        log = {"user": [1], "day": first, "item": [10]}
        out = build_histories(log, {"user": [1], "day": second}, **NAMES)
        assert lists(out["hist_item"]) == [[]]


@pytest.mark.parametrize(
    ("column", "value", "row", "match"),
    [
        ("user", None, 1, "'user' of events must not have missing values: row 1 has nan"),
        ("day", np.nan, 2, "'day' of events must not have missing values: row 2 has nan"),
    ],
)
def test_a_missing_value_in_the_log_is_named(column, value, row, match):
    log = pd.DataFrame(LOG)
    log[column] = log[column].astype(float)
    log.loc[row, column] = value

    with pytest.raises(ValueError, match=match):
        build_histories(log, **NAMES)


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        ({"user": [7, None], "day": [1, 2]}, "'user' of targets must not have missing values: row 1 has None"),
        (pl.DataFrame({"user": [7], "day": [np.nan]}), "'day' of targets must not have missing values: row 0 has nan"),
        (pd.DataFrame({"user": [7], "day": [pd.NaT]}), "'day' of targets must not have missing values: row 0 has NaT"),
        (pa.table({"user": [None, 7], "day": [1, 2]}), "'user' of targets must not have missing values: row 0 has Non"),
    ],
)
def test_a_missing_value_in_the_targets_is_named(targets, match):
    with pytest.raises(ValueError, match=match):
        build_histories(LOG, targets, **NAMES)


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        ({"user": ["7"], "day": [1]}, r"'user' must be of one kind.*int64 \(row 0: 7\), targets.*string \(row 0: '7'"),
        ({"user": [7.0], "day": [1]}, "'user' must be of one kind"),
        ({"user": [True], "day": [1]}, "'user' must be of one kind"),
        ({"user": [[7]], "day": [1]}, "'user' must be of one kind"),
        ({"user": [7, "7"], "day": [1, 2]}, "'user' of targets must hold values of one type"),
        ({"user": [7], "day": [NOON]}, "'day' must be of one kind"),
        ({"user": [7], "day": [True]}, "'day' must be of one kind"),
        ({"user": [2**70], "day": [1]}, "'user' of targets must hold values of one type"),
    ],
)
def test_users_and_times_of_another_kind_are_refused(targets, match):
    with pytest.raises(TypeError, match=match):
        build_histories(LOG, targets, **NAMES)


def test_times_with_and_without_time_zone_are_refused():
    log = pd.DataFrame({"user": [1], "day": pd.to_datetime(["2024-03-01"]), "item": [10]})
    rows = log.assign(day=log["day"].dt.tz_localize("UTC"))

    with pytest.raises(TypeError, match=r"'day' must be of one kind.*tz=UTC"):
        build_histories(log, rows, **NAMES)


@pytest.mark.parametrize("days", [["2024-03-01"], [True], [datetime.timedelta(1)], [datetime.time(1)], [[1]]])
def test_times_that_are_no_times_are_refused(days):
    with pytest.raises(TypeError, match="'day' must hold numbers, dates or timestamps: row 0 has"):
        build_histories({"user": [1], "day": days, "item": [1]}, **NAMES)


def test_lists_of_users_are_refused():
    with pytest.raises(TypeError, match="'user' must hold one user per row: it holds list"):
        build_histories({"user": [[1]], "day": [1], "item": [1]}, **NAMES)


def test_integers_that_a_float_cannot_hold_are_not_compared_with_floats():
    log = {"user": [1], "day": [2**53 + 1], "item": [10]}

    with pytest.raises(ValueError, match="'day' does not compare exactly"):
        build_histories(log, {"user": [1], "day": [1.5]}, **NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_column_is_named_with_those_there_are(kind):
    log = KINDS[kind](LOG)
    rows = KINDS[kind]({"user": [7], "when": [1]})

    with pytest.raises(ValueError, match=r"no column 'shop' in events: the columns are \['user', 'day', 'item'\]"):
        build_histories(log, user="user", time="day", behaviors=["item", "shop"])
    with pytest.raises(ValueError, match=r"no column 'day' in targets: the columns are \['user', 'when'\]"):
        build_histories(log, rows, **NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_column_that_is_there_already_is_not_overwritten(kind):
    once = build_histories(KINDS[kind](LOG), **NAMES)

    with pytest.raises(ValueError, match="There is a column 'hist_item' in events already"):
        build_histories(once, **NAMES)
    with pytest.raises(ValueError, match="There is a column 'hist_item' in targets already"):
        build_histories(LOG, once, **NAMES)


def test_columns_of_a_dict_must_be_equally_long():
    with pytest.raises(ValueError, match=r"columns of events must have the same length.*'item': 1"):
        build_histories({"user": [1, 2], "day": [1, 2], "item": [1]}, **NAMES)


@pytest.mark.parametrize("frame", [np.zeros((2, 3)), [LOG], "log.csv", pl.LazyFrame(LOG)])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(TypeError, match=f"events must be a pandas or polars DataFrame.*{type(frame).__name__}"):
        build_histories(frame, **NAMES)


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"behaviors": "item"}, TypeError, r"got the string 'item'. Give \['item'\]"),
        ({"behaviors": []}, ValueError, "behaviors must name at least one column"),
        ({"behaviors": [1]}, ValueError, "behaviors must name at least one column"),
        ({"behaviors": 3}, ValueError, "'behaviors' parameter of build_histories"),
        ({"max_length": 0}, ValueError, "'max_length' parameter of build_histories must be an int in the range"),
        ({"max_length": 2.5}, ValueError, "'max_length' parameter of build_histories"),
        ({"prefix": None}, ValueError, "'prefix' parameter of build_histories"),
        ({"user": 0}, ValueError, "'user' parameter of build_histories"),
        ({"time": ["day"]}, ValueError, "'time' parameter of build_histories"),
    ],
)
def test_bad_parameters_are_refused(changed, error, match):
    with pytest.raises(error, match=match):
        build_histories(LOG, **(NAMES | changed))


def test_a_max_length_beyond_the_log_keeps_everything():
    out = build_histories(LOG, {"user": [7], "day": [9]}, **NAMES, max_length=10**30)

    assert lists(out["hist_item"]) == [[11, 10, 13]]
