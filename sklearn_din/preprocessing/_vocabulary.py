"""Value to id and back: one vocabulary for each embedding table."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.layout import FIRST_ID, UNKNOWN_ID
from sklearn_din.preprocessing._factors import gather
from sklearn_din.preprocessing._items import FAMILIES, ItemPart, Items
from sklearn_din.preprocessing._numbering import count_values, number_values, rank_values

_MISSING = "missing"
_TEXT = {"binary": pa.large_binary(), "string": pa.large_string()}
_NUMBERS = {"boolean": np.bool_, "fraction": np.float64, "integer": np.int64, "large": np.uint64}


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
    """

    known: dict[str, tuple[pa.Array, NDArray[np.int32]]]
    missing_id: int | None
    families: frozenset[str]

    @classmethod
    def learn(
        cls, columns: Sequence[Items], *, min_count: float = 1, max_categories: int | None = None
    ) -> "Vocabulary":
        """Learn the values of columns that share a vocabulary.

        Parameters
        ----------
        columns : sequence of Items
            Columns of the same rows; a value counts once per row, in whichever of them it is.
        min_count : float, default=1
            Values in fewer rows are unknown.
        max_categories : int or None, default=None
            How many values are kept; None for all.

        Returns
        -------
        Vocabulary
            The same for any order of the rows.
        """
        kinds = sorted({part.kind for items in columns for part in items.parts})
        counted = {kind: count_values(columns, kind) for kind in kinds}
        values = {kind: distinct for kind, (distinct, _) in counted.items()}
        ranks = rank_values(values)
        n_missing = sum(items.n_missing for items in columns if not items.column.is_list)
        if n_missing:
            kinds.append(_MISSING)
            counted[_MISSING] = (pa.nulls(1), np.array([n_missing]))
            ranks[_MISSING] = np.array([0])
        ids = number_values([(kind, counted[kind][1], ranks[kind]) for kind in kinds], min_count, max_categories)
        known = {}
        for kind, distinct in values.items():
            kept = np.flatnonzero(ids[kind])
            if len(kept):
                known[kind] = (distinct.take(pa.array(kept)), ids[kind][kept])
        missing_id = int(ids[_MISSING][0]) or None if n_missing else None
        families = frozenset[str]().union(*(items.families for items in columns))
        return cls(known, missing_id, families)

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
        known = {kind: {"ids": ids, **_arrays_of(values)} for kind, (values, ids) in self.known.items()}
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
            kind: (_values_of(kind, arrays), _checked(arrays["ids"], np.int32))
            for kind, arrays in state["known"].items()
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
        ids = np.append(ids, np.int32(UNKNOWN_ID))
        # Text that fit has not hashed is hashed once: to look up each value takes less than to factorize them.
        is_direct = part.kind != "integer" and not part.is_factorized
        values = part.values if is_direct else part.factors[0]
        places = pc.fill_null(pc.index_in(values, value_set=known), len(ids) - 1).to_numpy()
        return gather(ids, places) if is_direct else gather(ids[places], part.factors[1])


def _arrays_of(values: pa.Array) -> dict[str, NDArray[Any]]:
    """Return the memory of an Arrow array without missing values as arrays of numbers."""
    if not (pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)):
        return {"values": values.to_numpy(zero_copy_only=False)}
    _, ends, text = values.buffers()
    offsets = np.frombuffer(ends, dtype=np.int64)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(text, dtype=np.uint8) if text is not None else np.array([], dtype=np.uint8)
    return {"offsets": offsets - offsets[0], "text": data[offsets[0] : offsets[-1]]}


def _values_of(kind: str, arrays: Mapping[str, Any]) -> pa.Array:
    """Return the Arrow array that ``_arrays_of`` described."""
    if kind in _TEXT:
        offsets, text = _checked(arrays["offsets"], np.int64), _checked(arrays["text"], np.uint8)
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())]  # which nobody can change
        values = pa.Array.from_buffers(_TEXT[kind], len(offsets) - 1, buffers)
        values.validate(full=True)
        return values
    values = _checked(arrays["values"], _NUMBERS[kind])
    is_wrong = {"fraction": lambda: values % 1 == 0, "large": lambda: values < 2**63}.get(kind)
    if is_wrong is not None and (is_wrong() | ~np.isfinite(values)).any():
        msg = f"Values of a vocabulary are of another kind than {kind!r}: no value of a column would be equal to them."
        raise ValueError(msg)
    return pa.array(values.copy())


def _checked(array: Any, dtype: type[np.generic]) -> NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        msg = f"A vocabulary is made of one-dimensional arrays: one of {np.dtype(dtype)} is missing."
        raise TypeError(msg)
    return np.ascontiguousarray(array)
