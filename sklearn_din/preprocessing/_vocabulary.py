"""Value to id and back: one vocabulary for each embedding table."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.layout import FIRST_ID, UNKNOWN_ID
from sklearn_din.preprocessing._factors import gather
from sklearn_din.preprocessing._items import FAMILIES, ItemPart, Items
from sklearn_din.preprocessing._numbering import number_values, rank_values
from sklearn_din.preprocessing._sorted_values import SortedValues
from sklearn_din.preprocessing._value_arrays import arrays_of, checked, values_of
from sklearn_din.preprocessing._value_counts import ValueCounts

_MISSING = "missing"
# How many times the values looked up the known ones are, for the known ones to be searched in their order: to look up
# otherwise, Arrow hashes all that are known in every call, 140 ms for 1,000,000 integers.
_FEW = 8


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Values and their ids: 0 pads, 1 is unknown, 2… are values in order of frequency, ties in order of value.

    Parameters
    ----------
    known : dict of str to (pyarrow.Array, ndarray of int32)
        Values of each kind (see ``Items``), without repetition, and the id of each.
    missing_id : int or None
        The id of a missing scalar; None if no scalar was missing in training, so that it is unknown.
    families : frozenset of str
        Families of the values seen in training, those that were cut included.

    Notes
    -----
    The first time that few values are looked up, the known ones are put in order, which takes about as long as to look
    up without it; what is kept are 12 bytes for each. It is no part of copies, pickles and states.
    """

    known: dict[str, tuple[pa.Array, NDArray[np.int32]]]
    missing_id: int | None
    families: frozenset[str]
    _sorted: dict[str, SortedValues] = field(init=False, repr=False, default_factory=dict)

    @classmethod
    def learn(cls, counts: ValueCounts, *, min_count: float = 1, max_categories: int | None = None) -> "Vocabulary":
        """Learn from the values of columns that share a vocabulary.

        Parameters
        ----------
        counts : ValueCounts
            The rows that hold each value.
        min_count : float, default=1
            Values in fewer rows are unknown.
        max_categories : int or None, default=None
            How many values are kept; None for all.

        Returns
        -------
        Vocabulary
            The same for any order of the rows.
        """
        counted = {kind: counts.of(kind) for kind in counts.kinds}
        values = {kind: distinct for kind, (distinct, _) in counted.items()}
        ranks = rank_values(values)
        if counts.n_missing:
            counted[_MISSING] = (pa.nulls(1), np.array([counts.n_missing]))
            ranks[_MISSING] = np.array([0])
        ids = number_values([(kind, n, ranks[kind]) for kind, (_, n) in counted.items()], min_count, max_categories)
        known = {}
        for kind, distinct in values.items():
            kept = np.flatnonzero(ids[kind])
            if len(kept) == len(distinct):
                known[kind] = (distinct, ids[kind])
            elif len(kept):
                known[kind] = (distinct.take(pa.array(kept)), ids[kind][kept])
        missing_id = int(ids[_MISSING][0]) or None if counts.n_missing else None
        return cls(known, missing_id, counts.families)

    @property
    def n_ids(self) -> int:
        """Rows of the embedding table: the values, padding and unknown."""
        return FIRST_ID + sum(len(ids) for _, ids in self.known.values()) + (self.missing_id is not None)

    @property
    def values(self) -> NDArray[np.object_]:
        """The values in order of their ids, which begin at 2; shape (n_ids - 2,), None where missing is a value."""
        return self._by_id[FIRST_ID:]

    @property
    def digest(self) -> bytes:
        """Digest of the values and their ids (SHA-256)."""
        digest = hashlib.sha256(str(self.missing_id).encode())
        for kind, (distinct, ids) in sorted(self.known.items()):
            order = np.argsort(ids)
            digest.update(kind.encode())
            digest.update(ids[order].tobytes())
            digest.update(pa.record_batch({"values": distinct.take(pa.array(order))}).serialize())
        return digest.digest()

    def to_state(self) -> dict[str, Any]:
        """Return the vocabulary as plain values and arrays of numbers.

        Returns
        -------
        dict
            What ``from_state`` takes; the arrays share memory with the vocabulary.
        """
        known = {kind: {"ids": ids, **arrays_of(values)} for kind, (values, ids) in self.known.items()}
        return {"known": known, "missing_id": self.missing_id, "families": sorted(self.families)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Vocabulary":
        """Return the vocabulary that ``to_state`` described.

        Parameters
        ----------
        state : mapping
            May be damaged, or forged.

        Returns
        -------
        Vocabulary
            Each of its ids stands for one value.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state describes no vocabulary.
        """
        known = {
            kind: (values_of(kind, arrays), checked(arrays["ids"], np.int32)) for kind, arrays in state["known"].items()
        }
        vocabulary = cls(known, state["missing_id"], frozenset(state["families"]))
        vocabulary._check()
        return vocabulary

    def encode(self, items: Items) -> NDArray[np.int32]:
        """Return the ids of items.

        Parameters
        ----------
        items : Items
            Of a column of any rows.

        Returns
        -------
        ndarray of shape (n_values,), int32
            1 where a value is not in the vocabulary; a missing scalar may have an id, a missing element has none.
        """
        column = items.column
        if len(items.parts) == 1 and items.parts[0].positions is None:
            return self._lookup(items.parts[0])
        missing_id = UNKNOWN_ID if column.is_list or self.missing_id is None else self.missing_id
        ids = np.full(column.n_values, missing_id, dtype=np.int32)
        for part in items.parts:
            ids[part.positions] = self._lookup(part)
        return ids

    def decode(self, ids: NDArray[np.int32]) -> NDArray[np.object_]:
        """Return the value of each id as a Python object.

        Parameters
        ----------
        ids : ndarray of any shape, int32
            Of this vocabulary.

        Returns
        -------
        ndarray of the same shape, object
            None for padding, unknown and missing.
        """
        return self._by_id[ids]

    def decode_arrow(self, ids: NDArray[np.int32]) -> pa.Array:
        """Return the value of each id as an Arrow array.

        Parameters
        ----------
        ids : ndarray of shape (n,), int32
            Of this vocabulary.

        Returns
        -------
        pyarrow.Array
            Null for padding, unknown and missing.

        Raises
        ------
        TypeError
            If the vocabulary mixes values that no Arrow type holds.
        """
        return pa.array(self.values.tolist(), type=self._arrow_type).take(pa.array(ids - FIRST_ID, mask=ids < FIRST_ID))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_sorted": {}}

    @property
    def _by_id(self) -> NDArray[np.object_]:
        values = np.full(self.n_ids, None, dtype=object)
        for distinct, ids in self.known.values():
            values[ids] = distinct.to_pylist()
        return values

    @property
    def _arrow_type(self) -> pa.DataType:
        kinds = set(self.known)
        if len(kinds) == 1:
            return self.known[kinds.pop()][0].type
        if not kinds:
            return pa.null()
        if kinds <= {"integer", "large"}:
            return pa.uint64()
        if kinds <= {"integer", "fraction"}:
            return pa.float64()
        msg = (
            f"No Arrow type holds all values of the vocabulary: it has values of the kinds {sorted(kinds)}. "
            "Give columns of one type, or fit on a pandas frame with a column of objects."
        )
        raise TypeError(msg)

    def _check(self) -> None:
        """Raise where ids and values are not one to one."""
        if not (self.missing_id is None or type(self.missing_id) is int):
            msg = f"The id of what is missing must be a whole number: got {self.missing_id!r}."
            raise TypeError(msg)
        ids = np.concatenate([ids for _, ids in self.known.values()] + [np.array([], dtype=np.int32)])
        if self.missing_id is not None:
            ids = np.append(ids, self.missing_id)
        if not np.array_equal(np.sort(ids), np.arange(FIRST_ID, FIRST_ID + len(ids))):
            msg = f"The ids of {len(ids)} values must be {FIRST_ID}, {FIRST_ID + 1}, … without gaps or repetitions."
            raise ValueError(msg)
        if not {FAMILIES[kind] for kind in self.known} <= self.families <= set(FAMILIES.values()):
            msg = f"Families of values must be among {sorted(set(FAMILIES.values()))}: got {sorted(self.families)}."
            raise ValueError(msg)
        for kind, (values, kind_ids) in self.known.items():
            if len(values) != len(kind_ids) or len(pc.unique(values)) != len(values):
                msg = f"Each id must have one value: there are {len(kind_ids)} ids and {len(values)} values ({kind})."
                raise ValueError(msg)

    def _lookup(self, part: ItemPart) -> NDArray[np.int32]:
        if part.kind not in self.known:
            return np.full(len(part.values), UNKNOWN_ID, dtype=np.int32)
        known, ids = self.known[part.kind]
        if len(part.values) * _FEW < len(known):
            places = self._find(part.kind, part.values)
            return np.where(places < 0, UNKNOWN_ID, ids[places])
        ids = np.append(ids, np.int32(UNKNOWN_ID))
        # Text that fit has not hashed is hashed once: to look up each value takes less than to factorize them.
        is_direct = part.kind != "integer" and not part.is_factorized
        values = part.values if is_direct else part.factors[0]
        places = pc.fill_null(pc.index_in(values, value_set=known), len(ids) - 1).to_numpy()
        return gather(ids, places) if is_direct else gather(ids[places], part.factors[1])

    def _find(self, kind: str, values: pa.Array) -> NDArray[np.int32]:
        """Return the places of few values among the known ones, -1 for others; the first call puts those in order."""
        if kind not in self._sorted:  # of two threads that meet here, the second replaces what is the same
            self._sorted[kind] = SortedValues(self.known[kind][0])
        return self._sorted[kind].find(values)
