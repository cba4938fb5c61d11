"""A column of any frame as Arrow arrays and offsets: one form for pandas, polars, pyarrow, NumPy and lists."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, compress
from operator import attrgetter
from typing import Any, NoReturn

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sklearn_din.utils._arrow import arrow_array
from sklearn_din.utils._objects import kind_of, pieces_of_numpy, pieces_of_objects, types_of
from sklearn_din.utils._pieces import Piece, pieces_of_arrow, raise_unusable, row_of, shown
from sklearn_din.utils._ragged import Ragged, offsets_of


@dataclass(frozen=True)
class Column:
    """One column: a value per row, or a list of values per row.

    Attributes
    ----------
    name : str
        As in the frame; ``x0``, ``x1``, … where it has no names.
    n_samples : int
        Rows.
    pieces : tuple of Piece
        The flat values, one piece for each type; a value in none of them is missing.
    offsets : ndarray of shape (n_samples + 1,), int64, or None
        Where the list of each row begins among the flat values; None for a column without lists.
    is_category : bool
        Whether the frame says that the values are categories (pandas ``Categorical``, polars ``Categorical``,
        ``Enum``).
    """

    name: str
    n_samples: int
    pieces: tuple[Piece, ...]
    offsets: NDArray[np.int64] | None = None
    is_category: bool = False

    @property
    def n_values(self) -> int:
        """Flat values, missing ones included."""
        return self.n_samples if self.offsets is None else int(self.offsets[-1])

    @property
    def is_list(self) -> bool:
        """Whether each row holds a list."""
        return self.offsets is not None

    @property
    def is_untyped(self) -> bool:
        """Whether every value is missing, and the frame does not tell a type either."""
        return not self.pieces

    @property
    def is_float(self) -> bool:
        """Whether the values are numbers and some are floats."""
        kinds = [piece.values.type for piece in self.pieces]
        is_number = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
        return is_number and any(pa.types.is_floating(kind) for kind in kinds)

    @property
    def is_integer(self) -> bool:
        """Whether the values are integers."""
        return bool(self.pieces) and all(pa.types.is_integer(piece.values.type) for piece in self.pieces)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Values of each row, shape (n_samples,); 1 in a column without lists."""
        return np.ones(self.n_samples, dtype=np.int64) if self.offsets is None else np.diff(self.offsets)

    def ragged(self, values: NDArray[Any]) -> Ragged:
        """Return other flat ``values`` (n_values,) in the rows of this column."""
        return Ragged(values, offsets_of(self.lengths) if self.offsets is None else self.offsets)

    def row_of(self, position: int) -> int:
        """Return the row (0-based) of the flat value at ``position``."""
        return row_of(self.offsets, position)

    def first_value(self) -> tuple[int, Any]:
        """Return row and value of the first value that is there, or ``(0, None)``."""
        firsts = []
        for piece in self.pieces:
            valid = np.flatnonzero(~pc.is_null(piece.values, nan_is_null=True).to_numpy(zero_copy_only=False))
            if len(valid):
                position = valid[0] if piece.positions is None else piece.positions[valid[0]]
                firsts.append((int(position), piece.values[int(valid[0])].as_py()))
        position, value = min(firsts, key=lambda found: found[0], default=(0, None))
        return self.row_of(position), value

    def as_list(self) -> "Column":
        """Return the column as lists: one without any value holds an empty list in each row."""
        if not self.is_list and self.first_value()[1] is None:
            return replace(self, pieces=(), offsets=np.zeros(self.n_samples + 1, dtype=np.int64))
        return self

    def newest(self, max_length: int) -> "Column":
        """Keep the last ``max_length`` values of each list."""
        return self._part(Ragged.newest, max_length)

    def first(self, max_length: int) -> "Column":
        """Keep the first ``max_length`` values of each list."""
        return self._part(Ragged.first, max_length)

    def _part(self, part: Callable[[Ragged, int], Ragged], max_length: int) -> "Column":
        if self.lengths.max(initial=0) <= max_length:
            return self
        kept = part(self.ragged(np.arange(self.n_values)), max_length)
        pieces = tuple(piece.take(kept.values) for piece in self.pieces)
        return replace(self, pieces=pieces, offsets=kept.offsets)


def read_column(name: str, data: Any) -> Column:
    """Read one column of whatever kind.

    Parameters
    ----------
    name : str
        What to call it.
    data : series of pandas or polars, pyarrow Array or ChunkedArray, ndarray, list or tuple
        A value or a list per row. It is not written to.

    Returns
    -------
    Column
        A missing cell of a list column is an empty list.

    Raises
    ------
    TypeError
        If a value cannot be an id or a number, a cell among lists is no list, or the data are no column.
    ValueError
        If an integer takes more than 64 bits.
    """
    if nw.dependencies.is_into_series(data) and not isinstance(data, pa.ChunkedArray):
        data = _data_of_series(name, data)
    if isinstance(data, np.ma.MaskedArray) and data.ndim == 1:
        is_number = data.dtype.kind in "biuf" and data.dtype.itemsize <= 8
        data = arrow_array(data) if is_number else data.tolist()
    if isinstance(data, pa.ChunkedArray):
        data = data.combine_chunks()
    if isinstance(data, pa.RunEndEncodedArray):
        data = pc.run_end_decode(data)
    if isinstance(data, pa.Array):
        return _read_arrow(name, data)
    if isinstance(data, np.ndarray) and data.ndim == 1 and data.dtype.kind != "O":
        return Column(name, len(data), pieces_of_numpy(name, data))
    if isinstance(data, list | tuple) or (isinstance(data, np.ndarray) and data.ndim == 1):
        return _read_cells(name, list(data))
    shape = f" of shape {data.shape}" if isinstance(data, np.ndarray) else ""
    msg = (
        f"Column {name!r} must be a series, a list or a one-dimensional array; it is a {type(data).__name__}{shape}. "
        "Give one value or one list per row; padded arrays of ids go through EncodedTable.from_padded."
    )
    raise TypeError(msg)


def _data_of_series(name: str, series: Any) -> Any:
    if isinstance(getattr(series, "dtype", None), np.dtype):
        return series.to_numpy()
    wrapped = nw.from_native(series, series_only=True)
    if wrapped.dtype == nw.Object:
        return wrapped.to_list()
    try:
        return wrapped.to_arrow()
    except (pa.ArrowException, TypeError) as error:
        if len(series) == 0:
            return pa.nulls(0)
        msg = (
            f"Column {name!r} has the type {series.dtype}, which cannot be read: row 0 has {shown(wrapped[0])}. "
            "Convert the column first, for example with .astype(str), or to numbers."
        )
        raise TypeError(msg) from error


def _read_arrow(name: str, data: pa.Array) -> Column:
    is_list = pa.types.is_nested(data.type) and not pa.types.is_struct(data.type) and not pa.types.is_map(data.type)
    if not is_list or pa.types.is_union(data.type):
        is_category = pa.types.is_dictionary(data.type)
        return Column(name, len(data), pieces_of_arrow(name, data), is_category=is_category)
    lengths = pc.fill_null(pc.list_value_length(data), 0).cast(pa.int64()).to_numpy()
    offsets = offsets_of(lengths)
    return Column(name, len(data), pieces_of_arrow(name, data.flatten(), offsets), offsets)


def _read_cells(name: str, cells: list[Any]) -> Column:
    kinds = {cell_type: kind_of(cell_type) for cell_type in types_of(cells)}
    lists = {cell_type for cell_type, kind in kinds.items() if kind == "list"}
    if not lists:
        return Column(name, len(cells), pieces_of_objects(name, cells))
    others = {cell_type for cell_type, kind in kinds.items() if kind not in ("list", "missing")}
    if others:
        is_other = list(map(others.__contains__, map(type, cells)))
        for row, cell in compress(enumerate(cells), is_other):
            if not (kinds[type(cell)] == "float" and np.isnan(cell)):
                raise_no_list(name, row, cell)
    is_list, histories = np.ones(len(cells), dtype=bool), cells
    if lists != set(kinds):
        is_list = np.fromiter(map(lists.__contains__, map(type, cells)), dtype=bool, count=len(cells))
        histories = list(compress(cells, is_list.tolist()))
    if all(issubclass(cell_type, list | tuple) for cell_type in lists):
        return _column_of_lists(name, histories, is_list)
    if lists != {np.ndarray}:
        histories = list(map(_as_array, histories))
    return _column_of_arrays(name, histories, is_list)


def _column_of_lists(name: str, histories: list[Any], is_list: NDArray[np.bool_]) -> Column:
    offsets = _offsets_of(histories, is_list)
    return Column(name, len(is_list), pieces_of_objects(name, list(chain.from_iterable(histories)), offsets), offsets)


def _column_of_arrays(name: str, arrays: list[NDArray[Any]], is_list: NDArray[np.bool_]) -> Column:
    if set(map(attrgetter("ndim"), arrays)) != {1}:
        place = next(i for i, array in enumerate(arrays) if array.ndim != 1)
        raise_unusable(
            name, int(np.flatnonzero(is_list)[place]), arrays[place], f"array of {arrays[place].ndim} dimensions"
        )
    offsets = _offsets_of(arrays, is_list)
    # An empty array tells no type: np.array([]) is one of floats, whatever its neighbours are.
    is_filled = np.diff(offsets)[is_list] > 0
    filled = arrays if is_filled.all() else list(compress(arrays, is_filled.tolist()))
    values = _joined(filled)
    if values is None:
        objects = list(chain.from_iterable(array.tolist() for array in filled))
        return Column(name, len(is_list), pieces_of_objects(name, objects, offsets), offsets)
    return Column(name, len(is_list), pieces_of_numpy(name, values, offsets), offsets)


def _joined(arrays: list[Any]) -> NDArray[Any] | None:
    """Return the values of one-dimensional arrays, one array after another; None if their types differ."""
    dtypes = set(map(attrgetter("dtype"), arrays))
    if len(dtypes) != 1:
        return None
    (dtype,) = dtypes
    if dtype.kind in "biuf":
        with suppress(TypeError):  # strides: their bytes do not lie together
            return np.frombuffer(bytearray().join(arrays), dtype)  # a third of the time of np.concatenate
    return np.concatenate(arrays)


def _as_array(history: Any) -> NDArray[Any]:
    if isinstance(history, np.ma.MaskedArray):
        history = history.tolist()
    if isinstance(history, list | tuple):
        return np.fromiter(history, dtype=object, count=len(history))
    return np.asarray(history)


def _offsets_of(histories: list[Any], is_list: NDArray[np.bool_]) -> NDArray[np.int64]:
    lengths = np.zeros(len(is_list), dtype=np.int64)
    lengths[is_list] = np.fromiter(map(len, histories), dtype=np.int64, count=len(histories))
    return offsets_of(lengths)


def raise_no_list(name: str, row: int, value: Any) -> NoReturn:
    """Raise the ``TypeError`` for a cell of a list column that is no list.

    Parameters
    ----------
    name : str
        The column.
    row : int
        0-based.
    value : object
        The cell.

    Raises
    ------
    TypeError
        Always; text with separators gets the hint how to split it.
    """
    advice = "Give a list of values in each row, oldest first."
    separator = next((mark for mark in "|,;^ " if mark in value), "|") if isinstance(value, str) else None
    if isinstance(value, str) and value.lstrip().startswith(("[", "(")):
        advice = "The text is a list that was written out: parse it first, for example with .map(json.loads)."
    elif separator is not None:
        advice = f'Split the text into lists first: .str.split("{separator}").'
    msg = f"Column {name!r} must hold a list in each row: row {row} has {shown(value)}. {advice}"
    raise TypeError(msg)
