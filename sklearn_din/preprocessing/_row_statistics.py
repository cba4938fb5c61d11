"""What an encoding is learnt from: counts of values and moments of numbers, of rows that come in chunks."""

from typing import Any

from sklearn.base import BaseEstimator

from sklearn_din.preprocessing._chunk_columns import ChunkColumns
from sklearn_din.preprocessing._input import check_has_rows, frame_of, record_columns
from sklearn_din.preprocessing._moments import Moments
from sklearn_din.preprocessing._numeric import NumericColumns
from sklearn_din.preprocessing._open_fields import OpenField
from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.preprocessing._value_counts import ValueCounts
from sklearn_din.utils._frames import Frame


class RowStatistics:
    """Statistics of rows, which can be added to, and merged with those of other rows.

    Chunk by chunk, in any order and on several processes, they become the same as of all rows at once. They hold no
    rows: their size is that of the distinct values.

    Parameters
    ----------
    encoder : BehaviorEncoder
        Its parameters say what is counted. It stays as it is. A pickle leaves it out: what comes from one can be
        merged, and learnt from, but takes no more rows.

    Attributes
    ----------
    n_samples : int
        Rows so far.
    columns : ChunkColumns or None
        What the columns are; None before the first row.
    tables : dict of str to ValueCounts
        By the name of the embedding table: candidate columns with their list columns, categories, and bags.
    open_fields : dict of str to OpenField
        Behavior-only fields.
    families : dict of str to frozenset of str
        Families of the values of candidate columns and of their list columns.
    moments : dict of str to Moments
        Of the numeric columns.
    numeric : NumericColumns or None
        With the user's transformer, if there is one and there are numeric columns.
    is_of_fit : bool
        Whether the last rows are those of ``fit``, after which values that are cut are held in memory only.
    """

    def __init__(self, encoder: BaseEstimator) -> None:
        self._encoder: Any = type(encoder)(**encoder.get_params(deep=False))
        self.n_samples = 0
        self.columns: ChunkColumns | None = None
        self.tables: dict[str, ValueCounts] = {}
        self.open_fields: dict[str, OpenField] = {}
        self.families: dict[str, frozenset[str]] = {}
        self.moments: dict[str, Moments] = {}
        self.numeric: NumericColumns | None = None
        self.is_of_fit = False

    def add(self, X: Any, y: Any = None, *, is_fit: bool = False) -> RawRows:
        """Add rows. After an error the statistics are of no more use; add to a copy to keep them.

        Parameters
        ----------
        X : frame, dict of columns, or array-like of shape (n_samples, n_features)
            At least one row.
        y : array-like of shape (n_samples,), default=None
            Handed to the numeric transformer.
        is_fit : bool, default=False
            Whether these are all rows, so that ``fit`` of the user's transformer is called and not ``partial_fit``.

        Returns
        -------
        RawRows
            The rows.

        Raises
        ------
        TypeError
            If a column holds what its role does not allow, or the user's transformer cannot learn from chunks.
        ValueError
            If the columns are not those of the rows before, or a value is not valid.
        """
        frame = self._frame_of(X)
        if self.columns is None:
            self.columns = ChunkColumns.of(X, frame, self._encoder)
            record_columns(self._encoder, frame.names, is_named=frame.is_named)
            self._begin(self.columns)
        else:
            self.columns = self.columns.of_next(X, frame, self._encoder)
        rows = RawRows(frame, self.columns.roles, self.columns.max_length)
        self._count(rows)
        self._learn_numbers(rows, y, is_fit=is_fit)
        self.n_samples += frame.n_samples
        self.is_of_fit = is_fit
        return rows

    def merge(self, other: "RowStatistics") -> "RowStatistics":
        """Add the statistics of other rows.

        Parameters
        ----------
        other : RowStatistics
            Of an encoder of the same parameters, perhaps of another process. It stays as it is.

        Returns
        -------
        RowStatistics
            Itself. After an error it is of no more use.

        Raises
        ------
        TypeError
            If both hold a transformer of the user's, which cannot be merged.
        ValueError
            If the columns are not the same.
        """
        if other.columns is None:
            return self
        if self.columns is None:
            self._take(other)
            return self
        numeric = self.numeric or other.numeric
        if numeric is not None:
            msg = (
                "What numeric_transformer has learnt of different rows can't be merged: "
                f"{type(numeric.transformer).__name__} learns from one chunk after another. Use the default (None), "
                "or learn on one process."
            )
            raise TypeError(msg)
        self.columns = self.columns.merged(other.columns)
        for name, counts in other.tables.items():
            self.tables[name].merge(counts)
        for name, field in other.open_fields.items():
            self.open_fields[name].merge(field)
        for name, families in other.families.items():
            self.families[name] |= families
        for name, moments in other.moments.items():
            self.moments[name] += moments
        self.n_samples += other.n_samples
        self.is_of_fit = False
        return self

    def copy(self, encoder: BaseEstimator) -> "RowStatistics":
        """Return statistics to go on with, which leave these as they are.

        Parameters
        ----------
        encoder : BehaviorEncoder
            With the parameters from now on.

        Returns
        -------
        RowStatistics
            Of the same rows.
        """
        copied = RowStatistics(encoder)
        copied._take(self)
        if self.columns is not None:
            record_columns(copied._encoder, self.columns.names, is_named=self.columns.is_named)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_encoder"}

    @property
    def vocabularies(self) -> dict[str, ValueCounts]:
        """The values that get ids, by the name of the embedding table."""
        fields = {name: each.counts for name, each in self.open_fields.items() if not each.is_numeric}
        return self.tables | fields

    @property
    def number_fields(self) -> dict[str, OpenField]:
        """The behavior-only fields that hold numbers."""
        return {name: each for name, each in self.open_fields.items() if each.is_numeric}

    @property
    def numeric_columns(self) -> NumericColumns | None:
        """The fitted transformer of the numeric columns; None if there are none."""
        if self.numeric is not None or not self.moments:
            return self.numeric
        return NumericColumns.of_moments(list(self.moments.values()), self.n_samples, list(self.moments))

    def _frame_of(self, X: Any) -> Frame:
        frame = frame_of(self._encoder, X, reset=self.columns is None)
        check_has_rows(self._encoder, frame)
        return frame if self.columns is None else frame.renamed(self.columns.names)

    def _begin(self, columns: ChunkColumns) -> None:
        roles = columns.roles
        self.tables = {name: ValueCounts() for name in (*roles.categorical, *roles.bags)}
        self.open_fields = {name: OpenField(name) for name, candidate in roles.fields.items() if candidate is None}
        self.families = {each: frozenset() for pair in roles.pairs for each in pair}
        self.moments = {name: Moments() for name in roles.numeric}

    def _count(self, rows: RawRows) -> None:
        sharing: dict[str, list[str]] = {name: [name] for name in self.tables}
        for name, candidate in rows.roles.pairs:
            sharing[candidate].append(name)
        for table, names in sharing.items():
            self.tables[table].add([rows.items(name) for name in names])
        for field in self.open_fields.values():
            field.add(rows)
        for name in self.families:
            self.families[name] |= rows.items(name).families

    def _learn_numbers(self, rows: RawRows, y: Any, *, is_fit: bool) -> None:
        names = rows.roles.numeric
        for name, column in zip(names, rows.matrix.T, strict=True):
            self.moments[name] += Moments.of(column)
        if names:
            self._learn_transformer(rows, y, is_fit=is_fit)

    def _learn_transformer(self, rows: RawRows, y: Any, *, is_fit: bool) -> None:
        transformer, names = self._encoder.numeric_transformer, rows.roles.numeric
        before = None if self.numeric is None else self.numeric.transformer
        if self.n_samples and type(before) is not type(transformer):
            msg = (
                f"numeric_transformer is not what it was for the rows before: it was {before!r}, and is "
                f"{transformer!r}. Set it back, or call fit to start anew."
            )
            raise ValueError(msg)
        if transformer is not None and is_fit:
            self.numeric = NumericColumns.learn(transformer, rows.matrix, names, y)
        elif transformer is not None:
            self.numeric = NumericColumns.learn_from_chunk(transformer, self.numeric, rows.matrix, names, y)

    def _take(self, other: "RowStatistics") -> None:
        self.n_samples, self.columns, self.numeric = other.n_samples, other.columns, other.numeric
        self.is_of_fit = other.is_of_fit
        self.tables = {name: counts.copy() for name, counts in other.tables.items()}
        self.open_fields = {name: field.copy() for name, field in other.open_fields.items()}
        self.families, self.moments = dict(other.families), dict(other.moments)
