"""From rows of what users took to rows with a label: each followed by items that its user does not have."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from sklearn_din.preprocessing._event_codes import codes_of, places_in
from sklearn_din.preprocessing._event_frames import check_new, column_names, read_columns
from sklearn_din.preprocessing._frame_edits import take_rows, with_columns
from sklearn_din.utils._pieces import shown
from sklearn_din.utils._ragged import offsets_of

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

_LABEL = "label"
_CONSTRAINTS: dict[str, list[Any]] = {
    "user": [str],
    "item": [str],
    "n_negatives": [Interval(Integral, 1, None, closed="left")],
    "strategy": [StrOptions({"uniform", "popularity"})],
    "random_state": ["random_state"],
}


def sample_negatives(
    positives: Any,
    *,
    user: str,
    item: str,
    items: Any,
    n_negatives: int = 1,
    strategy: Literal["uniform", "popularity"] = "uniform",
    exclude: Any = None,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Follow each row by rows with other items in place of its own, drawn among those that its user does not have.

    Parameters
    ----------
    positives : frame
        One row for each item that a user took, with the columns ``user``, ``item`` and any others, histories among
        them: pandas, polars, pyarrow ``Table`` or a dict of columns.
    user : str
        The column of the user: integers of any width, strings, or other values of one type.
    item : str
        The column of the item, of the same types.
    items : frame
        The catalogue, each item once: the column ``item``, and columns that describe it; any of the kinds above.
    n_negatives : int, default=1
        How many follow each positive, from 1 up.
    strategy : {"uniform", "popularity"}, default="uniform"
        Whether the items that a user does not have are drawn equally often, or in proportion to the number of rows of
        ``positives`` that they are in; those in none are then never drawn.
    exclude : frame, default=None
        More that users have, with the columns ``user`` and ``item``, for example the whole log; any of the kinds
        above. Items that are not in ``items``, and users that are not in ``positives``, do not matter.
    random_state : int, RandomState instance or None, default=None
        Determines the draws; an int gives the same in every call and for every kind of frame. None draws fresh entropy
        and leaves NumPy's global generator alone.

    Returns
    -------
    frame
        Each positive, then its negatives, in the order of ``positives`` and of the same kind, with a column ``label``
        of 1 and 0 in the end. Columns that ``items`` has too hold the values of the drawn item in negatives, in the
        type of ``positives``; all others repeat those of the positive. In pandas a negative has the index label of its
        positive.

    Raises
    ------
    ValueError
        If a user has every item that may be drawn, an item of ``positives`` is not in ``items`` or one is there twice,
        a column is not there, ``label`` already is, a user or an item is missing, there are no rows, the columns of a
        dict differ in length, or a parameter is out of range.
    TypeError
        If columns of the same name are of different kinds, a column mixes types, or an argument is no frame.

    See Also
    --------
    build_histories : List columns from an event log, for positives before or for all rows after.

    Notes
    -----
    Draws are independent: a row may get the same negative twice. Each is exact, whatever share of the items a user
    has: the items are laid on a line, each as long as its weight, the user's own are cut out, and a point of what is
    left is drawn. The work is that of sorting the pairs of user and item, without a loop over rows.

    Items that are often taken are seldom among uniform negatives, so that a model may score well by popularity alone;
    with ``"popularity"`` interest has to tell. An ``exclude`` of the whole log keeps out what users take later, which
    one knows in an evaluation and not in use. Where items are taken again, it even gives the answer away: a candidate
    that is in the history is then never a negative.

    A column of ``positives`` may differ from ``items`` for the same item, such as a price of that day: it then tells
    positives from negatives. Drop it, or give it one value per item. The inputs are not changed.

    Examples
    --------
    >>> from sklearn_din.preprocessing import sample_negatives
    >>> bought = {"user": [7, 8], "item": ["tea", "rice"], "day": [1, 3]}
    >>> rows = sample_negatives(bought, user="user", item="item", items={"item": ["tea", "rice"]}, random_state=0)
    >>> rows["item"], rows["day"], rows["label"].tolist()
    (['tea', 'rice', 'rice', 'tea'], [1, 1, 3, 3], [1, 0, 1, 0])
    """
    given = {"user": user, "item": item, "n_negatives": n_negatives, "strategy": strategy, "random_state": random_state}
    _check_parameters(given)
    shared = _shared_columns(positives, items, user, item)
    log = read_columns(positives, "positives", [user, item], shared)
    catalogue = read_columns(items, "items", [item], shared)
    check_new(positives, "positives", [_LABEL], "Drop or rename it.")
    _check_rows({"positives": log[user], "items": catalogue[item]})
    held = {"positives": log}
    if exclude is not None:
        held["exclude"] = read_columns(exclude, "exclude", [user, item])

    users = codes_of({role: columns[user] for role, columns in held.items()}, user, "user")
    owned = _positions_in(catalogue[item], {role: columns[item] for role, columns in held.items()}, item)
    n_users, n_items = 1 + int(users[0].max()), len(catalogue[item])
    pairs = _distinct_pairs(np.concatenate(users), np.concatenate(owned), n_users, n_items)
    is_uniform = strategy == "uniform"
    weights = np.ones(n_items, dtype=np.int64) if is_uniform else np.bincount(owned[0], minlength=n_items)
    left = _weight_left(pairs, weights, n_users)
    _check_left(left[users[0]], log[user], user, "of items" if is_uniform else "that occurs in positives")
    drawn = _draw(_generator(random_state), users[0], pairs, weights, left, n_negatives)

    n_samples = len(users[0])
    rows = np.repeat(np.arange(n_samples), 1 + n_negatives)
    where = np.column_stack([np.arange(n_samples), n_samples + drawn]).ravel()  # first positives, behind them items
    columns = {name: _join(log[name], catalogue[name], name).take(pa.array(where)) for name in [item, *shared]}
    label = pa.array((where < n_samples).astype(np.int64))
    return with_columns(take_rows(positives, "positives", rows), columns | {_LABEL: label})


def _check_parameters(given: dict[str, Any]) -> None:
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name="sample_negatives")
    if given["user"] == given["item"]:
        msg = f"user and item must be two columns: both are {given['user']!r}. Name the column of each."
        raise ValueError(msg)


def _shared_columns(positives: Any, items: Any, user: str, item: str) -> list[str]:
    """Return the columns of positives that describe the item."""
    described = column_names(items, "items")
    if user in described:
        msg = (
            f"Column {user!r} is the user of a row, and items has a column {user!r} too: which one a negative gets is "
            "not clear. Drop or rename that of items."
        )
        raise ValueError(msg)
    shared: list[Any] = [name for name in column_names(positives, "positives") if name in described and name != item]
    for name in shared:
        if not isinstance(name, str):
            msg = (
                f"Names of columns must be strings: positives and items both have {name!r}, which is of type "
                f"{type(name).__name__}. Rename it."
            )
            raise TypeError(msg)
    return shared


def _check_rows(columns: Mapping[str, Any]) -> None:
    for role, column in columns.items():
        if len(column) == 0:
            msg = f"{role} must have rows: it has none. Give at least one, and look at what filtered them."
            raise ValueError(msg)


def _positions_in(catalogue: Any, columns: dict[str, Any], name: str) -> list[NDArray[np.int64]]:
    """Return the row of the catalogue that each item is in; beyond its end for those of ``exclude`` in none."""
    order, *positions = codes_of({"items": catalogue} | columns, name, "item")
    first = np.arange(len(order))
    if not np.array_equal(order, first):
        row = int(np.argmax(order != first))
        earlier = int(np.argmax(order == order[row]))
        msg = (
            f"Column {name!r} of items must have each item once: rows {earlier} and {row} both have "
            f"{shown(catalogue[row])}. Drop one of them."
        )
        raise ValueError(msg)
    is_absent = positions[0] >= len(order)
    if is_absent.any():
        row = int(np.argmax(is_absent))
        msg = (
            f"Column {name!r} of positives must hold items that are in items: row {row} has "
            f"{shown(columns['positives'][row])}, which is not. Add it to items, or leave the row out."
        )
        raise ValueError(msg)
    return positions


def _distinct_pairs(users: NDArray[np.int64], items: NDArray[np.int64], n_users: int, n_items: int) -> _Pairs:
    """Return pairs of user and item in order, each once; those of users or items beyond the numbers are left out."""
    is_known = (users < n_users) & (items < n_items)
    keys = np.sort(users[is_known] * n_items + items[is_known])
    user, item = np.divmod(keys[np.append(True, keys[1:] != keys[:-1])], n_items)
    return user, item


def _weight_left(pairs: _Pairs, weights: NDArray[np.int64], n_users: int) -> NDArray[np.int64]:
    """Return the weight of the items that each user does not have, shape (n_users,)."""
    owner, owned = pairs
    left: NDArray[np.int64] = weights.sum() - np.bincount(owner, weights[owned], minlength=n_users).astype(np.int64)
    return left


def _check_left(left: NDArray[np.int64], users: Any, name: str, what: str) -> None:
    if not left.all():
        row = int(np.argmin(left))
        msg = (
            f"User {shown(users[row])} of column {name!r} (row {row} of positives) has every item {what}: "
            "there is no negative to draw. Leave the rows of this user out, or give more items."
        )
        raise ValueError(msg)


def _generator(random_state: int | np.random.RandomState | None) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(np.iinfo(np.int32).max))
    return np.random.default_rng(random_state)


def _draw(
    rng: np.random.Generator,
    users: NDArray[np.int64],
    pairs: _Pairs,
    weights: NDArray[np.int64],
    left: NDArray[np.int64],
    n_negatives: int,
) -> NDArray[np.int64]:
    """Draw items that users do not have, each with a probability in proportion to its weight.

    Imagine the items on a line, each as long as its weight. What a user has is cut out, and the rest moved together to
    a line of length ``left``: a point on it, moved back by the cuts before it, lies in an item that was not cut out.

    Parameters
    ----------
    rng : numpy.random.Generator
        Gives the points.
    users : ndarray of shape (n_samples,), int64
        Who the draws are for.
    pairs : tuple of two ndarrays of shape (n_pairs,), int64
        Users in order, and the items of each in order: what they have.
    weights : ndarray of shape (n_items,), int64
        Not negative.
    left : ndarray of shape (n_users,), int64
        Sum of the weights of what a user does not have; positive for ``users``.
    n_negatives : int
        Draws for each of ``users``.

    Returns
    -------
    ndarray of shape (n_samples, n_negatives), int64
        Positions in ``weights``.
    """
    owner, owned = pairs
    begin = offsets_of(weights)  # (n_items + 1,): of each item on the whole line, and its end
    cut = offsets_of(weights[owned])  # (n_pairs + 1,): what the pairs before one take away, those of all users
    cut_before = cut[np.searchsorted(owner, np.arange(len(left)))]  # (n_users,): what other users' pairs take away
    place = begin[owned] - cut[:-1] + cut_before[owner]  # (n_pairs,): of each cut on the line of its user
    stride = begin[-1] + 1  # user and place in one number, in order as the pairs are
    point = rng.integers(left[users][:, None], size=(len(users), n_negatives))
    n_before = places_in(owner * stride + place, users[:, None] * stride + point, side="right")
    point += cut[n_before] - cut_before[users][:, None]
    return np.repeat(np.arange(len(weights)), weights)[point]


def _join(own: Any, other: Any, name: str) -> Any:
    """Return the values of a column of positives and behind them those of items, in the type of positives."""
    is_empty = pa.types.is_null(own.type)
    kind = other.type if is_empty else own.type
    if not is_empty and not pa.types.is_null(other.type) and _family(own.type) != _family(other.type):
        msg = (
            f"Column {name!r} must be of one kind in positives and items: positives {own.type} (row 0: "
            f"{shown(own[0])}), items {other.type} (row 0: {shown(other[0])}). Convert one of them."
        )
        raise TypeError(msg)
    try:
        return pa.concat_arrays([own.cast(kind), other.cast(kind)])
    except pa.ArrowException as error:
        msg = (
            f"Column {name!r} of items does not fit the type that positives has, {kind}: {error}. "
            "Give both the same type."
        )
        raise ValueError(msg) from error


def _family(kind: Any) -> str:
    """Return what values of an Arrow type are; only those of one family are put into one column."""
    types = pa.types
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list of {_family(kind.value_type)}"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_date(kind) or (types.is_timestamp(kind) and kind.tz is None):
        return "time"
    return "time with a zone" if types.is_timestamp(kind) else str(kind)
