"""One column of plain values, whatever holds it, as one Arrow array."""

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa


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
    """
    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        column = series.to_arrow()
    elif isinstance(values, list | tuple | pa.Array):
        column = pa.array(values, from_pandas=True)  # not by way of NumPy, where 1 and "1" become the same
    else:
        array = np.asarray(values)
        # Arrow takes the byte order of the machine only.
        column = pa.array(array.astype(array.dtype.newbyteorder("="), copy=False), from_pandas=True)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def release_memory() -> None:
    """Return to the system what Arrow keeps of freed memory, some 50 bytes per behavior, which training may need."""
    pa.default_memory_pool().release_unused()
