"""From an event log to rows with histories: each row sees the earlier events of its user, and no others."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_din.utils._arrow import arrow_array
from sklearn_din.utils._pieces import shown
from sklearn_din.utils._ragged import offsets_of, ranges

_CONSTRAINTS: dict[str, list[Any]] = {
    "user": [str],
    "time": [str],
    "behaviors": ["array-like"],
    "max_length": [Interval(Integral, 1, None, closed="left")],
    "prefix": [str],
}
_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def build_histories(
    events: Any,
    targets: Any = None,
    *,
    user: str,
    time: str,
    behaviors: Sequence[str],
    max_length: int = 50,
    prefix: str = "hist_",
) -> Any:
    """Give each row the events of its user that are strictly earlier than the row, as list columns.

    Parameters
    ----------
    events : frame
        The log, one row per event, in any order: pandas, polars, pyarrow ``Table`` or a dict of columns.
    targets : frame, default=None
        The rows that want histories, with the columns ``user`` and ``time``; any of the kinds above. None takes the
        events themselves: each then sees those before it.
    user : str
        The column of the user: integers of any width, strings, or other values of one type.
    time : str
        The column of the time: integers, floats, dates or timestamps, of any unit. Numbers compare with numbers,
        dates with timestamps without a time zone, timestamps with a time zone with each other.
    behaviors : list of str
        Columns of ``events`` that describe an event. Categoricals become their values.
    max_length : int, default=50
        The newest events kept per row, from 1 up.
    prefix : str, default="hist_"
        What the name of a list column begins with.

    Returns
    -------
    frame
        ``targets`` with a list column for each of ``behaviors``, oldest event first: of the same kind, with the same
        rows, order and index. In pandas and in a dict a list is a NumPy array, in polars and pyarrow a list. A user
        without earlier events has an empty list.

    Raises
    ------
    ValueError
        If a column is not there, a list column already is, a user or time is missing, the columns of a dict differ
        in length, or a parameter is out of range.
    TypeError
        If users or times of the two frames are of different kinds, a column mixes types, or an argument is no frame.

    Notes
    -----
    Events at the time of a row are not earlier: rows with the same time never see each other, so that a basket does
    not tell one of its items by the others. Where the order within a day is unknown, the day is the time. Events of
    one user at the same time keep the order of the log among themselves. A missing behavior stays in its place;
    integers among which one is missing become floats in pandas and dicts. The inputs are not changed.

    The work is that of sorting the events and writing the lists, without a loop over either.

    Examples
    --------
    >>> from sklearn_din.preprocessing import build_histories
    >>> log = {"user": [7, 7, 7, 8], "day": [1, 2, 2, 1], "item": [10, 11, 12, 13]}
    >>> rows = build_histories(log, user="user", time="day", behaviors=["item"])
    >>> [history.tolist() for history in rows["hist_item"]]
    [[], [10], [10], []]
    """
    given = {"user": user, "time": time, "behaviors": behaviors, "max_length": max_length, "prefix": prefix}
    _check_parameters(given)
    log = _read(events, "events", [user, time, *behaviors])
    rows = log if targets is None else _read(targets, "targets", [user, time])
    frame = events if targets is None else targets
    _check_new(frame, "events" if targets is None else "targets", [prefix + name for name in behaviors])

    users, times = _codes(log[user], rows[user], user), _ranks(log[time], rows[time], time)
    n_times = 1 + max(int(part.max(initial=0)) for part in times)
    since = [part * n_times for part in users]  # user and time in one number, here of time 0
    order = np.argsort(since[0] + times[0], kind="stable")
    key = (since[0] + times[0])[order]
    stop = np.searchsorted(key, since[1] + times[1])  # before the first event that is not strictly earlier
    start = np.maximum(np.searchsorted(key, since[1]), stop - min(max_length, len(key)))

    chosen = pa.array(order[ranges(start, stop - start)])
    offsets = offsets_of(stop - start)
    lists = {prefix + name: _list_array(log[name].take(chosen), offsets) for name in behaviors}
    return _with_columns(frame, lists)


def _check_parameters(given: dict[str, Any]) -> None:
    behaviors = given["behaviors"]
    if isinstance(behaviors, str):
        msg = f"behaviors must be a list of columns: got the string {behaviors!r}. Give [{behaviors!r}]."
        raise TypeError(msg)
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name="build_histories")
    if len(behaviors) == 0 or not all(isinstance(name, str) for name in behaviors):
        msg = f"behaviors must name at least one column: got {behaviors!r}. Give a list such as ['item']."
        raise ValueError(msg)


def _read(frame: Any, role: str, names: list[str]) -> dict[str, Any]:
    """Return the named columns as Arrow arrays of equal length; users and times, which come first, are there."""
    available = _column_names(frame, role)
    absent = [name for name in names if name not in available]
    if absent:
        msg = f"There is no column {absent[0]!r} in {role}: the columns are {available}. Name one of these."
        raise ValueError(msg)
    table = frame if isinstance(frame, Mapping) else nw.from_native(frame, eager_only=True)
    columns = {name: _arrow(table[name], role, name) for name in names}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"The columns of {role} must have the same length: they have {lengths}. Give one value per row."
        raise ValueError(msg)
    for name in names[:2]:
        _check_present(table[name], columns[name], role, name)
    return columns


def _column_names(frame: Any, role: str) -> list[str]:
    if isinstance(frame, Mapping):
        return list(frame)
    table = nw.from_native(frame, eager_only=True, pass_through=True)
    if not isinstance(table, nw.DataFrame):
        msg = (
            f"{role} must be a pandas or polars DataFrame, a pyarrow Table or a dict of columns: "
            f"got {type(frame).__name__}. Collect or convert it first."
        )
        raise TypeError(msg)
    return table.columns


def _arrow(values: Any, role: str, name: str) -> Any:
    """Return a column as one Arrow array: categoricals decoded, texts with 64-bit offsets."""
    try:
        column = arrow_array(values)
    except (pa.ArrowException, OverflowError) as error:
        msg = f"Column {name!r} of {role} must hold values of one type: {error}. Convert it, for example to strings."
        raise TypeError(msg) from error
    if pa.types.is_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())  # many copies of a text exceed 32-bit offsets
    return column


def _check_present(values: Any, column: Any, role: str, name: str) -> None:
    is_missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    if is_missing.any():
        row = int(np.argmax(is_missing))
        series = nw.from_native(values, series_only=True, pass_through=True)
        value = series.item(row) if isinstance(series, nw.Series) else series[row]
        msg = (
            f"Column {name!r} of {role} must not have missing values: row {row} has {shown(value)}. "
            "Leave such rows out before building histories."
        )
        raise ValueError(msg)


def _check_new(frame: Any, role: str, names: list[str]) -> None:
    available = _column_names(frame, role)
    for name in names:
        if name in available:
            msg = f"There is a column {name!r} in {role} already. Drop it, or choose another prefix."
            raise ValueError(msg)


def _codes(log: Any, rows: Any, name: str) -> list[NDArray[np.int64]]:
    """Give equal users of both frames equal numbers from 0 up: shapes (n_events,) and (n_samples,)."""
    log, rows = _alike(log, rows, name, is_time=False)
    users = pa.concat_arrays([log, rows])
    if pa.types.is_nested(users.type):
        msg = f"Column {name!r} must hold one user per row: it holds {users.type}. Split it into columns."
        raise TypeError(msg)
    if pa.types.is_floating(users.type):
        users = pc.add(users, 0.0)  # -0.0 is the same user as 0.0
    codes = users.dictionary_encode().indices.to_numpy().astype(np.int64)
    return [codes[: len(log)], codes[len(log) :]]


def _ranks(log: Any, rows: Any, name: str) -> list[NDArray[np.int64]]:
    """Rank the times of both frames together, equal times alike: shapes (n_events,) and (n_samples,)."""
    log, rows = _alike(log, rows, name, is_time=True)
    digits = [np.concatenate(pair) for pair in zip(_digits(log, name), _digits(rows, name), strict=True)]
    order = np.lexsort(digits[::-1])
    is_new = np.zeros(len(order), dtype=bool)
    for digit in digits:
        is_new[1:] |= digit[order][1:] != digit[order][:-1]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.cumsum(is_new)
    return [rank[: len(log)], rank[len(log) :]]


def _alike(log: Any, rows: Any, name: str, *, is_time: bool) -> tuple[Any, Any]:
    """Return both columns in types whose values compare exactly; a column without values takes the other's type."""
    log = log if len(log) else pa.nulls(0, rows.type)
    rows = rows if len(rows) else pa.nulls(0, log.type)
    types = pa.types
    kinds = (log.type, rows.type)
    if log.type == rows.type or (is_time and _is_naive(log.type) and _is_naive(rows.type)):
        return log, rows
    if is_time and all(map(types.is_timestamp, kinds)) and all(kind.tz for kind in kinds):
        return log, rows
    if all(map(types.is_integer, kinds)):
        common = pa.decimal128(20) if pa.uint64() in kinds and not is_time else pa.int64()
    elif all(types.is_floating(kind) or (is_time and types.is_integer(kind)) for kind in kinds):
        common = pa.float64()
    else:
        msg = (
            f"Column {name!r} must be of one kind in events and targets: events have {log.type} (row 0: "
            f"{shown(log[0].as_py())}), targets {rows.type} (row 0: {shown(rows[0].as_py())}). Convert one of them."
        )
        raise TypeError(msg)
    try:
        return log.cast(common), rows.cast(common)
    except pa.ArrowInvalid as error:
        msg = f"Column {name!r} does not compare exactly between events and targets: {error}. Give both the same type."
        raise ValueError(msg) from error


def _is_naive(kind: Any) -> bool:
    return bool(pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None))


def _digits(column: Any, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return times as two numbers each, the greater digit first.

    A date or timestamp is the day and the nanoseconds within it: exact for every unit, as one number would not be.
    """
    types = pa.types
    kind = column.type
    second = np.zeros(len(column), dtype=np.int64)
    if types.is_integer(kind) or types.is_floating(kind):
        return column.to_numpy(), second
    if types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.int32()).to_numpy(), second
    if types.is_timestamp(kind):
        day, rest = np.divmod(column.cast(pa.int64()).to_numpy(), _DAY[kind.unit])
        return day, rest * (_DAY["ns"] // _DAY[kind.unit])
    if len(column) == 0:
        return second, second
    msg = (
        f"Column {name!r} must hold numbers, dates or timestamps: row 0 has {shown(column[0].as_py())} ({kind}). "
        "Parse it first, for example with pandas.to_datetime."
    )
    raise TypeError(msg)


def _list_array(values: Any, offsets: NDArray[np.int64]) -> Any:
    if offsets[-1] < 2**31:
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)


def _with_columns(frame: Any, lists: dict[str, Any]) -> Any:
    if isinstance(frame, Mapping):
        return dict(frame) | {name: column.to_numpy(zero_copy_only=False) for name, column in lists.items()}
    table = nw.from_native(frame, eager_only=True)
    if table.implementation.is_pandas_like():
        return frame.assign(**{name: column.to_numpy(zero_copy_only=False) for name, column in lists.items()})
    if table.implementation.is_pyarrow():
        for name, column in lists.items():
            frame = frame.append_column(name, column)
        return frame
    added = nw.from_arrow(pa.table(lists), backend=table.implementation)
    return nw.concat([table, added], how="horizontal").to_native()
