"""Which values get an id, and which: by the rows that hold them, then by value."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.layout import FIRST_ID
from sklearn_din.preprocessing._factors import count_rows, gather
from sklearn_din.preprocessing._items import FAMILIES, ItemPart, Items


def count_values(columns: Sequence[Items], kind: str) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the distinct values of a kind and the number of rows that hold each.

    Parameters
    ----------
    columns : sequence of Items
        Columns of the same rows; a value counts once per row, in whichever of them it is.
    kind : str
        See ``Items``; one of the columns has it.

    Returns
    -------
    values : pyarrow.Array of length n_values
        Each once.
    counts : ndarray of shape (n_values,), int64
        Rows.
    """
    found = [(items, part) for items in columns for part in items.parts if part.kind == kind]
    found.sort(key=lambda pair: -len(pair[1].values))  # the codes of the first one are kept as they are
    distinct, codes = _in_common([part for _, part in found])
    if len(found) == 1 and not found[0][0].column.is_list:
        return distinct, np.bincount(codes[0], minlength=len(distinct))
    offsets = [items.offsets(part) for items, part in found]
    return distinct, count_rows(list(zip(codes, offsets, strict=True)), len(distinct))


def rank_values(values: dict[str, pa.Array]) -> dict[str, NDArray[np.int64]]:
    """Return the place of each value in the order of its family.

    Parameters
    ----------
    values : dict of str to pyarrow.Array
        Distinct values of each kind.

    Returns
    -------
    dict of str to ndarray of shape (n_values,), int64
        The kinds of number are ranked together.
    """
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
        # Of fractions just below a whole number the rest is rounded to the same.
        fraction = np.concatenate(
            [array if array.dtype.kind == "f" else np.zeros(len(array)) for array in arrays], dtype=np.float64
        )
        places = _inverse(np.lexsort((fraction, rest, whole, is_large)))
        ranks |= dict(zip(numbers, np.split(places, np.cumsum([len(array) for array in arrays])[:-1]), strict=True))
    return ranks


def number_values(
    counted: list[tuple[str, NDArray[np.int64], NDArray[np.int64]]], min_count: float, max_categories: int | None
) -> dict[str, NDArray[np.int32]]:
    """Return the id of each value of each kind.

    Parameters
    ----------
    counted : list of (str, ndarray of int64, ndarray of int64)
        Kinds, with the rows that hold each value, and its rank.
    min_count : float
        Values in fewer rows are cut.
    max_categories : int or None
        How many values are kept; None for all.

    Returns
    -------
    dict of str to ndarray of shape (n_values,), int32
        0 for those that are cut.
    """
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


def _whole(kind: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if kind == "large":
        return (array - np.uint64(2**63)).astype(np.int64)
    return np.floor(array).astype(np.int64) if kind == "fraction" else array


def _inverse(order: NDArray[Any]) -> NDArray[np.int64]:
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places
