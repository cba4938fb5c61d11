"""One column of plain values, whatever holds it, as one Arrow array."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sklearn_din.utils._objects import kind_of, types_of
from sklearn_din.utils._pieces import shown


def arrow_array(values: Any) -> Any:
    """Return a column as one Arrow array, categoricals decoded, NaN in objects as null.

    Parameters
    ----------
    values : series of pandas or polars, pyarrow Array or ChunkedArray, list, tuple, or ndarray of shape (n_samples,)
        Values of one type.

    Returns
    -------
    pyarrow.Array
        Of length n_samples.

    Raises
    ------
    pyarrow.ArrowException, OverflowError
        If the values are of several types, or of none that Arrow has.
    ValueError
        If text is no valid Unicode.
    """
    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        column = _of_objects(series.to_list()) if _holds_objects(series) else series.to_arrow()
    elif isinstance(values, list | tuple):
        column = _of_objects(values)  # not by way of NumPy, where 1 and "1" become the same
    elif isinstance(values, pa.Array):
        column = pa.array(values, from_pandas=True)
    else:
        column = _of_numpy(np.asanyarray(values))  # as it is if it is masked
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def first_refused(values: Any, convert: Callable[[Any], Any]) -> int:
    """Return the row to blame for a conversion that fails.

    Parameters
    ----------
    values : sequence or pyarrow.Array of shape (n_samples,)
        What ``convert`` does not take.
    convert : callable
        Takes a part of the values.

    Returns
    -------
    int
        The first row with which ``convert`` does not take the values up to it any more.
    """

    def is_refused(stop: int) -> bool:
        try:
            convert(values[:stop])
        except (pa.ArrowException, OverflowError, TypeError):
            return True
        return False

    return min(bisect_left(range(1, len(values) + 1), True, key=is_refused), len(values) - 1)


def release_memory() -> None:
    """Return to the system what Arrow keeps of freed memory, some 50 bytes per behavior, which training may need."""
    pa.default_memory_pool().release_unused()


def _holds_objects(series: Any) -> bool:
    dtype = getattr(series.to_native(), "dtype", None)
    return series.dtype == nw.Object or (isinstance(dtype, np.dtype) and dtype.kind == "O")


def _of_numpy(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.kind in ("O", "T") and array.ndim == 1:
        return _of_objects(array.tolist())
    # Arrow takes the byte order of the machine only.
    native = array.astype(array.dtype.newbyteorder("="), copy=False) if array.dtype.kind != "T" else array
    try:
        return pa.array(native, from_pandas=True)
    except UnicodeError:
        return _of_objects(array.tolist())  # which says where


def _of_objects(values: Sequence[Any]) -> Any:
    """Return Python objects as an Arrow array; Arrow alone would make one type of some that are different."""
    families = {cell_type: _family(cell_type) for cell_type in types_of(values)}
    present = set(families.values()) - {"missing"}
    kind = None
    if any(issubclass(cell_type, set | frozenset) for cell_type in families):  # Arrow makes lists of them
        row = next(row for row, value in enumerate(values) if isinstance(value, set | frozenset))
        msg = f"row {row} has {shown(values[row])}, a set, which has no order"
        raise pa.ArrowTypeError(msg)
    if "time" in present or len(present) > 1:
        _check_alike(values, families)
        kind = _nanoseconds(values) if "time" in present else None
    if "list" in present:
        values = _uniform(values)
    try:
        return pa.array(values, type=kind, from_pandas=True)
    except UnicodeEncodeError as error:
        row = next(row for row, value in enumerate(values) if isinstance(value, str) and value == error.object)
        msg = f"row {row} has {shown(error.object)}, which is no valid Unicode"
        raise ValueError(msg) from error
    except (pa.ArrowException, OverflowError, TypeError) as error:
        row = first_refused(values, lambda part: pa.array(part, from_pandas=True))
        msg = f"row {row} has {shown(values[row])} ({error})"
        raise pa.ArrowTypeError(msg) from error


def _family(cell_type: type) -> Any:
    """Return what is the same for types whose values may stand in one column."""
    kind = kind_of(cell_type)
    if kind in ("integer", "float") or issubclass(cell_type, Decimal):
        return "number"
    if issubclass(cell_type, datetime) and kind != "missing":
        return "time"
    return cell_type if kind == "unusable" else kind


def _check_alike(values: Sequence[Any], families: Mapping[type, Any]) -> None:
    """Check that values, missing ones aside, are of one family, and that all or no times have a zone."""
    first = None
    for row, value in enumerate(values):
        family = families[type(value)]
        if family == "missing" or (family == "number" and value != value):
            continue
        family = (family, family == "time" and value.tzinfo is None)
        if first is None:
            first = row, family
        elif family != first[1]:
            what = "one of them without a time zone" if family[0] == first[1][0] else "of another type"
            msg = f"row {first[0]} has {shown(values[first[0]])} and row {row} {shown(value)}, {what}"
            raise pa.ArrowTypeError(msg)


def _nanoseconds(values: Sequence[Any]) -> Any:
    """Return the type that keeps the nanoseconds of pandas' timestamps; None where there are none to keep."""
    if not any(getattr(value, "nanosecond", 0) for value in values):
        return None
    plain = pa.array(values, from_pandas=True).type
    return pa.timestamp("ns", plain.tz)


def _uniform(cells: Sequence[Any]) -> Sequence[Any]:
    """Return lists in place of arrays, unless all cells are arrays of one type.

    Pyarrow 26 crashes on NumPy's times beside other values of NumPy, makes times of integers, and ignores masks.
    """
    dtypes = set(_dtypes_in(cells))
    if not dtypes or (len(dtypes) == 1 and all(cell is None or type(cell) is np.ndarray for cell in cells)):
        return cells
    has_arrays = any(isinstance(cell, np.ndarray) for cell in cells)
    for row, cell in enumerate(cells):
        times = [dtype for dtype in _dtypes_in([cell]) if dtype.kind in "mM"]
        if times and (has_arrays or len(dtypes) > 1):
            msg = f"row {row} has values of {times[0]} beside lists or arrays of another type"
            raise pa.ArrowTypeError(msg)
    return [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells]


def _dtypes_in(values: Iterable[Any]) -> Iterator[np.dtype[Any]]:
    for value in values:
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind != "O":
            yield value.dtype
        elif isinstance(value, np.ndarray | list | tuple):
            yield from _dtypes_in(value)
