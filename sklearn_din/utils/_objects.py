"""Values in NumPy arrays and lists of Python objects as pieces, one for each type."""

from collections.abc import Iterable, Sequence
from itertools import compress, groupby
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sklearn_din.utils._pieces import Offsets, Piece, pieces_of_arrow, raise_unusable, row_of, shown


def pieces_of_numpy(name: str, values: NDArray[Any], offsets: Offsets = None) -> tuple[Piece, ...]:
    """Return the values of a one-dimensional NumPy array of any dtype, byte order and stride.

    Parameters
    ----------
    name : str
        The column, for messages.
    values : ndarray of shape (n_values,)
        Not written to.
    offsets : ndarray of shape (n_samples + 1,) or None
        Rows of the values, for messages; None if each is a row.

    Returns
    -------
    tuple of Piece
        One for each type.

    Raises
    ------
    TypeError
        If a value is no boolean, integer, float, string or bytes.
    ValueError
        If an integer takes more than 64 bits, or text is no valid Unicode.
    """
    kind = values.dtype.kind
    if kind in "OUST":
        return pieces_of_objects(name, values.tolist(), offsets)
    if kind not in "biuf":
        if len(values) == 0:
            return ()
        return raise_unusable(name, row_of(offsets, 0), values[0].item(), str(values.dtype))
    native = np.float64 if values.dtype.itemsize > 8 else values.dtype.newbyteorder("=")
    return pieces_of_arrow(name, pa.array(np.ascontiguousarray(values, dtype=native)), offsets)


def pieces_of_objects(name: str, values: list[Any], offsets: Offsets = None) -> tuple[Piece, ...]:
    """Return the values of a list of Python objects.

    Types are told apart by a pass in C over the types of the objects, so that ``1``, ``"1"``, ``b"1"`` and ``True``
    in one column stay what they are.

    Parameters
    ----------
    name : str
        The column, for messages.
    values : list of object
        None, NaN, ``pandas.NA`` and ``pandas.NaT`` are missing.
    offsets : ndarray of shape (n_samples + 1,) or None
        Rows of the values, for messages; None if each is a row.

    Returns
    -------
    tuple of Piece
        One for each type; missing values are in none of them.

    Raises
    ------
    TypeError
        If a value is no boolean, integer, float, string or bytes.
    ValueError
        If an integer takes more than 64 bits, or text is no valid Unicode.
    """
    kinds = {cell_type: kind_of(cell_type) for cell_type in types_of(values)}
    for cell_type, kind in kinds.items():
        if kind in ("list", "unusable"):
            position = next(i for i, value in enumerate(values) if type(value) is cell_type)
            raise_unusable(name, row_of(offsets, position), values[position])
    pieces: list[Piece] = []
    for kind in sorted(set(kinds.values()) - {"missing"}):
        of_kind = {cell_type for cell_type, other in kinds.items() if other == kind}
        positions, chosen = (None, values) if of_kind == set(kinds) else _choose(values, of_kind)
        if kind == "float":
            pieces += _float_piece(positions, chosen, is_alone=set(kinds.values()) <= {"float", "missing"})
        elif kind == "integer":
            pieces += _integer_pieces(name, positions, chosen, offsets, is_plain=of_kind == {int})
        else:
            pieces.append(_typed_piece(name, positions, chosen, kind, offsets))
    return tuple(pieces)


def types_of(values: Sequence[Any]) -> set[type]:
    """Return the types of Python objects.

    Parameters
    ----------
    values : sequence of object
        Any.

    Returns
    -------
    set of type
        Exact ones.
    """
    # Nearly always there is one type, which groupby finds in two thirds of the time of a set.
    runs = groupby(values, type)
    first = next(runs, None)
    if first is not None and next(runs, None) is None:
        return {first[0]}
    return set(map(type, values))


def kind_of(cell_type: type) -> str:
    """Return what values of a Python type are: a kind of value, "missing", "list", or "unusable".

    Parameters
    ----------
    cell_type : type
        Type of a cell, or of an element of a list.

    Returns
    -------
    {"missing", "boolean", "integer", "float", "string", "binary", "list", "unusable"}
        A ``float`` may still be NaN.
    """
    is_pandas_missing = cell_type.__module__.startswith("pandas.") and cell_type.__name__ in ("NAType", "NaTType")
    if cell_type is NoneType or is_pandas_missing:
        return "missing"
    families: list[tuple[str, tuple[type, ...]]] = [
        ("unusable", (np.timedelta64, np.datetime64, np.complexfloating, np.void)),
        ("boolean", (bool, np.bool_)),
        ("integer", (int, np.integer)),
        ("float", (float, np.floating)),
        ("string", (str,)),
        ("binary", (bytes,)),
        ("list", (list, tuple, np.ndarray)),
    ]
    for kind, types in families:
        if issubclass(cell_type, types):
            return kind
    is_array = hasattr(cell_type, "__array__") and hasattr(cell_type, "__len__")
    return "list" if is_array and not issubclass(cell_type, np.generic) else "unusable"


def _choose(values: list[Any], types: set[type]) -> tuple[NDArray[np.int64] | None, list[Any]]:
    is_chosen = np.fromiter(map(types.__contains__, map(type, values)), dtype=bool, count=len(values))
    return np.flatnonzero(is_chosen), list(compress(values, is_chosen.tolist()))


def _float_piece(positions: NDArray[np.int64] | None, values: list[Any], *, is_alone: bool) -> Iterable[Piece]:
    numbers = np.fromiter(values, dtype=np.float64, count=len(values))
    # Among values of other types NaN is how pandas writes "missing"; in a column of floats it does not change the type.
    if not is_alone:
        is_number = ~np.isnan(numbers)
        positions = np.flatnonzero(is_number) if positions is None else positions[is_number]
        numbers = numbers[is_number]
    return [Piece(pa.array(numbers), positions)] if is_alone or len(numbers) else []


def _integer_pieces(
    name: str, positions: NDArray[np.int64] | None, values: list[Any], offsets: Offsets, *, is_plain: bool
) -> Iterable[Piece]:
    try:
        # NumPy is quicker, but takes integers of its own types without a look at whether they fit.
        integers = np.fromiter(values, dtype=np.int64, count=len(values)) if is_plain else values
        return [Piece(pa.array(integers, type=pa.int64()), positions)]
    except (OverflowError, pa.ArrowInvalid):
        integers = np.array(list(map(int, values)), dtype=object)
    where = np.arange(len(integers)) if positions is None else positions
    outside = np.flatnonzero((integers < -(2**63)) | (integers >= 2**64))
    if len(outside):
        msg = (
            f"Column {name!r} holds an integer of more than 64 bits: row {row_of(offsets, where[outside[0]])} has "
            f"{shown(integers[outside[0]])}. Convert such ids to strings, for example with .astype(str)."
        )
        raise ValueError(msg)
    is_large = (integers >= 2**63).astype(bool)
    small = Piece(pa.array(integers[~is_large].tolist(), type=pa.int64()), where[~is_large])
    return [small, Piece(pa.array(integers[is_large].tolist(), type=pa.uint64()), where[is_large])]


def _typed_piece(
    name: str, positions: NDArray[np.int64] | None, values: list[Any], kind: str, offsets: Offsets
) -> Piece:
    types = {"boolean": pa.bool_(), "string": pa.large_string(), "binary": pa.large_binary()}
    try:
        return Piece(pa.array(values, type=types[kind]), positions)
    except UnicodeEncodeError as error:
        place = next(i for i, value in enumerate(values) if value.encode("utf-8", "ignore").decode() != value)
        row = row_of(offsets, place if positions is None else positions[place])
        msg = (
            f"Column {name!r} holds text that is no valid Unicode: row {row} has {shown(values[place])}. "
            "Remove the lone surrogates, for example with .encode('utf-8', 'replace').decode()."
        )
        raise ValueError(msg) from error
