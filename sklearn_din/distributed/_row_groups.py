"""The row groups of a Parquet dataset, read one at a time."""

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from sklearn_din.utils._pieces import shown

PANDAS_INDEX = r"__index_level_\d+__"  # what pandas calls an index without a name that it writes


class RowGroups:
    """The row groups of a dataset in order of the paths of its files, and the columns of a fit.

    Parameters
    ----------
    source : str, path, list of paths or pyarrow.dataset.Dataset
        A Parquet file, a folder of them (folders called ``name=value`` are a column), files, or a dataset.
    target : str
        The column of the target.
    sample_weight : str or None
        The column of the weights.

    Attributes
    ----------
    sizes : ndarray of shape (n_groups,), int64
        Rows of each.

    Raises
    ------
    ValueError
        If a column is missing, the files have other columns or types than each other, or the dataset has no rows.
    TypeError
        If a column is not given by its name, or the dataset is not of Parquet files.
    """

    def __init__(self, source: Any, target: Any, sample_weight: Any = None) -> None:
        self.dataset = _as_dataset(source)
        names = self.dataset.schema.names
        for role, name in (("y", target), ("sample_weight", sample_weight)):
            if name is not None or role == "y":
                _check_column(role, name, names)
        if target == sample_weight:
            msg = f"y and sample_weight must be two columns: both are {shown(target)}. Name the column of the weights."
            raise ValueError(msg)
        self.target, self.sample_weight = target, sample_weight
        others = (name for name in names if name not in (target, sample_weight))
        self.features = [name for name in others if not re.fullmatch(PANDAS_INDEX, name)]
        fragments = _fragments(self.dataset)
        self.schema = common_schema(self.dataset, fragments)
        self._groups = [group for fragment in fragments for group in fragment.split_by_row_group()]
        self._groups = [group for group in self._groups if group.row_groups[0].num_rows]
        self._last: int | None = None
        self.sizes: NDArray[np.int64] = np.array([group.row_groups[0].num_rows for group in self._groups], dtype=int)
        if not self.n_rows:
            msg = f"There are no rows to learn from in {shown(str(source))}. Give a folder of Parquet files with rows."
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def n_rows(self) -> int:
        """Of all groups together."""
        return int(self.sizes.sum())

    @property
    def digest(self) -> int:
        """Of the names of the files, and the rows of their groups: the same where the files are."""
        places = [(group.path.rpartition("/")[2], group.row_groups[0].id) for group in self._groups]
        return zlib.crc32(repr((places, self.sizes.tolist(), self.target, self.sample_weight)).encode())

    @property
    def starts(self) -> NDArray[np.int64]:
        """The number of rows before each group, shape (n_groups,)."""
        return np.cumsum(self.sizes) - self.sizes

    def frame(self, group: int) -> pa.Table:
        """Return the columns of a group but for target and weight.

        Parameters
        ----------
        group : int
            From 0.

        Returns
        -------
        pyarrow.Table
            Its rows in order.
        """
        self._last = group
        return self._read(group, self.features)

    @contextmanager
    def naming_places(self) -> Iterator[None]:
        """Let errors inside the block say which row group was read last."""
        try:
            yield
        except (TypeError, ValueError) as error:
            if self._last is not None:
                error.add_note(f"Rows are counted in {self.place(self._last)}.")
            raise

    def target_and_weight(self, group: int) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """Return target and weight of the rows of a group.

        Parameters
        ----------
        group : int
            From 0.

        Returns
        -------
        target : ndarray of shape (n_rows,)
            As NumPy has it.
        weight : ndarray of shape (n_rows,) or None
            None where no column of weights was named.

        Raises
        ------
        ValueError
            If a value is missing.
        """
        names = [self.target] if self.sample_weight is None else [self.target, self.sample_weight]
        table = self._read(group, names)
        target, *weights = (self._array(table[name], name, group) for name in names)
        if weights and weights[0].dtype.kind not in "biuf":
            msg = f"Column {self.sample_weight!r} must hold weights, which are numbers: it holds {weights[0].dtype}. "
            msg += "Name the column of the weights, or write them as numbers."
            raise TypeError(msg)
        return target, weights[0].astype(np.float64) if weights else None

    def place(self, group: int) -> str:
        """Return what a message calls a group.

        Parameters
        ----------
        group : int
            From 0.

        Returns
        -------
        str
            Its number in its file.
        """
        fragment = self._groups[group]
        return f"row group {fragment.row_groups[0].id} of {fragment.path}"

    def share(self, rank: int, count: int) -> Sequence[int]:
        """Return the groups that one of several processes is to read: neighbours, with a like number of rows.

        Parameters
        ----------
        rank, count : int
            Which process of how many.

        Returns
        -------
        sequence of int
            At least one group.

        Raises
        ------
        ValueError
            If there are fewer groups than processes.
        """
        if len(self) < count:
            msg = (
                f"Each process must have a row group to read: there are {len(self)} row groups and {count} processes. "
                "Write more files, or smaller groups (row_group_size of pyarrow.parquet.write_table)."
            )
            raise ValueError(msg)
        wanted = np.arange(1, count) * self.n_rows / count  # rows before each process but the first
        cuts = np.searchsorted(self.starts + self.sizes / 2, wanted)
        least, most = np.arange(1, count), len(self) - count + np.arange(1, count)
        edges = [0, *np.maximum.accumulate(np.clip(cuts, least, most) - least) + least, len(self)]
        return range(int(edges[rank]), int(edges[rank + 1]))

    def _read(self, group: int, columns: list[str]) -> pa.Table:
        return self._groups[group].to_table(schema=self.schema, columns=columns)

    def _array(self, column: pa.ChunkedArray, name: str, group: int) -> NDArray[Any]:
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy())[0])
            msg = (
                f"Column {name!r} must have a value in each row: it has none in row {row} of {self.place(group)}. "
                "Leave such rows out."
            )
            raise ValueError(msg)
        values: NDArray[Any] = column.to_numpy()
        return values.astype(np.str_) if isinstance(values[0], str) else values


def is_parquet(X: Any) -> bool:
    """Return whether rows are given as Parquet files: as a path, a list of paths or a dataset.

    Parameters
    ----------
    X : object
        What the user gave.

    Returns
    -------
    bool
        Nothing is read.
    """
    is_list = isinstance(X, list | tuple) and len(X) > 0 and all(isinstance(each, str | os.PathLike) for each in X)
    return is_list or isinstance(X, str | os.PathLike | ds.Dataset)


def common_schema(dataset: ds.Dataset, fragments: Sequence[ds.ParquetFileFragment]) -> pa.Schema:
    """Return the types that the columns of all files have in common; a column may be null or narrower in some.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        Its columns.
    fragments : sequence of ParquetFileFragment
        Its files.

    Returns
    -------
    pyarrow.Schema
        Of the columns of the dataset, in order.

    Raises
    ------
    ValueError
        If a file has other columns than the first one, or a column of another kind; the message names them.
    """
    common: pa.Schema | None = None
    first: Any = fragments[0] if fragments else None
    for fragment in fragments:
        of_folders = ds.get_partition_keys(fragment.partition_expression)
        fields = fragment.metadata.schema.to_arrow_schema()
        schema = pa.schema([each for each in fields if each.name not in of_folders])
        if common is None:
            common = schema
            continue
        missing, more = set(common.names) - set(schema.names), set(schema.names) - set(common.names)
        if missing or more:
            name = min(missing or more)
            msg = (
                f"All files must have the same columns: {fragment.path} has {'no' if missing else 'a'} column "
                f"{name!r}, unlike {first.path}. Write the columns that the model is to see, and no others."
            )
            raise ValueError(msg)
        common = pa.schema([_common_field(common.field(each.name), each, fragment, first) for each in schema])
    types = {} if common is None else dict(zip(common.names, common.types, strict=True))
    return pa.schema([each.with_type(types.get(each.name, each.type)) for each in dataset.schema])


def _common_field(one: pa.Field, other: pa.Field, fragment: Any, first: Any) -> pa.Field:
    error: Exception | None = None
    if _may_be_joined(one.type, other.type):
        try:
            return pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive").field(0)
        except pa.ArrowException as caught:
            error = caught
    msg = (
        f"A column must be of one kind in all files: {one.name!r} is of type {one.type} in {first.path} and of "
        f"{other.type} in {fragment.path}. Write it in the same way in all."
    )
    raise ValueError(msg) from error


def _may_be_joined(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether values of two types mean the same in a common one; Arrow joins more types than these.

    Text and bytes are different values. A float32 may have lost digits of an id, which a float64 made of it hides.
    """
    one, other = (each.value_type if hasattr(each, "value_type") else each for each in (one, other))
    if one == other:
        return True
    is_binary = [pa.types.is_binary(each) or pa.types.is_large_binary(each) for each in (one, other)]
    is_short = [pa.types.is_float16(each) or pa.types.is_float32(each) for each in (one, other)]
    is_null = [pa.types.is_null(each) for each in (one, other)]
    return any(is_null) or (is_binary[0] == is_binary[1] and not any(is_short))


def _check_column(role: str, name: Any, names: Sequence[str]) -> None:
    if not isinstance(name, str):
        msg = f"{role} must be the name of a column of the Parquet files: got {shown(name)}. Give its name."
        raise TypeError(msg)
    if names and name not in names:
        msg = f"{role} must be a column of the Parquet files: there is no {name!r}. They have {', '.join(names)}."
        raise ValueError(msg)


def _as_dataset(source: Any) -> ds.Dataset:
    if not is_parquet(source):
        msg = (
            f"Parquet files are given as a path, a list of paths or a dataset: got {type(source).__name__}. "
            "Give the folder, or fit the frame with fit."
        )
        raise TypeError(msg)
    dataset = source
    if not isinstance(source, ds.Dataset):
        paths = [str(each) for each in source] if isinstance(source, list | tuple) else source
        dataset = ds.dataset(paths, format="parquet", partitioning="hive")
    if not (isinstance(dataset, ds.FileSystemDataset) and isinstance(dataset.format, ds.ParquetFileFormat)):
        msg = f"The dataset must be one of Parquet files: got {dataset!r}. Write it with pyarrow.parquet first."
        raise TypeError(msg)
    return dataset


def _fragments(dataset: ds.Dataset) -> list[ds.ParquetFileFragment]:
    """Return the files in order of their paths."""
    try:
        return sorted(dataset.get_fragments(), key=lambda each: each.path)
    except ValueError as error:
        msg = f"The dataset must have all rows of its files: {error}. Write the rows that are wanted to files first."
        raise ValueError(msg) from error
