"""How many rows hold each value of the columns of one vocabulary, in rows that come in chunks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.preprocessing._items import FAMILIES, Items
from sklearn_din.preprocessing._numbering import count_values
from sklearn_din.preprocessing._value_arrays import arrays_of, values_of

Counted = tuple[pa.Array, NDArray[np.int64]]  # values, each once, and the rows that hold each
Known = Mapping[str, tuple[pa.Array, NDArray[np.int32]]]  # values and ids of a vocabulary


class ValueCounts:
    """Rows that hold each value; those that a vocabulary cuts are there as well.

    Counts of a chunk are put beside those that are there. They are merged where they have become as many: a small
    chunk costs no pass over a large vocabulary. What is counted is never written to, so that copies share it.

    Attributes
    ----------
    n_missing : int
        Rows in which a scalar is missing.
    """

    def __init__(self) -> None:
        self.n_missing = 0
        self._counted: dict[str, list[Counted]] = {}

    @property
    def kinds(self) -> list[str]:
        """The kinds of value that occur (see ``Items``), in order."""
        return sorted(self._counted)

    @property
    def families(self) -> frozenset[str]:
        """Families of the values."""
        return frozenset(FAMILIES[kind] for kind in self._counted)

    def add(self, columns: Sequence[Items]) -> None:
        """Count the values of more rows.

        Parameters
        ----------
        columns : sequence of Items
            Columns of the same rows; a value counts once per row, in whichever of them it is.
        """
        for kind in sorted({part.kind for items in columns for part in items.parts}):
            self._append(kind, count_values(columns, kind))
        self.n_missing += sum(items.n_missing for items in columns if not items.column.is_list)

    def merge(self, other: "ValueCounts") -> None:
        """Add what was counted of other rows.

        Parameters
        ----------
        other : ValueCounts
            Stays as it is.
        """
        for kind in other.kinds:
            self._append(kind, other.of(kind))
        self.n_missing += other.n_missing

    def of(self, kind: str) -> Counted:
        """Return the values of a kind, each once and in any order, and the rows that hold each.

        Parameters
        ----------
        kind : str
            One of ``kinds``.

        Returns
        -------
        values : pyarrow.Array of length n_values
            Not to be written to.
        counts : ndarray of shape (n_values,), int64
            Not to be written to.
        """
        self._counted[kind] = [_merged(self._counted[kind])]
        return self._counted[kind][0]

    def copy(self) -> "ValueCounts":
        """Return counts to go on with, which leave these as they are."""
        copied = ValueCounts()
        copied.n_missing = self.n_missing
        copied._counted = {kind: list(parts) for kind, parts in self._counted.items()}
        return copied

    def is_within(self, known: Known) -> bool:
        """Return whether a vocabulary learnt from these counts, with the values ``known``, has cut none."""
        return all(kind in known and len(known[kind][1]) == len(self.of(kind)[1]) for kind in self.kinds)

    def to_state(self, known: Known) -> dict[str, Any]:
        """Return the counts as plain values and arrays, without the values of the vocabulary learnt from them.

        Parameters
        ----------
        known : mapping of str to (pyarrow.Array, ndarray of int32)
            Values and ids of the vocabulary.

        Returns
        -------
        dict
            What ``from_state`` takes. Ids are in order of the counts, which are held as runs of equal ones.
        """
        by_id = np.zeros(max([0, *(int(ids.max()) for _, ids in known.values())]) + 1, dtype=np.int64)
        cut = {}
        for kind in self.kinds:
            values, counts = self.of(kind)
            is_cut = np.ones(len(values), dtype=bool)
            if kind in known:
                places = pc.index_in(known[kind][0], value_set=values).to_numpy()
                by_id[known[kind][1]] = counts[places]
                is_cut[places] = False
            if is_cut.any():
                cut[kind] = {"counts": counts[is_cut], **arrays_of(values.filter(pa.array(is_cut)))}
        starts = np.flatnonzero(np.diff(by_id, prepend=-1))
        lengths = np.diff(starts, append=len(by_id))
        return {"n_missing": self.n_missing, "counts": by_id[starts], "lengths": lengths, "cut": cut}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], known: Known) -> "ValueCounts":
        """Return the counts that ``to_state`` described.

        Parameters
        ----------
        state : mapping
            Of counts.
        known : mapping of str to (pyarrow.Array, ndarray of int32)
            The same values and ids.

        Returns
        -------
        ValueCounts
            To go on with.
        """
        counts = cls()
        counts.n_missing = state["n_missing"]
        by_id = np.repeat(state["counts"], state["lengths"])
        for kind, (values, ids) in known.items():
            counts._append(kind, (values, by_id[ids]))
        for kind, arrays in state["cut"].items():
            counts._append(kind, (values_of(kind, arrays), arrays["counts"]))
        return counts

    def _append(self, kind: str, counted: Counted) -> None:
        parts = self._counted.setdefault(kind, [])
        parts.append(counted)
        first, *others = (len(counts) for _, counts in parts)
        if others and sum(others) >= first:
            self._counted[kind] = [_merged(parts)]


def _merged(parts: Sequence[Counted]) -> Counted:
    if len(parts) == 1:
        return parts[0]
    encoded = pa.concat_arrays([values for values, _ in parts]).dictionary_encode()
    counts = np.concatenate([counts for _, counts in parts])
    # As floats, which are exact below 2**53 rows.
    return encoded.dictionary, np.bincount(encoded.indices.to_numpy(), weights=counts).astype(np.int64)
