"""From an event log to rows with histories: each row sees the earlier events of its user, and no others."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_din.preprocessing._event_codes import alike, codes_of, places_in
from sklearn_din.preprocessing._event_frames import check_lengths, check_new, read_columns
from sklearn_din.preprocessing._frame_edits import with_columns
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
    log = read_columns(events, "events", [user, time], behaviors)
    rows = log if targets is None else read_columns(targets, "targets", [user, time])
    frame, role = (events, "events") if targets is None else (targets, "targets")
    if isinstance(frame, Mapping):
        check_lengths(frame, role)
    check_new(frame, role, [prefix + name for name in behaviors], "Drop it, or choose another prefix.")

    users = codes_of({"events": log[user], "targets": rows[user]}, user, "user")
    times = _ranks(log[time], rows[time], time)
    n_times = 1 + max(int(part.max(initial=0)) for part in times)
    since = [part * n_times for part in users]  # user and time in one number, here of time 0
    order = np.argsort(since[0] + times[0], kind="stable")
    key = (since[0] + times[0])[order]
    stop = places_in(key, since[1] + times[1])  # before the first event that is not strictly earlier
    start = np.maximum(places_in(key, since[1]), stop - min(max_length, len(key)))

    chosen = pa.array(order[ranges(start, stop - start)])
    offsets = offsets_of(stop - start)
    lists = {prefix + name: _list_array(log[name].take(chosen), offsets) for name in behaviors}
    return with_columns(frame, lists)


def _check_parameters(given: dict[str, Any]) -> None:
    behaviors = given["behaviors"]
    if isinstance(behaviors, str):
        msg = f"behaviors must be a list of columns: got the string {behaviors!r}. Give [{behaviors!r}]."
        raise TypeError(msg)
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name="build_histories")
    if (
        getattr(behaviors, "ndim", 1) != 1
        or len(behaviors) == 0
        or not all(isinstance(name, str) for name in behaviors)
    ):
        msg = f"behaviors must name at least one column: got {behaviors!r}. Give a list such as ['item']."
        raise ValueError(msg)


def _ranks(log: Any, rows: Any, name: str) -> list[NDArray[np.int64]]:
    """Rank the times of both frames together, equal times alike: shapes (n_events,) and (n_samples,)."""
    log, rows = alike({"events": log, "targets": rows}, name, is_time=True)
    digits = [np.concatenate(pair) for pair in zip(_digits(log, name), _digits(rows, name), strict=True)]
    digits = digits if digits[1].any() else digits[:1]
    order = np.lexsort(digits[::-1])
    is_new = np.zeros(len(order), dtype=bool)
    for digit in digits:
        is_new[1:] |= digit[order][1:] != digit[order][:-1]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.cumsum(is_new)
    return [rank[: len(log)], rank[len(log) :]]


def _digits(column: Any, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return times as two numbers each, the greater digit first.

    A date or timestamp is the day and the nanoseconds within it: exact for every unit, as one number would not be.
    """
    types = pa.types
    kind = column.type
    second = np.zeros(len(column), dtype=np.int64)
    if types.is_integer(kind) or types.is_floating(kind):
        return column.to_numpy(), second
    if types.is_date32(kind):
        return column.cast(pa.int32()).to_numpy(), second
    if types.is_date64(kind) or types.is_timestamp(kind):
        unit = "ms" if types.is_date64(kind) else kind.unit
        day, rest = np.divmod(column.cast(pa.int64()).to_numpy(), _DAY[unit])
        return day, rest * (_DAY["ns"] // _DAY[unit])
    if len(column) == 0:
        return second, second
    msg = (
        f"Column {name!r} must hold numbers, dates or timestamps: row 0 has {shown(column[0])} ({kind}). "
        "Parse it first, for example with pandas.to_datetime."
    )
    raise TypeError(msg)


def _list_array(values: Any, offsets: NDArray[np.int64]) -> Any:
    if offsets[-1] < 2**31:
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)
