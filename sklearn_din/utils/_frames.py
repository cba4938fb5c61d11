"""Any frame as named columns that are read when they are asked for, and a frame of the same kind back."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sklearn_din.utils._columns import Column, read_column
from sklearn_din.utils._pieces import shown

KINDS = frozenset({"pandas", "polars", "pyarrow", "dict", "array"})


class Frame:
    """Columns of one length under their names; a column is read on first use.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    data : sequence of series or arrays
        The columns as they came.
    n_samples : int
        Rows.
    kind : {"pandas", "polars", "pyarrow", "dict", "array"}
        What the columns came in.
    is_named : bool
        Whether the names are the user's, not ``x0``, ``x1``, ….
    """

    def __init__(self, names: Sequence[str], data: Sequence[Any], *, n_samples: int, kind: str, is_named: bool) -> None:
        self.names = list(names)
        self.n_samples = n_samples
        self.kind = kind
        self.is_named = is_named
        self._data = dict(zip(names, data, strict=True))
        self._read: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._read:
            self._read[name] = read_column(name, self._data[name])
        return self._read[name]

    def renamed(self, names: Sequence[str]) -> "Frame":
        """Return the same columns under other names, in their order."""
        data = list(self._data.values())
        return Frame(names, data, n_samples=self.n_samples, kind=self.kind, is_named=self.is_named)

    def reordered(self, names: Sequence[str]) -> "Frame":
        """Return the same columns in another order; names that are not the same set change nothing."""
        if set(names) != set(self.names):
            return self
        data = [self._data[name] for name in names]
        return Frame(names, data, n_samples=self.n_samples, kind=self.kind, is_named=self.is_named)

    def skeleton(self) -> pa.Table:
        """Return a table of the same names and rows without any value, for checks of names and shape."""
        return pa.table({name: pa.nulls(self.n_samples) for name in self.names})


def is_frame(X: object) -> bool:
    """Return whether ``X`` has columns: a data frame that is in memory or lazy, or a mapping.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    bool
        False for arrays and lists.
    """
    # A sparse matrix of dictionary form is a mapping too, and has a shape.
    is_mapping = isinstance(X, Mapping) and not hasattr(X, "shape")
    return is_mapping or nw.dependencies.is_into_dataframe(X) or _is_lazy(X)


def read_frame(X: Any) -> Frame:
    """Take a frame apart into columns.

    Parameters
    ----------
    X : data frame of pandas, polars, pyarrow or another library that narwhals knows, or dict of columns
        A frame whose names are no strings (pandas) counts as one without names.

    Returns
    -------
    Frame
        Its columns, not read yet.

    Raises
    ------
    TypeError
        If the frame is lazy, or a name in a dict is no string.
    ValueError
        If a name occurs twice, or the columns of a dict have different lengths.
    """
    if isinstance(X, Mapping):
        return _read_mapping(X)
    if _is_lazy(X):
        msg = f"X must be a frame in memory; it is a lazy {type(X).__name__}. Call .collect() first."
        raise TypeError(msg)
    frame = nw.from_native(X, eager_only=True)
    names = frame.columns
    is_named = all(isinstance(name, str) for name in names)
    series = [column.to_native() for column in frame.iter_columns()]
    return Frame(
        names if is_named else anonymous_names(len(names)),
        series,
        n_samples=frame.shape[0],
        kind=str(frame.implementation.value) if not frame.implementation.is_pandas_like() else "pandas",
        is_named=is_named,
    )


def read_array(X: NDArray[Any]) -> Frame:
    """Take a plain array apart into columns ``x0``, ``x1``, ….

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Numbers.

    Returns
    -------
    Frame
        Of kind "array".
    """
    return Frame(anonymous_names(X.shape[1]), list(X.T), n_samples=len(X), kind="array", is_named=False)


def build_frame(kind: str, columns: Mapping[str, Any], *, is_named: bool = True) -> Any:
    """Put columns together into a frame.

    Parameters
    ----------
    kind : {"pandas", "polars", "pyarrow", "dict", "array"}
        What to build.
    columns : mapping of str to pyarrow.Array ("polars", "pyarrow"), or to ndarray of shape (n_samples,)
        The columns in order.
    is_named : bool, default=True
        For pandas: whether to keep the names instead of 0, 1, ….

    Returns
    -------
    DataFrame, pyarrow.Table, dict or ndarray
        Holding the columns.
    """
    if kind == "array":
        return np.column_stack(list(columns.values()))
    if kind == "dict":
        return dict(columns)
    if kind == "pandas":
        import pandas as pd

        # Left to itself pandas turns the None of an object column into NaN.
        has_none = {name: column.dtype == object and None in column.tolist() for name, column in columns.items()}
        series = {name: pd.Series(column, dtype=object if has_none[name] else None) for name, column in columns.items()}
        frame = pd.DataFrame(series)
        return frame if is_named else frame.set_axis(range(len(columns)), axis=1)
    table = pa.table(dict(columns))
    if kind == "pyarrow":
        return table
    return nw.from_arrow(table, backend="polars").to_native()


def anonymous_names(n_columns: int) -> list[str]:
    """Return scikit-learn's names of columns without names.

    Parameters
    ----------
    n_columns : int
        How many.

    Returns
    -------
    list of str
        ``x0``, ``x1``, ….
    """
    return [f"x{position}" for position in range(n_columns)]


def _is_lazy(X: object) -> bool:
    return bool(nw.dependencies.is_polars_lazyframe(X))


def _read_mapping(X: Mapping[Any, Any]) -> Frame:
    lengths = {}
    for name, column in X.items():
        if not isinstance(name, str):
            msg = f"Names of columns must be strings; {name!r} is a {type(name).__name__}. Rename the column."
            raise TypeError(msg)
        if not hasattr(column, "__len__") or isinstance(column, str | bytes | Mapping):
            msg = (
                f"Column {name!r} must be a list or an array: got {shown(column)}. Give a list with a value per row, "
                "of length 1 for one row."
            )
            raise TypeError(msg)
        lengths[name] = len(column)
    if len(set(lengths.values())) > 1:
        first, other = next(
            (a, b) for a, b in zip(lengths, list(lengths)[1:], strict=False) if lengths[a] != lengths[b]
        )
        msg = (
            f"Columns must have the same number of rows: {first!r} has {lengths[first]} and {other!r} has "
            f"{lengths[other]}. Give one value per row in each column."
        )
        raise ValueError(msg)
    n_samples = next(iter(lengths.values()), 0)
    return Frame(list(X), list(X.values()), n_samples=n_samples, kind="dict", is_named=True)
