"""The columns of an ``EncodedTable``: all there, equally long, and in step within a sequence."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.layout import FeatureLayout
from sklearn_din.utils._ragged import Ragged


def in_order(layout: FeatureLayout, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns in order of the layout.

    Parameters
    ----------
    layout : FeatureLayout
        What the columns are.
    columns : mapping of str to ndarray of shape (n_samples,) or Ragged
        In any order.

    Returns
    -------
    dict of str to ndarray or Ragged
        The same columns.

    Raises
    ------
    ValueError
        If they are not those of the layout, or differ in rows.
    """
    if set(columns) != set(layout.columns):
        msg = (
            f"The columns {sorted(columns)} are not those of the layout, {sorted(layout.columns)}. "
            "Give one array for each column of the layout."
        )
        raise ValueError(msg)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"Columns must have the same number of rows; they have {lengths}. Give one entry per row in each."
        raise ValueError(msg)
    return {name: columns[name] for name in layout.columns}


def share_offsets(layout: FeatureLayout, columns: Mapping[str, Any]) -> dict[str, NDArray[Any] | Ragged]:
    """Return the columns with one array of offsets for all fields of a sequence.

    Parameters
    ----------
    layout : FeatureLayout
        What the columns are.
    columns : mapping of str to ndarray of shape (n_samples,) or Ragged
        All columns of the layout.

    Returns
    -------
    dict of str to ndarray or Ragged
        The same columns.

    Raises
    ------
    ValueError
        If fields of a sequence differ in length.
    """
    columns = dict(columns)
    for sequence in layout.sequences:
        first = columns[sequence.name]
        for field in sequence.fields:
            column = columns[field.name]
            if column.offsets is first.offsets:
                continue
            if not np.array_equal(column.offsets, first.offsets):
                row = int(np.flatnonzero(column.lengths != first.lengths)[0])
                msg = (
                    f"Columns {sequence.name!r} and {field.name!r} must have the same length in each row: row {row} "
                    f"has {first.lengths[row]} and {column.lengths[row]}. Build both from the same events."
                )
                raise ValueError(msg)
            columns[field.name] = Ragged(column.values, first.offsets)
    return columns


def row_positions(key: Any, n_samples: int) -> NDArray[np.int64]:
    """Return the positions of the rows that a key takes.

    Parameters
    ----------
    key : slice, or array-like of shape (n,) of integers, or of shape (n_samples,) of booleans
        Negative integers count from the end.
    n_samples : int
        Rows there are.

    Returns
    -------
    ndarray of shape (n,), int64
        Between 0 and ``n_samples - 1``.

    Raises
    ------
    IndexError
        If a row does not exist, or a mask has another length.
    TypeError
        If the key is a single row, a pair of rows and columns, or none of these.
    """
    if isinstance(key, Integral) or (isinstance(key, np.ndarray) and key.ndim == 0):
        msg = f"Rows are taken by slice, mask or array; {key!r} was given. For a table of one row use table[[{key}]]."
        raise TypeError(msg)
    if isinstance(key, tuple):
        msg = (
            f"Rows are taken by slice, mask or array, columns by name: {key!r} was given. "
            "Take columns one by one: table['item']."
        )
        raise TypeError(msg)
    if not isinstance(key, slice):
        key = np.asarray(key)
        if key.size == 0 and key.dtype.kind != "b":
            key = key.astype(np.int64)
        if key.ndim != 1 or key.dtype.kind not in "biu":
            msg = (
                f"Rows are taken by slice, mask or array of integers; an array of {key.dtype} of {key.ndim} dimensions "
                "was given. Take columns one by one: table['item']."
            )
            raise TypeError(msg)
    positions: NDArray[np.int64] = np.arange(n_samples)[key]
    return positions
