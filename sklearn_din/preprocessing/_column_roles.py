"""Which column is what: behavior, candidate, category, number or bag."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from sklearn_din.preprocessing._behavior_features import Declared, declared_sequences
from sklearn_din.preprocessing._column_kinds import ColumnKind
from sklearn_din.utils._checks import check_columns_exist, check_is_list, check_is_scalar
from sklearn_din.utils._columns import Column
from sklearn_din.utils._frames import Frame
from sklearn_din.utils._pieces import shown

Selection = str | Sequence[str] | Callable[[Any], Iterable[str]]

ROLES = ("categorical_features", "numeric_features", "bag_features")  # and the parameters that name the columns


@dataclass(frozen=True)
class ColumnRoles:
    """Names of the columns by role.

    Attributes
    ----------
    sequences : tuple of tuple of (str, str or None)
        Fields and their candidate columns, as declared.
    categorical, numeric, bags : tuple of str
        In order of the frame; the candidate columns are categorical.
    """

    sequences: Declared
    categorical: tuple[str, ...]
    numeric: tuple[str, ...]
    bags: tuple[str, ...]

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "ColumnRoles":
        """Return the roles in a dict of the attributes.

        Parameters
        ----------
        state : mapping
            May be damaged, or forged; lists will do for tuples.

        Returns
        -------
        ColumnRoles
            Of columns whose names are strings.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state describes no roles.
        """
        sequences = tuple(
            tuple((_string(name), None if candidate is None else _string(candidate)) for name, candidate in sequence)
            for sequence in state["sequences"]
        )
        return cls(sequences, *(tuple(map(_string, state[role])) for role in ("categorical", "numeric", "bags")))

    @property
    def fields(self) -> dict[str, str | None]:
        """Candidate column of each field of each sequence."""
        return {name: candidate for sequence in self.sequences for name, candidate in sequence}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The list columns that have a candidate column, with it."""
        return [(name, candidate) for name, candidate in self.fields.items() if candidate is not None]


def assign_roles(
    X: Any,
    frame: Frame,
    *,
    behavior_features: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None,
    categorical_features: Selection,
    numeric_features: Selection,
    bag_features: Selection,
) -> ColumnRoles:
    """Give each column its role.

    Parameters
    ----------
    X : frame or array
        As the user gave it, for selectors.
    frame : Frame
        Its columns.
    behavior_features, categorical_features, numeric_features, bag_features
        As in ``BehaviorEncoder``.

    Returns
    -------
    ColumnRoles
        Of the columns that have one.

    Raises
    ------
    TypeError
        If a column holds lists where values are wanted, or the other way round.
    ValueError
        If a column is named that does not exist, has two roles, or none although a role is to be found for it.
    """
    selections = dict(zip(ROLES, (categorical_features, numeric_features, bag_features), strict=True))
    roles = named_roles(X, frame, behavior_features=behavior_features, selections=selections)
    check_shapes(frame, roles)
    automatic = automatic_roles(selections)
    if automatic:
        for name in frame.names:
            if name not in roles:
                roles[name] = _automatic_role(frame[name], automatic, is_named=frame.is_named)
    if not roles:
        msg = (
            f"No column has a role: X has {', '.join(map(repr, frame.names))}, and the parameters name none. "
            "Name columns, or leave a parameter at 'auto'."
        )
        raise ValueError(msg)
    by_role = {role: tuple(name for name in frame.names if roles.get(name) == role) for role in ROLES}
    return ColumnRoles(declared_sequences(behavior_features), *(by_role[role] for role in ROLES))


def named_roles(
    X: Any,
    frame: Frame,
    *,
    behavior_features: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None,
    selections: Mapping[str, Selection],
) -> dict[str, str]:
    """Return the roles that the parameters give, without those that types tell.

    Parameters
    ----------
    X : frame or array
        As the user gave it, for selectors.
    frame : Frame
        Its columns.
    behavior_features
        As in ``BehaviorEncoder``.
    selections : mapping of str to "auto", list of str or callable
        The other parameters that name columns.

    Returns
    -------
    dict of str to str
        Column to parameter; candidate columns have "categorical_features".

    Raises
    ------
    TypeError
        If ``behavior_features`` is the wrong way round.
    ValueError
        If a column is named that does not exist, or has two roles.
    """
    fields = {name: candidate for sequence in declared_sequences(behavior_features) for name, candidate in sequence}
    candidates = {candidate for candidate in fields.values() if candidate is not None}
    check_columns_exist([*fields, *sorted(candidates)], frame.names, "behavior_features")
    roles = dict.fromkeys(fields, "behavior_features") | dict.fromkeys(candidates, "categorical_features")
    for parameter, selection in selections.items():
        for name in _named(X, frame, parameter, selection, settled=set(roles) if callable(selection) else set()):
            if roles.setdefault(name, parameter) != parameter:
                _raise_two_roles(name, parameter, "behavior_features" if name in candidates else roles[name])
    _check_direction(frame, fields)
    return roles


def automatic_roles(selections: Mapping[str, Selection]) -> frozenset[str]:
    """Return the parameters that leave it to the types which columns they take."""
    return frozenset(parameter for parameter, selection in selections.items() if isinstance(selection, str))


def check_shapes(frame: Frame, roles: Mapping[str, str]) -> None:
    """Check that columns hold lists, or single values, as their roles say.

    Parameters
    ----------
    frame : Frame
        The columns.
    roles : mapping of str to str
        Column to parameter.

    Raises
    ------
    TypeError
        If one does not.
    """
    advice = {
        "categorical_features": "Name it in bag_features, or in behavior_features as a list column.",
        "numeric_features": (
            "Name it in behavior_features with None for a sequence of numbers, or reduce it to one number."
        ),
    }
    for name, role in roles.items():
        if role in advice:
            check_is_scalar(frame[name], "categorical" if role == "categorical_features" else "numeric", advice[role])
        else:
            check_is_list(frame[name])


def role_of_kind(kind: ColumnKind, *, is_named: bool) -> str | None:
    """Return the role of a column that no parameter names.

    Parameters
    ----------
    kind : ColumnKind
        Its types.
    is_named : bool
        Whether the names of the columns are the user's.

    Returns
    -------
    str or None
        One of ``ROLES``; None if the types do not tell.
    """
    if kind.is_list:
        return "bag_features"
    if kind.is_category:
        return "categorical_features"
    if kind.is_untyped:
        return None
    if kind.is_float:
        return "numeric_features"
    if kind.is_integer:
        # A name tells of a meaning that the type does not show: a user_id must not become a number in silence.
        return None if is_named else "numeric_features"
    return "categorical_features"


def _string(name: Any) -> str:
    if not isinstance(name, str):
        msg = f"Names of columns must be strings: got {shown(name)}."
        raise TypeError(msg)
    return name


def _named(X: Any, frame: Frame, parameter: str, selection: Selection, *, settled: set[str]) -> list[str]:
    """Return what a parameter names; a selector does not reach the columns that are ``settled``."""
    if isinstance(selection, str):
        return []
    names = [name for name in (selection(X) if callable(selection) else selection) if name not in settled]
    check_columns_exist(names, frame.names, parameter)
    return names


def _raise_two_roles(name: str, parameter: str, other: str) -> NoReturn:
    msg = f"Column {name!r} is named in {parameter} and in {other}. A column has one role: remove it from one of them."
    raise ValueError(msg)


def _automatic_role(column: Column, automatic: frozenset[str], *, is_named: bool) -> str:
    kind = ColumnKind.of(column)
    role = role_of_kind(kind, is_named=is_named)
    if role in automatic:
        return role
    row, value = column.first_value()
    if kind.is_integer and not kind.is_list:
        advice = "Name it in categorical_features if its values are ids or codes, or in numeric_features."
    elif kind.is_untyped:
        advice = "Name it in categorical_features, numeric_features or bag_features, or drop it."
    else:
        advice = "Name it in one of them, or give all three as lists to leave columns out."
    msg = (
        f"Column {column.name!r} has no role: it holds {kind.words} (row {row} has {shown(value)}), and neither "
        f"{', '.join(ROLES[:2])} nor {ROLES[2]} names it. {advice}"
    )
    raise ValueError(msg)


def _check_direction(frame: Frame, fields: Mapping[str, str | None]) -> None:
    for name, candidate in fields.items():
        if candidate is not None and frame[candidate].is_list and not frame[name].is_list:
            msg = (
                f"behavior_features maps list columns to candidate columns: it has {{{name!r}: {candidate!r}}}, where "
                f"{candidate!r} is the one with lists. Turn it round: {{{candidate!r}: {name!r}}}."
            )
            raise TypeError(msg)
