"""Padded arrays of ids, as users of other libraries have them, to the columns of an ``EncodedTable``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklearn_din.layout import (
    FIRST_ID,
    UNKNOWN_ID,
    BehaviorField,
    BehaviorSequence,
    FeatureLayout,
    IdColumn,
)
from sklearn_din.preprocessing._behavior_features import declared_sequences
from sklearn_din.utils._checks import check_columns_exist
from sklearn_din.utils._pieces import shown
from sklearn_din.utils._ragged import Ragged, first_gap, from_padded

_SequenceNames = tuple[tuple[tuple[str, str | None], ...], ...]


def read_padded(
    arrays: Mapping[str, ArrayLike],
    *,
    behavior_features: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None,
    pad: int,
    layout: FeatureLayout | None,
) -> tuple[FeatureLayout, dict[str, NDArray[Any] | Ragged]]:
    """Return the layout and the columns of padded arrays.

    Parameters
    ----------
    arrays, behavior_features, pad, layout
        As in ``EncodedTable.from_padded``.

    Returns
    -------
    layout : FeatureLayout
        The one given, or one whose tables are as large as the ids need.
    columns : dict of str to ndarray of shape (n_samples,) or Ragged
        Ids are shifted by two.

    Raises
    ------
    TypeError, ValueError
        As ``EncodedTable.from_padded``.
    """
    named = {name: _read_array(name, array) for name, array in arrays.items()}
    sequences = declared_sequences(behavior_features)
    if layout is not None:
        sequences = _sequences_of(layout, sequences, is_given=behavior_features is not None)
    padded = _Padded(named, sequences, pad)
    padded.check()
    columns = padded.columns()
    if layout is None:
        return padded.layout(columns), columns
    _check_structure(padded.layout(columns), layout)
    return layout, {name: _fit(name, column, layout) for name, column in columns.items()}


@dataclass(frozen=True)
class _Padded:
    arrays: dict[str, NDArray[Any]]
    sequences: _SequenceNames
    pad: int

    def check(self) -> None:
        """Check that the arrays fit the sequences, and each other."""
        check_columns_exist(self.partners, list(self.arrays), "behavior_features")
        for name, array in self.arrays.items():
            is_field = name in self.partners and name not in self.partners.values()
            if array.ndim == 1 and is_field:
                msg = (
                    f"Array {name!r} must be two-dimensional to be a behavior field; its shape is {array.shape}. "
                    "Pad the histories to one length."
                )
                raise TypeError(msg)
            if array.ndim == 2 and name in self.partners.values():
                msg = (
                    f"Array {name!r} must have one id per row to be a candidate; its shape is {array.shape}. Give ids."
                )
                raise TypeError(msg)
            may_be_float = is_field and self.partners[name] is None if array.ndim == 2 else name not in self.partners
            if array.dtype.kind == "f" and not may_be_float:
                msg = (
                    f"Array {name!r} must hold integer ids; its type is {array.dtype}. Convert it to integers; "
                    "floats are for numbers, one per row, and for behavior-only fields."
                )
                raise TypeError(msg)

    @property
    def partners(self) -> dict[str, str | None]:
        """The candidate of each field; candidates themselves are keys as well."""
        fields = {name: candidate for sequence in self.sequences for name, candidate in sequence}
        return {candidate: None for candidate in fields.values() if candidate is not None} | fields

    def columns(self) -> dict[str, NDArray[Any] | Ragged]:
        """Return the columns, ids shifted."""
        columns: dict[str, NDArray[Any] | Ragged] = {}
        for sequence in self.sequences:
            columns |= self._fields(sequence)
        for name, array in self.arrays.items():
            if name in columns:
                continue
            if array.ndim == 2:
                columns[name] = self._ids(name)
            elif array.dtype.kind == "f":
                columns[name] = _finite(name, array).astype(np.float32)
            else:
                columns[name] = np.where(array == self.pad, UNKNOWN_ID, _shift(name, array, array != self.pad))
        return columns

    def layout(self, columns: Mapping[str, NDArray[Any] | Ragged]) -> FeatureLayout:
        """Return the layout that the ids need."""
        sizes: dict[str, int] = {}
        fields = {name: candidate for sequence in self.sequences for name, candidate in sequence}
        for name, column in columns.items():
            values = column.values if isinstance(column, Ragged) else column
            if values.dtype.kind == "i":
                table = fields.get(name) or name
                sizes[table] = max(sizes.get(table, FIRST_ID), int(values.max(initial=0)) + 1)
        widths = [array.shape[1] for array in self.arrays.values() if array.ndim == 2]
        scalars = {name: array.dtype.kind for name, array in self.arrays.items() if array.ndim == 1}
        return FeatureLayout(
            categorical=tuple(IdColumn(name, sizes[name]) for name, kind in scalars.items() if kind != "f"),
            numeric=tuple(name for name, kind in scalars.items() if kind == "f"),
            sequences=tuple(
                BehaviorSequence(tuple(BehaviorField(name, to, sizes.get(to or name)) for name, to in sequence))
                for sequence in self.sequences
            ),
            bags=tuple(
                IdColumn(name, sizes[name])
                for name, array in self.arrays.items()
                if array.ndim == 2 and name not in fields
            ),
            max_length=max([1, *widths]),
        )

    def _fields(self, sequence: tuple[tuple[str, str | None], ...]) -> dict[str, Ragged]:
        ids = {name: self._ids(name) for name, _ in sequence if self.arrays[name].dtype.kind != "f"}
        if not ids:
            msg = (
                f"The sequence of {sequence[0][0]!r} has no field of ids; its fields are floats, which do not tell "
                "where the padding is. Add a field of ids."
            )
            raise ValueError(msg)
        guide = next(iter(ids))
        is_value = self.arrays[guide] != self.pad
        columns = {}
        for name, _ in sequence:
            array = self.arrays[name]
            if array.shape != is_value.shape:
                msg = (
                    f"Arrays {guide!r} and {name!r} must have the same shape; they have {is_value.shape} and "
                    f"{array.shape}. Pad both to the same length."
                )
                raise ValueError(msg)
            if name in ids:
                self._check_equal_padding(guide, name)
                columns[name] = ids[name]
            else:
                values = from_padded(array, is_value)
                columns[name] = Ragged(_finite(name, values.values, values).astype(np.float32), values.offsets)
        return columns

    def _ids(self, name: str) -> Ragged:
        array = self.arrays[name]
        is_value = array != self.pad
        gap = first_gap(is_value)
        if gap is not None:
            msg = (
                f"Array {name!r} has padding ({self.pad}) between values: row {gap[0]} at position {gap[1]}. "
                "Give as pad a number that is no id, or move the padding to one end."
            )
            raise ValueError(msg)
        return from_padded(_shift(name, array, is_value), is_value)

    def _check_equal_padding(self, guide: str, name: str) -> None:
        differs = np.flatnonzero(((self.arrays[guide] != self.pad) != (self.arrays[name] != self.pad)).any(axis=1))
        if len(differs):
            row = differs[0]
            lengths = [int((self.arrays[column][row] != self.pad).sum()) for column in (guide, name)]
            msg = (
                f"Arrays {guide!r} and {name!r} must have padding at the same places: row {row} has {lengths[0]} and "
                f"{lengths[1]} values, or has them elsewhere. Pad both from the same events."
            )
            raise ValueError(msg)


def _read_array(name: str, array: ArrayLike) -> NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2):
        msg = (
            f"Array {name!r} must hold integers or floats in one or two dimensions; it has the type {values.dtype} and "
            f"the shape {values.shape}. Raw values go through BehaviorEncoder."
        )
        raise TypeError(msg)
    return values.astype(np.int8) if values.dtype.kind == "b" else values


def _shift(name: str, array: NDArray[Any], is_value: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the ids plus two where ``is_value``; the others may be anything."""
    limit = np.iinfo(np.int32).max - FIRST_ID
    bad = np.argwhere(is_value & ((array < 0) | (array > limit)))
    if len(bad):
        value = array[tuple(bad[0])]
        msg = (
            f"Array {name!r} holds an id that is negative or larger than {limit}: row {bad[0][0]} has {shown(value)}. "
            "Number the ids from 0 on; raw values go through BehaviorEncoder."
        )
        raise ValueError(msg)
    return np.where(is_value, array, 0).astype(np.int32) + np.int32(FIRST_ID)


def _finite(name: str, values: NDArray[Any], rows: Ragged | None = None) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        bad = np.flatnonzero(~np.isfinite(values.astype(np.float32)))
    if len(bad):
        row = bad[0] if rows is None else np.searchsorted(rows.offsets, bad[0], side="right") - 1
        msg = (
            f"Array {name!r} must hold finite numbers that fit in float32: row {row} has {shown(values[bad[0]])}. "
            "Replace it by a number, for example the mean."
        )
        raise ValueError(msg)
    return values


def _sequences_of(layout: FeatureLayout, declared: _SequenceNames, *, is_given: bool) -> _SequenceNames:
    known = tuple(tuple((field.name, field.candidate) for field in sequence.fields) for sequence in layout.sequences)
    if is_given and declared != known:
        msg = f"behavior_features does not fit the layout: it is {declared}, the layout has {known}. Leave it out."
        raise ValueError(msg)
    return known


def _check_structure(found: FeatureLayout, expected: FeatureLayout) -> None:
    kinds = [_kinds(found), _kinds(expected)]
    if kinds[0] != kinds[1]:
        name = min(set(kinds[0].items()) ^ set(kinds[1].items()))[0]
        msg = (
            f"Array {name!r} does not fit the layout: it is {kinds[0].get(name, 'not given')}, the layout has it as "
            f"{kinds[1].get(name, 'no column')}. Give the arrays that the training table had."
        )
        raise ValueError(msg)


def _kinds(layout: FeatureLayout) -> dict[str, str]:
    kinds = {column.name: "a category" for column in layout.categorical} | dict.fromkeys(layout.numeric, "a number")
    kinds |= {field.name: "a field of numbers" if field.is_numeric else "a field of ids" for field in layout.fields}
    return kinds | {column.name: "a bag" for column in layout.bags}


def _fit(name: str, column: NDArray[Any] | Ragged, layout: FeatureLayout) -> NDArray[Any] | Ragged:
    """Return the column with ids beyond its table unknown, and not longer than the layout has it."""
    sizes = {item.name: item.n_ids for item in (*layout.categorical, *layout.bags)}
    size = (sizes | {field.name: field.n_ids for field in layout.fields}).get(name)
    values = column.values if isinstance(column, Ragged) else column
    if size is not None:
        values = np.where(values < size, values, np.int32(UNKNOWN_ID))
    if not isinstance(column, Ragged):
        return values
    fitted = Ragged(values, column.offsets)
    is_bag = any(bag.name == name for bag in layout.bags)
    return fitted.first(layout.max_length) if is_bag else fitted.newest(layout.max_length)
