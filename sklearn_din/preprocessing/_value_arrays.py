"""Values of a vocabulary as arrays of numbers, which files and pickles hold, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_TEXT = {"binary": pa.large_binary(), "string": pa.large_string()}
_NUMBERS = {"boolean": np.bool_, "fraction": np.float64, "integer": np.int64, "large": np.uint64}


def arrays_of(values: pa.Array) -> dict[str, NDArray[Any]]:
    """Return the memory of an Arrow array without missing values as arrays of numbers.

    Parameters
    ----------
    values : pyarrow.Array
        Of a kind of ``Items``.

    Returns
    -------
    dict of str to ndarray
        What ``values_of`` takes; they share memory with the array where they can.
    """
    if not (pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)):
        return {"values": values.to_numpy(zero_copy_only=False)}
    _, ends, text = values.buffers()
    offsets = np.frombuffer(ends, dtype=np.int64)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(text, dtype=np.uint8) if text is not None else np.array([], dtype=np.uint8)
    return {"offsets": offsets - offsets[0], "text": data[offsets[0] : offsets[-1]]}


def values_of(kind: str, arrays: Mapping[str, Any]) -> pa.Array:
    """Return the Arrow array that ``arrays_of`` described.

    Parameters
    ----------
    kind : str
        See ``Items``.
    arrays : mapping of str to ndarray
        May be damaged, or forged.

    Returns
    -------
    pyarrow.Array
        With memory of its own.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the arrays describe no values of the kind.
    """
    if kind in _TEXT:
        offsets, text = checked(arrays["offsets"], np.int64), checked(arrays["text"], np.uint8)
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())]  # which nobody can change
        values = pa.Array.from_buffers(_TEXT[kind], len(offsets) - 1, buffers)
        values.validate(full=True)
        return values
    values = checked(arrays["values"], _NUMBERS[kind])
    is_wrong = {"fraction": lambda: values % 1 == 0, "large": lambda: values < 2**63}.get(kind)
    if is_wrong is not None and (is_wrong() | ~np.isfinite(values)).any():
        msg = f"Values of a vocabulary are of another kind than {kind!r}: no value of a column would be equal to them."
        raise ValueError(msg)
    return pa.array(values.copy())


def checked(array: Any, dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array of one dimension.

    Parameters
    ----------
    array : object
        What should be one.
    dtype : type
        What it should be of.

    Returns
    -------
    ndarray of shape (n,)
        Contiguous.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        msg = f"A vocabulary is made of one-dimensional arrays: one of {np.dtype(dtype)} is missing."
        raise TypeError(msg)
    return np.ascontiguousarray(array)
