"""What the chunks of one set of rows have in common: the names, roles and types of their columns."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_din.preprocessing._behavior_features import declared_sequences
from sklearn_din.preprocessing._column_kinds import ColumnKind
from sklearn_din.preprocessing._column_roles import (
    ROLES,
    ColumnRoles,
    assign_roles,
    automatic_roles,
    check_shapes,
    named_roles,
    role_of_kind,
)
from sklearn_din.utils._frames import Frame
from sklearn_din.utils._pieces import shown


@dataclass(frozen=True)
class ChunkColumns:
    """Columns as the first chunk has them.

    Attributes
    ----------
    names : tuple of str
        All of them.
    frame_kind : str
        What they came in, see ``Frame``.
    is_named : bool
        Whether the names are the user's.
    max_length : int
        How many values of a list count.
    roles : ColumnRoles
        What the columns are.
    named : dict of str to str
        The roles that the parameters gave; column to parameter.
    automatic : frozenset of str
        The parameters that left it to the types.
    kinds : dict of str to ColumnKind
        Of the columns whose types told their roles, over all chunks.
    """

    names: tuple[str, ...]
    frame_kind: str
    is_named: bool
    max_length: int
    roles: ColumnRoles
    named: Mapping[str, str]
    automatic: frozenset[str]
    kinds: Mapping[str, ColumnKind]

    @classmethod
    def of(cls, X: Any, frame: Frame, encoder: BaseEstimator) -> "ChunkColumns":
        """Give the columns of a first chunk their roles.

        Parameters
        ----------
        X : frame or array
            The chunk, for selectors.
        frame : Frame
            Its columns.
        encoder : BehaviorEncoder
            Its parameters say what the columns are.

        Returns
        -------
        ChunkColumns
            For later chunks.

        Raises
        ------
        TypeError, ValueError
            See ``assign_roles``.
        """
        selections = {name: getattr(encoder, name) for name in ROLES}
        roles = assign_roles(X, frame, behavior_features=encoder.behavior_features, **selections)
        named = named_roles(X, frame, behavior_features=encoder.behavior_features, selections=selections)
        guessed = [name for name in (*roles.categorical, *roles.numeric, *roles.bags) if name not in named]
        return cls(
            names=tuple(frame.names),
            frame_kind=frame.kind,
            is_named=frame.is_named,
            max_length=int(encoder.max_length),
            roles=roles,
            named=named,
            automatic=automatic_roles(selections),
            kinds={name: ColumnKind.of(frame[name]) for name in guessed},
        )

    def of_next(self, X: Any, frame: Frame, encoder: BaseEstimator) -> "ChunkColumns":
        """Check a later chunk.

        Parameters
        ----------
        X : frame or array
            The chunk, for selectors.
        frame : Frame
            Its columns, under the names of the first chunk.
        encoder : BehaviorEncoder
            Its parameters say what the columns are.

        Returns
        -------
        ChunkColumns
            With the types of this chunk.

        Raises
        ------
        TypeError
            If a column holds lists where it must not, or no lists where it must.
        ValueError
            If the parameters, or the types of all chunks together, would give a column another role.
        """
        self._check_parameters(encoder)
        selections = {name: getattr(encoder, name) for name in ROLES}
        named = named_roles(X, frame, behavior_features=encoder.behavior_features, selections=selections)
        has_selector = any(map(callable, selections.values()))
        for name in frame.names:
            is_hidden = has_selector and frame[name].is_untyped  # a selector by type does not find such a column
            if named.get(name) != self.named.get(name) and not is_hidden:
                _raise_other_choice(name, self.named.get(name), named.get(name))
        check_shapes(frame, dict(self.named))
        kinds = {}
        for name, kind in self.kinds.items():
            kinds[name] = kind | ColumnKind.of(frame[name])
            self._check_kind(frame, name, kinds[name])
        return replace(self, kinds=kinds)

    def merged(self, other: "ChunkColumns") -> "ChunkColumns":
        """Return the columns of the chunks of both.

        Parameters
        ----------
        other : ChunkColumns
            Of other chunks, perhaps of another process.

        Returns
        -------
        ChunkColumns
            With the types of both.

        Raises
        ------
        ValueError
            If they differ in names, roles or parameters.
        """
        for name in ("names", "max_length", "roles", "automatic", "named"):
            mine, others = getattr(self, name), getattr(other, name)
            if mine != others:
                msg = (
                    f"Chunks of different columns can't be merged: their {name} are {shown(mine)} and {shown(others)}. "
                    "Give all processes the same columns and parameters, and name columns in lists."
                )
                raise ValueError(msg)
        # Types that give the same role apart give it together.
        return replace(self, kinds={name: kind | other.kinds[name] for name, kind in self.kinds.items()})

    def _check_parameters(self, encoder: BaseEstimator) -> None:
        selections = {name: getattr(encoder, name) for name in ROLES}
        now = {
            "behavior_features": declared_sequences(encoder.behavior_features),
            "max_length": int(encoder.max_length),
            **{name: name in automatic_roles(selections) for name in ROLES},
        }
        before = {
            "behavior_features": self.roles.sequences,
            "max_length": self.max_length,
            **{name: name in self.automatic for name in ROLES},
        }
        for name, value in now.items():
            if value != before[name]:
                msg = (
                    f"{name} is not what it was for the rows before: now it is {shown(getattr(encoder, name))}. "
                    "Set it back, or call fit to start anew."
                )
                raise ValueError(msg)

    def _check_kind(self, frame: Frame, name: str, kind: ColumnKind) -> None:
        row, value = frame[name].first_value()
        self._check_role(name, kind, f"{kind.words} (row {row} of these rows has {shown(value)})")
        if frame.kind == "array":  # arrays, put together, become one of numbers where one of them holds numbers
            own = ColumnKind.of(frame[name])
            self._check_role(name, own, f"{own.words} (row {row} of these rows has {shown(value)})")

    def _check_role(self, name: str, kind: ColumnKind, words: str) -> None:
        role = next(role for role, names in self._by_role.items() if name in names)
        if role_of_kind(kind, is_named=self.is_named) != role:
            msg = (
                f"Column {name!r} cannot be one of the {role}, which the rows before made it: together with them it "
                f"holds {words}. Convert the column to one type, or name it in {ROLES[0]}, {ROLES[1]} or {ROLES[2]} "
                "from the first rows on."
            )
            raise ValueError(msg)

    @property
    def _by_role(self) -> dict[str, tuple[str, ...]]:
        return dict(zip(ROLES, (self.roles.categorical, self.roles.numeric, self.roles.bags), strict=True))


def _raise_other_choice(name: str, before: str | None, now: str | None) -> None:
    words = [f"one of the {role}" if role else "not named" for role in (before, now)]
    msg = (
        f"The parameters name other columns than for the rows before: column {name!r} was {words[0]}, and is "
        f"{words[1]} now. Name columns in lists that stay the same, or call fit to start anew."
    )
    raise ValueError(msg)
