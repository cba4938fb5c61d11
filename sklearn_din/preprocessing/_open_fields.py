"""Behavior-only fields, of which only all rows together tell whether their values are ids or numbers."""

from collections.abc import Mapping
from typing import Any

from sklearn_din.preprocessing._column_kinds import ColumnKind
from sklearn_din.preprocessing._items import numbers_of
from sklearn_din.preprocessing._moments import Moments
from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.preprocessing._value_counts import Known, ValueCounts


class OpenField:
    """What is known of a behavior-only field: numbers once there are floats and nothing but numbers, else ids.

    Integers are both counted and averaged, as floats may come.

    Parameters
    ----------
    name : str
        The column.

    Attributes
    ----------
    kind : ColumnKind
        Its types so far.
    counts : ValueCounts
        Of the values, as long as they may be ids.
    moments : Moments
        Of the values, as long as they may be numbers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind = ColumnKind()
        self.counts = ValueCounts()
        self.moments = Moments()

    @property
    def is_numeric(self) -> bool:
        """Whether the values so far are numbers."""
        return self.kind.is_float

    def add(self, rows: RawRows) -> None:
        """Add the values of rows.

        Parameters
        ----------
        rows : RawRows
            Of the chunk.

        Raises
        ------
        TypeError
            If numbers of which the values have not been counted turn out to be ids.
        ValueError
            If a value can be neither.
        """
        lists = rows.lists[self.name]
        self._become(self.kind | ColumnKind.of(rows.frame[self.name]))  # before it is cut to length
        if self.kind.is_number:
            self.moments += Moments.of(numbers_of(lists))
        if not self.is_numeric:
            self.counts.add([rows.items(self.name)])

    def merge(self, other: "OpenField") -> None:
        """Add what is known of other rows.

        Parameters
        ----------
        other : OpenField
            Of the same column; it stays as it is.

        Raises
        ------
        TypeError
            If numbers of which the values have not been counted turn out to be ids.
        """
        other = other.copy()
        kind = self.kind | other.kind
        for each in (self, other):
            each._become(kind)
        self.moments += other.moments
        self.counts.merge(other.counts)

    def copy(self) -> "OpenField":
        """Return a field to go on with, which leaves this one as it is."""
        copied = OpenField(self.name)
        copied.kind, copied.counts, copied.moments = self.kind, self.counts.copy(), self.moments
        return copied

    def to_state(self, known: Known) -> dict[str, Any]:
        """Return what is known as plain values and arrays; ``known`` as in ``ValueCounts.to_state``."""
        return {
            "types": sorted(self.kind.types),
            "counts": self.counts.to_state(known),
            "moments": self.moments.to_state(),
        }

    @classmethod
    def from_state(cls, name: str, state: Mapping[str, Any], known: Known) -> "OpenField":
        """Return the field that ``to_state`` described."""
        field = cls(name)
        field.kind = ColumnKind(is_list=True, types=frozenset(state["types"]))
        field.counts = ValueCounts.from_state(state["counts"], known)
        field.moments = Moments.from_state(state["moments"])
        return field

    def _become(self, kind: ColumnKind) -> None:
        if kind.is_float:
            self.counts = ValueCounts()
        elif self.is_numeric and self.moments.n:
            types = ColumnKind(types=kind.types).words
            msg = (
                f"Column {self.name!r} holds {types} in all rows together, which are ids, and in some of them "
                "floats only, which were taken for numbers. Convert the column to floats, or to ids of one type."
            )
            raise TypeError(msg)
        if not kind.is_number:
            self.moments = Moments()
        self.kind = kind
