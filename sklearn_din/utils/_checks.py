"""Checks of data whose errors say what is wrong, what was given and what to do, by column, row and value."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.utils._columns import Column, raise_no_list
from sklearn_din.utils._pieces import shown

LARGEST = float(np.finfo(np.float32).max)


def check_is_list(column: Column) -> Column:
    """Return the column as a list column.

    Parameters
    ----------
    column : Column
        A column without any value counts as empty lists.

    Returns
    -------
    Column
        With offsets.

    Raises
    ------
    TypeError
        If it holds single values.
    """
    column = column.as_list()
    if not column.is_list:
        raise_no_list(column.name, *column.first_value())
    return column


def check_is_scalar(column: Column, role: str, advice: str) -> Column:
    """Return the column if it holds a single value per row.

    Parameters
    ----------
    column : Column
        The column.
    role : str
        What it is to be, for the message.
    advice : str
        What to do about lists.

    Returns
    -------
    Column
        The same.

    Raises
    ------
    TypeError
        If it holds lists.
    """
    if column.is_list:
        row, value = column.first_value()
        msg = (
            f"Column {column.name!r} cannot be {role}, because it holds lists: the list in row {row} has the value "
            f"{shown(value)}. {advice}"
        )
        raise TypeError(msg)
    return column


def check_same_lengths(first: Column, other: Column) -> None:
    """Check that two list columns have equally long lists in each row.

    Parameters
    ----------
    first, other : Column
        Fields of one sequence.

    Raises
    ------
    ValueError
        If a row differs.
    """
    lengths, other_lengths = first.lengths, other.lengths
    if np.array_equal(lengths, other_lengths):
        return
    row = int(np.flatnonzero(lengths != other_lengths)[0])
    msg = (
        f"Columns {first.name!r} and {other.name!r} must have the same length in each row: row {row} has "
        f"{lengths[row]} and {other_lengths[row]}. Build both from the same events, for example with build_histories."
    )
    raise ValueError(msg)


def check_columns_exist(names: Iterable[Any], available: Sequence[str], parameter: str) -> None:
    """Check that a parameter names columns of the frame.

    Parameters
    ----------
    names : iterable of str
        What the parameter names.
    available : sequence of str
        The columns there are.
    parameter : str
        Its name, for the message.

    Raises
    ------
    ValueError
        If a name is missing from the frame.
    """
    for name in names:
        if name not in available:
            there = ", ".join(map(repr, available[:20])) + (", …" if len(available) > 20 else "")
            msg = (
                f"{parameter} names the column {name!r}, which X does not have. Its columns are {there}. "
                "Correct the name."
            )
            raise ValueError(msg)


def check_finite(column: Column, values: NDArray[np.float64]) -> None:
    """Check that numbers fit in float32; NaN, a missing number, does.

    Parameters
    ----------
    column : Column
        Where they are from, for the message.
    values : ndarray of shape (n_values,)
        Its flat values.

    Raises
    ------
    ValueError
        If one is infinite or beyond float32.
    """
    smallest, largest = np.fmin.reduce(values, initial=0.0), np.fmax.reduce(values, initial=0.0)  # as if NaN were 0
    if max(-smallest, largest) > LARGEST:
        bad = np.flatnonzero(np.abs(values) > LARGEST)
        msg = (
            f"Column {column.name!r} holds infinity or a number too large for float32: row {column.row_of(bad[0])} has "
            f"{shown(values[bad[0]])}. Replace it by a finite number, or by NaN if it is missing."
        )
        raise ValueError(msg)
