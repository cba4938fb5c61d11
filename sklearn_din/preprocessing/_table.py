"""The encoded rows: what the encoder hands to the network."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from sklearn_din.layout import FeatureLayout
from sklearn_din.preprocessing._padded import read_padded
from sklearn_din.preprocessing._table_columns import in_order, row_positions, share_offsets
from sklearn_din.utils._ragged import Ragged, concatenate, take_together

_MEASURING = {np.ndim, np.shape, np.size}  # they look at no value
_JOINING = {np.append, np.block, np.column_stack, np.concatenate, np.dstack, np.hstack, np.insert, np.stack, np.vstack}


class EncodedTable:
    """Rows of ids and numbers, as ``BehaviorEncoder.transform`` returns them.

    To the eye a mapping of arrays with one entry per row; inside, histories are stored ragged, so that memory follows
    the real behaviors. It slices by rows, and passes through the splitters and searches of scikit-learn.

    Parameters
    ----------
    layout : FeatureLayout
        What the columns are.
    columns : mapping of str to ndarray of shape (n_samples,) or Ragged
        One for each of ``layout.columns``: ids as int32, numbers as float32, list columns as ``Ragged``.

    Attributes
    ----------
    layout : FeatureLayout
        What the columns are.

    Raises
    ------
    ValueError
        If the columns are not those of the layout, or differ in rows or, within a sequence, in lengths.

    See Also
    --------
    BehaviorEncoder : Makes tables from frames with list columns.

    Notes
    -----
    A table with ids does not become an array by itself, in ``np.asarray`` or in a tool that takes numbers: it raises
    ``TypeError``. ``to_numpy()`` gives the padded ids.

    Examples
    --------
    >>> from sklearn_din.preprocessing import EncodedTable
    >>> table = EncodedTable.from_padded(
    ...     {"item": [7, 8], "hist_item": [[8, 0], [0, 0]]}, behavior_features={"hist_item": "item"}
    ... )
    >>> table["hist_item"]
    array([[10,  0],
           [ 0,  0]], dtype=int32)
    >>> table[1:]["item"]
    array([10], dtype=int32)
    """

    __iter__ = None

    def __init__(self, layout: FeatureLayout, columns: Mapping[str, NDArray[Any] | Ragged]) -> None:
        self.layout = layout
        self._columns = share_offsets(layout, in_order(layout, columns))

    @classmethod
    def from_padded(
        cls,
        arrays: Mapping[str, ArrayLike],
        *,
        behavior_features: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None = None,
        pad: int = 0,
        layout: FeatureLayout | None = None,
    ) -> "EncodedTable":
        """Take padded arrays of ids, as most click-prediction libraries have them.

        Parameters
        ----------
        arrays : mapping of str to array-like of shape (n_samples,) or (n_samples, length)
            One-dimensional integers are categories, one-dimensional floats numbers (taken as they are), two-dimensional
            integers ids; those that ``behavior_features`` does not name are bags. Padding may stand before or after.
        behavior_features : dict or list of dict, default=None
            As for ``BehaviorEncoder``. A two-dimensional array of floats must be a behavior-only field (None) of a
            sequence that also has a field of ids, which tells its lengths.
        pad : int, default=0
            What fills the rows. A single category equal to it is unknown.
        layout : FeatureLayout, default=None
            That of the training table, for rows to predict: ids beyond its tables become unknown, longer histories keep
            their newest behaviors. None to take the sizes from the arrays.

        Returns
        -------
        EncodedTable
            Id ``k`` is ``k + 2``, which leaves 0 for padding and 1 for unknown.

        Raises
        ------
        TypeError
            If an array is neither of integers nor of floats, or of the wrong dimension.
        ValueError
            If an id is negative, padding stands between values, fields of a sequence differ in length, or the arrays
            do not fit ``behavior_features`` or ``layout``.
        """
        return cls(*read_padded(arrays, behavior_features=behavior_features, pad=pad, layout=layout))

    @classmethod
    def concatenate(cls, tables: Iterable["EncodedTable"]) -> "EncodedTable":
        """Put the rows of tables one after another.

        Parameters
        ----------
        tables : iterable of EncodedTable
            At least one, all of the same layout.

        Returns
        -------
        EncodedTable
            The rows in order.

        Raises
        ------
        ValueError
            If there is no table, or the layouts differ.
        """
        tables = list(tables)
        if not tables:
            msg = "There is no table to concatenate. Give at least one EncodedTable."
            raise ValueError(msg)
        layout = tables[0].layout
        for position, table in enumerate(tables):
            if table.layout != layout:
                msg = (
                    f"Tables must have the same layout to be concatenated: tables 0 and {position} differ. "
                    "Encode both with the same fitted encoder."
                )
                raise ValueError(msg)
        columns: dict[str, NDArray[Any] | Ragged] = {}
        for name in layout.columns:
            if name in layout.list_columns:
                columns[name] = concatenate([table.ragged(name) for table in tables])
            else:
                columns[name] = np.concatenate([table[name] for table in tables])
        return cls(layout, columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of ``to_numpy()``."""
        n_lists = len(self.layout.list_columns)
        return len(self), len(self.layout.columns) + n_lists * (self.layout.max_length - 1)

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns.

        Returns
        -------
        tuple of str
            In order of ``layout.columns``.
        """
        return self.layout.columns

    def __getitem__(self, key: Any) -> Any:
        """Return a column by its name, or the table of some rows."""
        if isinstance(key, str):
            column = self._column(key)
            return column.padded(self.layout.max_length) if isinstance(column, Ragged) else _read_only(column)
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        return self._take(row_positions(key, len(self)))

    def ragged(self, name: str) -> Ragged:
        """Return a list column as it is stored.

        Parameters
        ----------
        name : str
            A field of a sequence, or a bag.

        Returns
        -------
        Ragged
            Its values and offsets, which the fields of a sequence share. Not to be written to.

        Raises
        ------
        KeyError
            If there is no such column.
        TypeError
            If the column has one value per row.
        """
        column = self._column(name)
        if not isinstance(column, Ragged):
            msg = f"Column {name!r} is no list column; it has one value per row. Take table[{name!r}]."
            raise TypeError(msg)
        return column

    def lengths(self, name: str) -> NDArray[np.int64]:
        """Return how many values each row of a list column has.

        Parameters
        ----------
        name : str
            A field of a sequence, or a bag.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            At most ``layout.max_length``.
        """
        return self.ragged(name).lengths

    def to_numpy(self) -> NDArray[np.float64]:
        """Return all columns as one matrix, list columns padded with zeros at the end.

        Returns
        -------
        ndarray of shape (n_samples, width), float64
            Its columns are called ``layout.padded_names``.
        """
        matrix = np.empty(self.shape, dtype=np.float64)
        start = 0
        for name in self.layout.columns:
            block = self[name].reshape(len(self), -1) if len(self) else np.empty((0, 1))
            matrix[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        return matrix

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if self.layout.columns != self.layout.numeric:
            msg = (
                f"{self!r} does not become an array by itself: whoever asked for one, such as a tool of scikit-learn, "
                "would take its ids for numbers. Give that tool a frame and a Pipeline that encodes it, if it takes "
                "frames; for the padded ids themselves use table.to_numpy()."
            )
            raise TypeError(msg)
        if copy is False:
            msg = "An EncodedTable cannot become an array without a copy; copy=False was given. Use table.to_numpy()."
            raise ValueError(msg)
        return self.to_numpy().astype(np.float64 if dtype is None else dtype, copy=False)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in _JOINING:
            msg = (
                f"np.{func.__name__} cannot join an EncodedTable with other columns or tables: its ids would become "
                "anonymous numbers. To add numeric columns, give BehaviorEncoder a numeric_transformer (a "
                "ColumnTransformer, for example) instead of a ColumnTransformer or FeatureUnion around it; to append "
                "rows use EncodedTable.concatenate."
            )
            raise TypeError(msg)
        if func in _MEASURING:
            shape = np.broadcast_to(np.empty(()), self.shape)  # takes no memory
            return func(shape, *args[1:], **{name: value for name, value in kwargs.items() if name != "a"})
        return func(*_as_arrays(args), **{name: _as_arrays(value) for name, value in kwargs.items()})

    def __repr__(self) -> str:
        lists = set(self.layout.list_columns)
        names = [f"{name}[≤{self.layout.max_length}]" if name in lists else name for name in self.layout.columns]
        return f"EncodedTable({len(self)} rows: {', '.join(names[:8])}{', …' if len(names) > 8 else ''})"

    def _column(self, name: str) -> NDArray[Any] | Ragged:
        if name not in self._columns:
            msg = f"The table has no column {name!r}. Its columns are {', '.join(map(repr, self.keys()))}."
            raise KeyError(msg)
        return self._columns[name]

    def _take(self, rows: NDArray[np.int64]) -> "EncodedTable":
        columns: dict[str, NDArray[Any] | Ragged] = {}
        groups = [[field.name for field in sequence.fields] for sequence in self.layout.sequences]
        for names in [*groups, *([column.name] for column in self.layout.bags)]:
            columns |= dict(zip(names, take_together([self.ragged(name) for name in names], rows), strict=True))
        for name, column in self._columns.items():
            if not isinstance(column, Ragged):
                columns[name] = column[rows]
        return EncodedTable(self.layout, columns)


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to: the array is the table's own, and other tables may share it."""
    view = column.view()
    view.flags.writeable = False
    return view


def _as_arrays(value: Any) -> Any:
    if isinstance(value, EncodedTable):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return type(value)(_as_arrays(part) for part in value)
    return value
