"""What ``fit`` learns, and how it turns rows into an ``EncodedTable`` and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.layout import FeatureLayout
from sklearn_din.preprocessing._column_roles import ColumnRoles
from sklearn_din.preprocessing._families import check_families
from sklearn_din.preprocessing._inverse import decode_table
from sklearn_din.preprocessing._items import numbers_of
from sklearn_din.preprocessing._layouts import fingerprint_of, make_layout
from sklearn_din.preprocessing._number_scale import NumberScale
from sklearn_din.preprocessing._numeric import NumericColumns
from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.preprocessing._row_statistics import RowStatistics
from sklearn_din.preprocessing._table import EncodedTable
from sklearn_din.preprocessing._vocabulary import Vocabulary
from sklearn_din.utils._frames import KINDS
from sklearn_din.utils._ragged import Ragged


@dataclass(frozen=True, eq=False)
class Encoding:
    """Vocabularies, scales and layout, learnt from training rows.

    Attributes
    ----------
    names : tuple of str
        All columns of the frame.
    kind, is_named
        Of the frame, see ``Frame``.
    roles : ColumnRoles
        What the columns are.
    vocabularies : dict of str to Vocabulary
        By the name of the embedding table.
    scales : dict of str to NumberScale
        Of the behavior fields of numbers.
    numeric : NumericColumns or None
        The fitted transformer; None if there are no numeric columns.
    layout : FeatureLayout
        Of the tables.
    """

    names: tuple[str, ...]
    kind: str
    is_named: bool
    roles: ColumnRoles
    vocabularies: dict[str, Vocabulary]
    scales: dict[str, NumberScale]
    numeric: NumericColumns | None
    layout: FeatureLayout

    @classmethod
    def learn(
        cls,
        statistics: RowStatistics,
        *,
        min_frequency: float,
        max_categories: int | None,
        rows: RawRows | None = None,
    ) -> "Encoding":
        """Learn from the statistics of training rows.

        Parameters
        ----------
        statistics : RowStatistics
            Of at least one row.
        min_frequency, max_categories
            See ``BehaviorEncoder``.
        rows : RawRows, optional
            Some of the rows, for messages.

        Returns
        -------
        Encoding
            Ready to encode.

        Raises
        ------
        TypeError
            If a list column and its candidate column can never match.
        ValueError
            If there are no rows, or two columns of the table would have the same name.
        """
        columns = statistics.columns
        if columns is None:
            msg = "There are no rows to learn from: no chunk has any. Give at least one row."
            raise ValueError(msg)
        check_families(columns.roles.pairs, statistics.families, rows)
        is_fraction = not isinstance(min_frequency, Integral)
        min_count = min_frequency * statistics.n_samples if is_fraction else min_frequency
        vocabularies = {
            table: Vocabulary.learn(counts, min_count=min_count, max_categories=max_categories)
            for table, counts in statistics.vocabularies.items()
        }
        scales = {name: NumberScale.of(each.moments) for name, each in statistics.number_fields.items()}
        numeric = statistics.numeric_columns
        # Of the numeric columns as they are, whatever the transformer makes of them.
        raw_scales = {name: NumberScale.of(moments) for name, moments in statistics.moments.items()}
        fingerprint = fingerprint_of(vocabularies, scales | raw_scales)
        layout = make_layout(
            columns.roles, vocabularies, scales, numeric, max_length=columns.max_length, fingerprint=fingerprint
        )
        return cls(
            columns.names, columns.frame_kind, columns.is_named, columns.roles, vocabularies, scales, numeric, layout
        )

    def to_state(self) -> dict[str, Any]:
        """Return what was learnt as plain values and arrays of numbers; a user's own transformer as it is.

        Returns
        -------
        dict
            What ``from_state`` takes.
        """
        return {
            "names": list(self.names),
            "kind": self.kind,
            "is_named": self.is_named,
            "roles": asdict(self.roles),
            "vocabularies": {name: vocabulary.to_state() for name, vocabulary in self.vocabularies.items()},
            "scales": {name: asdict(scale) for name, scale in self.scales.items()},
            "numeric": None if self.numeric is None else self.numeric.to_state(),
            "max_length": self.layout.max_length,
            "fingerprint": self.layout.fingerprint,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Encoding":
        """Return the encoding that ``to_state`` described.

        Parameters
        ----------
        state : mapping
            May be damaged, or forged.

        Returns
        -------
        Encoding
            Ready to encode.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state describes no encoding.
        """
        names, roles = tuple(state["names"]), ColumnRoles.from_state(state["roles"])
        vocabularies = {name: Vocabulary.from_state(each) for name, each in state["vocabularies"].items()}
        scales = {name: NumberScale.from_state(each) for name, each in state["scales"].items()}
        numeric = None if state["numeric"] is None else NumericColumns.from_state(state["numeric"])
        max_length, fingerprint = state["max_length"], state["fingerprint"]
        layout = make_layout(roles, vocabularies, scales, numeric, max_length=max_length, fingerprint=fingerprint)
        columns = [*roles.fields, *roles.categorical, *roles.numeric, *roles.bags]
        if (
            len(set(names)) < len(names)
            or len(set(columns)) < len(columns)
            or not set(columns) <= set(names)
            or not set(layout.candidates) <= set(roles.categorical)
            or set(layout.tables) != set(vocabularies)
            or {field.name for field in layout.fields if field.is_numeric} != set(scales)
            or any(name in scales and candidate is not None for name, candidate in roles.fields.items())
            or (numeric is None) != (not roles.numeric)
            or (numeric is not None and numeric.n_features not in (None, len(roles.numeric)))
            or state["kind"] not in KINDS
            or type(state["is_named"]) is not bool
            or not isinstance(fingerprint, str)
            or type(max_length) is not int
            or max_length < 1
        ):
            msg = f"The columns {', '.join(map(repr, columns))} and what was learnt of them do not fit together."
            raise ValueError(msg)
        return cls(names, state["kind"], state["is_named"], roles, vocabularies, scales, numeric, layout)

    def encode(self, rows: RawRows) -> EncodedTable:
        """Return the table of rows.

        Parameters
        ----------
        rows : RawRows
            Of the same roles.

        Returns
        -------
        EncodedTable
            The same rows.
        """
        columns: dict[str, NDArray[Any] | Ragged] = {}
        for column in self.layout.categorical:
            columns[column.name] = self.vocabularies[column.name].encode(rows.items(column.name))
        if self.numeric is not None:
            columns |= dict(
                zip(self.numeric.names, np.ascontiguousarray(self.numeric.transform(rows.matrix).T), strict=True)
            )
        tables = {field.name: field.table for field in self.layout.fields}
        for name in self.layout.list_columns:
            history = rows.lists[name]
            if name in self.scales:
                columns[name] = history.ragged(self.scales[name].transform(history, numbers_of(history)))
            else:
                columns[name] = history.ragged(self.vocabularies[tables.get(name, name)].encode(rows.items(name)))
        return EncodedTable(self.layout, columns)

    def decode(self, table: EncodedTable) -> Any:
        """Return the raw values of a table as a frame of the kind that was given to ``fit``.

        Parameters
        ----------
        table : EncodedTable
            Of this layout.

        Returns
        -------
        DataFrame, pyarrow.Table, dict or ndarray
            See ``decode_table``.
        """
        return decode_table(
            table,
            kind=self.kind,
            is_named=self.is_named,
            names=self.names,
            vocabularies=self.vocabularies,
            scales=self.scales,
            numeric=self.numeric,
            numeric_names=self.roles.numeric,
        )

    @property
    def families(self) -> dict[str, frozenset[str]]:
        """Families of the values that each column of ids had in training; by column, and for all of its table."""
        tables = {field.name: field.table for field in self.layout.fields if not field.is_numeric}
        tables |= {column.name: column.name for column in (*self.layout.categorical, *self.layout.bags)}
        return {name: self.vocabularies[table].families for name, table in tables.items()}
