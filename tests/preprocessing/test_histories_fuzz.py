"""build_histories with hostile input: what a loop over all pairs gives, or an error that names the column."""

import datetime
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing import build_histories

ZONES = [datetime.UTC, datetime.timezone(datetime.timedelta(hours=-5))]
DATES = st.dates(datetime.date(2024, 2, 28), datetime.date(2024, 3, 1))
MOMENTS = st.datetimes(datetime.datetime(2024, 2, 28), datetime.datetime(2024, 3, 1))
NANOSECONDS = st.integers(1_709_164_800 * 10**9, 1_709_164_800 * 10**9 + 3).map(pd.Timestamp)
LARGE = st.sampled_from([-(2**63), 2**53, 2**53 + 1, 2**63 - 1])
USERS = {
    "integers": st.integers(0, 2),
    "large": LARGE,
    "texts": st.sampled_from(["a", "b", "", "é"]),
    "bytes": st.sampled_from([b"a", b"b", b""]),
    "booleans": st.booleans(),
    "floats": st.sampled_from([0.5, 0.0, -0.0, float("inf")]),
    "dates": DATES,
    "moments": MOMENTS,
}
TIMES = {
    "integers": st.integers(-2, 3),
    "large": LARGE,
    "floats": st.sampled_from([-float("inf"), -0.5, -0.0, 0.0, 0.1, np.nextafter(0.1, 1).item(), float("inf")]),
    "numbers": st.one_of(st.integers(-2, 3), st.sampled_from([-0.5, 0.5, 1.0])),
    "dates": DATES,
    "moments": MOMENTS,
    "nanoseconds": NANOSECONDS,
    "zoned": st.builds(
        datetime.datetime.astimezone, MOMENTS.map(lambda t: t.replace(tzinfo=ZONES[0])), st.sampled_from(ZONES)
    ),
}
ITEMS = [
    st.integers(0, 99),
    st.none() | st.integers(0, 99),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=2),
    st.lists(st.integers(0, 9), max_size=2),
    st.booleans(),
]
ODD = [
    *[True, 1, -1, 2**63, 2**70, 0.5, 2.0**60, "1", b"1", "\ud800", Decimal("1.5"), 1j],
    *[datetime.date(2024, 3, 1), datetime.datetime(2024, 3, 1), datetime.datetime(2024, 3, 1, tzinfo=ZONES[1])],
    *[datetime.time(1), datetime.timedelta(1), pd.Timestamp(2024, 3, 1, tz="UTC"), np.datetime64("2024-03-01")],
    *[(1,), [], [1], [[1]], {1}, {}, {"a": 1}, np.array([1]), np.array(["2024-03-01"], dtype="M8[D]"), object()],
]
MISSING = [None, float("nan"), pd.NA, pd.NaT]


def as_polars(columns):
    return pl.DataFrame([polars_series(name, cells) for name, cells in columns.items()])


def polars_series(name, cells):
    try:
        return pl.Series(name, [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells])
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return pl.Series(name, cells, dtype=pl.Object)


def as_arrow(columns):
    """Return a table, unless Arrow has no type for the cells of a column."""
    try:
        table = pa.table({name: pa.array(list(map(plain, cells)), from_pandas=True) for name, cells in columns.items()})
        table.to_pylist()  # not those of a time beyond the year 9999
        return table
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return reject()


def as_objects(columns):
    frame = {name: pd.Series(cells, dtype=object) for name, cells in columns.items()}
    return pd.DataFrame(frame).set_axis([7] * len(next(iter(columns.values()))))


def as_pandas(columns):
    try:
        return pd.DataFrame(columns)
    except UnicodeEncodeError:
        return reject()


KINDS = {"dict": dict, "objects": as_objects, "pandas": as_pandas, "polars": as_polars, "pyarrow": as_arrow}


def plain(cell):
    return cell.tolist() if isinstance(cell, np.ndarray | np.generic) and cell.dtype.kind not in "mM" else cell


def cells(column):
    """Return a column of any frame as a list."""
    if isinstance(column, pa.ChunkedArray):
        return column.to_pylist()
    return [cell.to_list() if isinstance(cell, pl.Series) else plain(cell) for cell in column]


def contents(frame):
    names = frame.column_names if isinstance(frame, pa.Table) else list(getattr(frame, "columns", frame))
    return {name: cells(frame[name]) for name in names}


def is_missing(cell):
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and cell != cell)


def comparable(cell, *, is_time):
    """Return the kind of a value, and what orders it among its kind; Python compares integers and floats exactly."""
    if isinstance(cell, datetime.datetime):
        zone = cell.tzinfo is not None
        return ("zoned" if zone else "moment"), pd.Timestamp(cell).as_unit("ns").value
    if isinstance(cell, datetime.date):
        return ("moment" if is_time else "date"), pd.Timestamp(cell).as_unit("ns").value
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        return type(cell), cell
    return "number", cell


def history_of_each_row(log, rows, max_length):
    """Compare each row with each event."""
    histories = []
    for user, now in zip(rows["user"], rows["day"], strict=True):
        earlier = [
            (comparable(time, is_time=True)[1], i)
            for i, (owner, time) in enumerate(zip(log["user"], log["day"], strict=True))
            if owner == user and comparable(time, is_time=True)[1] < comparable(now, is_time=True)[1]
        ]
        histories.append([log["item"][i] for _, i in sorted(earlier)][-max_length:])
    return histories


@st.composite
def calls(draw):
    """Draw a log, targets or None, and what is wrong with them: None, or a pattern of the message."""
    users, times = USERS[draw(st.sampled_from(sorted(USERS)))], TIMES[draw(st.sampled_from(sorted(TIMES)))]
    log = draw(columns({"user": users, "day": times, "item": draw(st.sampled_from(ITEMS))}))
    targets = draw(st.none() | columns({"day": times, "user": users}))
    wrong = draw(st.sampled_from([None] * 6 + [missing_cell, odd_cell, odd_cell, dropped_column, clashing_column]))
    return log, targets, None if wrong is None else wrong(draw, log, targets)


def frames(log, targets):
    return st.sampled_from([log] if targets is None else [log, targets])


def columns(strategies):
    rows = st.lists(st.tuples(*strategies.values()), max_size=8)
    return rows.map(lambda rows: {name: [row[i] for row in rows] for i, name in enumerate(strategies)})


def missing_cell(draw, log, targets):
    return replaced_cell(draw, log, targets, st.sampled_from(["user", "day"]), MISSING)


def odd_cell(draw, log, targets):
    return replaced_cell(draw, log, targets, st.sampled_from(["user", "day", "item"]), ODD)


def replaced_cell(draw, log, targets, names, values):
    frame, name = draw(frames(log, targets)), draw(names)
    if not frame.get(name):
        return None
    row = draw(st.integers(0, len(frame[name]) - 1))
    frame[name][row] = draw(st.sampled_from(values))
    if values is ODD:
        return f"'{name}'.*row [0-9]"
    role = "events" if frame is log else "targets"
    return f"Column '{name}' of {role} must not have missing values: row {row} has"


def dropped_column(draw, log, targets):
    frame = draw(frames(log, targets))
    name = draw(st.sampled_from(sorted(frame)))
    del frame[name]
    return f"no column '{name}' in "


def clashing_column(draw, log, targets):
    frame = log if targets is None else targets
    frame["hist_item"] = [0] * len(frame["day"])
    return "a column 'hist_item' in "


def check_call(kind, log, targets, wrong, max_length):
    """Assert what the loop gives, or an error of ours that names what is wrong; and inputs as they were."""
    events, rows = KINDS[kind](log), None if targets is None else KINDS[kind](targets)
    before = repr(list(map(contents, [events] if rows is None else [events, rows])))
    error, out = None, None
    try:
        out = build_histories(events, rows, user="user", time="day", behaviors=["item"], max_length=max_length)
    except (TypeError, ValueError) as raised:
        error = raised
    event("result" if error is None else "error")

    assert repr(list(map(contents, [events] if rows is None else [events, rows]))) == before
    if error is not None:
        assert wrong is not None, error
        assert type(error) in (TypeError, ValueError)
        # Other frames than these two may have made something else of the cell, or of the whole column.
        is_exact = kind in ("dict", "objects") or ".*" not in wrong
        assert re.search(wrong if is_exact else wrong.split(".*")[0], str(error))
        return
    assert wrong is None or ".*" in wrong
    read, asked = contents(events), contents(events if rows is None else rows)
    for name in ("user", "day"):
        values = [*read[name], *asked[name]]
        assert len({comparable(value, is_time=name == "day")[0] for value in values}) <= 1
    histories = contents(out).pop("hist_item")
    assert known(histories) == known(history_of_each_row(read, asked, max_length))
    assert repr({name: column for name, column in contents(out).items() if name != "hist_item"}) == repr(asked)


def known(value):
    """Return lists in place of arrays and tuples, and None for what is missing."""
    if isinstance(value, list | tuple | np.ndarray | pl.Series):
        return list(map(known, value))
    if is_missing(value):
        return None
    if isinstance(value, datetime.date | np.datetime64):
        time = pd.Timestamp(value)
        if time is pd.NaT:
            return None
        return time if time.tz is None else time.tz_convert(None)  # NumPy has no zones
    return value


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(call=calls(), max_length=st.sampled_from([1, 2, 100]))
def test_any_input_gives_the_histories_of_a_loop_or_an_error_with_the_column(kind, call, max_length):
    check_call(kind, *call, max_length)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=20_000,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(call=calls(), max_length=st.sampled_from([1, 2, 100]))
def test_random_input_gives_the_histories_of_a_loop_or_an_error_with_the_column(kind, call, max_length):
    check_call(kind, *call, max_length)


MORNING = datetime.datetime(2024, 3, 1, 8)


@pytest.mark.parametrize("kind", ["dict", "objects"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("user", [b"a", "a"]),
        ("user", [1.5, True]),
        ("user", [None, "a", 1]),
        ("day", [MORNING, MORNING.replace(tzinfo=datetime.UTC)]),
        ("day", [datetime.date(2024, 3, 1), MORNING]),
        ("day", [pd.Timestamp(MORNING), 5]),
        ("item", ["a", b"a"]),
    ],
)
def test_values_that_arrow_would_make_one_type_of_are_refused(kind, name, values):
    log = {"user": ["b"] * len(values), "day": [1] * len(values), "item": [1] * len(values)} | {name: values}
    first = next(row for row, value in enumerate(values) if value is not None)

    with pytest.raises(
        TypeError, match=rf"'{name}' of events must hold values of one type: row {first} has .* row {len(values) - 1}"
    ):
        build_histories(KINDS[kind](log), user="user", time="day", behaviors=["item"])


def histories(**columns):
    """Return the histories of two events of one user, on two days."""
    log = {"user": [1, 1], "day": [1, 2], "item": [10, 20]} | columns
    return known(build_histories(log, user="user", time="day", behaviors=["item"])["hist_item"])


def test_objects_of_polars_are_compared_by_value():
    users = [int("1000000"), int("1000000")]  # two objects
    frame = pl.DataFrame({"day": [1, 2], "item": [3, 4]}).with_columns(pl.Series("user", users, dtype=pl.Object))

    out = build_histories(frame, user="user", time="day", behaviors=["item"])

    assert users[0] is not users[1]
    assert known(contents(out)["hist_item"]) == [[], [3]]


@pytest.mark.parametrize("make", [list, lambda times: pd.Series(times, dtype=object)])
def test_timestamps_in_objects_keep_their_nanoseconds(make):
    assert histories(day=make([pd.Timestamp(1), pd.Timestamp(2)])) == [[], [10]]


@pytest.mark.parametrize(
    "users",
    [
        np.array([1, 1], dtype=np.float16),
        np.array(["a", "a"], dtype=np.dtypes.StringDType()),
        pa.array([b"0123456789abcdef"] * 2, pa.uuid()),
        pd.Series(pd.period_range("2024", periods=1).repeat(2)),
        pa.RunEndEncodedArray.from_arrays([2], ["a"]),
    ],
    ids=["float16", "StringDType", "uuid", "period", "runs"],
)
def test_users_of_rare_types_are_compared_by_value(users):
    assert histories(user=users) == [[], [10]]


def test_dates_in_milliseconds_may_hold_a_part_of_a_day():
    log = {"user": [1], "day": pa.array([86_400_001], pa.date64()), "item": [10]}
    rows = {"user": [1, 1], "day": pa.array([86_400_001, 86_400_002], pa.timestamp("ms"))}

    assert known(build_histories(log, rows, user="user", time="day", behaviors=["item"])["hist_item"]) == [[], [10]]


@pytest.mark.parametrize("name", ["user", "day"])
def test_what_a_mask_hides_is_missing(name):
    with pytest.raises(ValueError, match=f"'{name}' of events must not have missing values: row 1 has masked"):
        histories(**{name: np.ma.array([1, 1], mask=[False, True])})


@pytest.mark.parametrize(
    "users", [["a", "\ud800"], np.array(["a", "\ud800"]), pd.Series(["a", "\ud800"], dtype=object)]
)
def test_text_that_is_no_unicode_is_refused_with_column_and_row(users):
    with pytest.raises(
        ValueError, match=r"'user' of events cannot be read: row 1 has '\\ud800', which is no valid Unicode"
    ):
        histories(user=users)


def test_an_integer_of_more_than_64_bits_is_refused_with_its_row():
    with pytest.raises(TypeError, match=f"'user' of events must hold values of one type: row 1 has {2**70} "):
        histories(user=[1, 2**70])


@pytest.mark.parametrize(
    "items",
    [
        [np.array(["2024-03-01"], dtype="M8[D]"), np.array([1])],
        [[np.datetime64("2024-03-01")], [np.int8(1)]],
        [np.array([1], dtype="m8[s]"), np.array([1], dtype="m8[ns]")],
    ],
)
def test_lists_that_pyarrow_crashes_on_are_refused(items):
    with pytest.raises(TypeError, match="'item' of events must hold values of one type: row 0 has values of"):
        histories(item=items)


def test_sets_are_refused():
    with pytest.raises(TypeError, match=r"'item' of events must hold values of one type: row 1 has \{2\}, a set"):
        histories(item=[None, {2}])


def test_lists_and_arrays_may_stand_side_by_side():
    assert histories(item=[np.array([1, 2]), [3]]) == [[], [[1, 2]]]
    assert histories(item=[np.ma.array([1, 2], mask=[True, False]), None]) == [[], [[None, 2]]]


def test_times_beyond_the_calendar_of_python_are_shown():
    far = pa.array([2**60], pa.timestamp("s"))

    with pytest.raises(TypeError, match="'day' must be of one kind.*targets timestamp"):
        build_histories(
            {"user": [1], "day": [1], "item": [1]},
            {"user": [1], "day": far},
            user="user",
            time="day",
            behaviors=["item"],
        )


def test_times_that_do_not_compare_exactly_are_named():
    log, rows = {"user": [1, 1], "day": [1, 2**53 + 1], "item": [1, 2]}, {"user": [1], "day": [0.5]}

    with pytest.raises(ValueError, match=f"'day' does not compare exactly.* row 1 of events has {2**53 + 1}"):
        build_histories(log, rows, user="user", time="day", behaviors=["item"])


@pytest.mark.parametrize(
    ("column", "error", "match"),
    [
        ([1, 2, 3], ValueError, "columns of events must have the same length"),
        (3, TypeError, "Column 'other' of events must be a list or an array: it is a int"),
        ("ab", TypeError, "Column 'other' of events must be a list or an array: it is a str"),
        ({1, 2}, TypeError, "Column 'other' of events must be a list or an array: it is a set"),
        (np.array(3), TypeError, "Column 'other' of events must be a list or an array: it is a ndarray"),
    ],
)
def test_all_columns_of_a_dict_are_checked(column, error, match):
    with pytest.raises(error, match=match):
        histories(other=column)


def test_behaviors_without_dimension_are_refused():
    with pytest.raises(ValueError, match="behaviors must name at least one column"):
        build_histories({"user": [1], "day": [1], "item": [1]}, user="user", time="day", behaviors=np.array("item"))
