"""Value to id and back: one vocabulary for each embedding table."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.layout import FIRST_ID, UNKNOWN_ID
from sklearn_din.preprocessing._factors import count_rows, gather
from sklearn_din.preprocessing._items import FAMILIES, ItemPart, Items

_MISSING = "missing"


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
        counted = {kind: _count(columns, kind) for kind in kinds}
        values = {kind: distinct for kind, (distinct, _) in counted.items()}
        ranks = _ranks(values)
        n_missing = sum(items.n_missing for items in columns if not items.column.is_list)
        if n_missing:
            kinds.append(_MISSING)
            counted[_MISSING] = (pa.nulls(1), np.array([n_missing]))
            ranks[_MISSING] = np.array([0])
        ids = _number([(kind, counted[kind][1], ranks[kind]) for kind in kinds], min_count, max_categories)
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


def _count(columns: Sequence[Items], kind: str) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the distinct values of a kind and the number of rows that hold each."""
    found = [(items, part) for items in columns for part in items.parts if part.kind == kind]
    found.sort(key=lambda pair: -len(pair[1].values))  # the codes of the first one are kept as they are
    distinct, codes = _in_common([part for _, part in found])
    if len(found) == 1 and not found[0][0].column.is_list:
        return distinct, np.bincount(codes[0], minlength=len(distinct))
    offsets = [items.offsets(part) for items, part in found]
    return distinct, count_rows(list(zip(codes, offsets, strict=True)), len(distinct))


def _in_common(parts: Sequence[ItemPart]) -> tuple[pa.Array, list[NDArray[np.int32]]]:
    """Return the distinct values of all parts, and for each part the place of its values among them."""
    first, *others = [part.factors for part in parts]
    if not others:
        return first[0], [first[1]]
    # Arrow numbers values in order of appearance: those of the first part keep their places.
    encoded = pa.concat_arrays([distinct for distinct, _ in (first, *others)]).dictionary_encode()
    starts = np.cumsum([len(distinct) for distinct, _ in (first, *others)])[:-1]
    tables = np.split(encoded.indices.to_numpy(), starts)[1:]
    moved = [gather(table, codes) for table, (_, codes) in zip(tables, others, strict=True)]
    return encoded.dictionary, [first[1], *moved]


def _ranks(values: dict[str, pa.Array]) -> dict[str, NDArray[np.int64]]:
    """Return the place of each value in the order of its family."""
    ranks = {}
    for kind in set(values) & {"binary", "boolean", "string"}:
        ranks[kind] = _inverse(pc.sort_indices(values[kind]).to_numpy())
    numbers = [kind for kind in ("integer", "fraction", "large") if kind in values]
    if numbers:
        # Integers compare exactly as int64, fractions by their whole part first; all of uint64 comes after int64.
        arrays = [values[kind].to_numpy() for kind in numbers]
        is_large = np.concatenate(
            [np.full(len(array), kind == "large") for kind, array in zip(numbers, arrays, strict=True)]
        )
        whole = np.concatenate([_whole(kind, array) for kind, array in zip(numbers, arrays, strict=True)])
        rest = np.concatenate(
            [array - np.floor(array) if array.dtype.kind == "f" else np.zeros(len(array)) for array in arrays]
        )
        places = _inverse(np.lexsort((rest, whole, is_large)))
        ranks |= dict(zip(numbers, np.split(places, np.cumsum([len(array) for array in arrays])[:-1]), strict=True))
    return ranks


def _whole(kind: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if kind == "large":
        return (array - np.uint64(2**63)).astype(np.int64)
    return np.floor(array).astype(np.int64) if kind == "fraction" else array


def _inverse(order: NDArray[Any]) -> NDArray[np.int64]:
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


def _number(
    counted: list[tuple[str, NDArray[np.int64], NDArray[np.int64]]], min_count: float, max_categories: int | None
) -> dict[str, NDArray[np.int32]]:
    """Return the id of each value of each kind; 0 for those that are cut."""
    if not counted:
        return {}
    names = sorted({FAMILIES.get(kind, kind) for kind, _, _ in counted})
    family = np.concatenate([np.full(len(n), names.index(FAMILIES.get(kind, kind))) for kind, n, _ in counted])
    counts = np.concatenate([n for _, n, _ in counted])
    rank = np.concatenate([places for _, _, places in counted])
    order = np.lexsort((rank, family, -counts))
    order = order[counts[order] >= min_count][:max_categories]
    ids = np.zeros(len(counts), dtype=np.int32)
    ids[order] = FIRST_ID + np.arange(len(order), dtype=np.int32)
    ends = np.cumsum([len(n) for _, n, _ in counted])[:-1]
    return {kind: part for (kind, _, _), part in zip(counted, np.split(ids, ends), strict=True)}
