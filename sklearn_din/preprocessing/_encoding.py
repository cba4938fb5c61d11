"""What ``fit`` learns, and how it turns rows into an ``EncodedTable`` and back."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.layout import FeatureLayout
from sklearn_din.preprocessing._column_roles import ColumnRoles
from sklearn_din.preprocessing._inverse import decode_table
from sklearn_din.preprocessing._items import numbers_of
from sklearn_din.preprocessing._layouts import fingerprint_of, make_layout
from sklearn_din.preprocessing._number_scale import NumberScale
from sklearn_din.preprocessing._numeric import NumericColumns
from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.preprocessing._table import EncodedTable
from sklearn_din.preprocessing._vocabulary import Vocabulary
from sklearn_din.utils._frames import KINDS
from sklearn_din.utils._pieces import shown
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
        cls, rows: RawRows, y: Any, *, min_count: float, max_categories: int | None, numeric_transformer: Any
    ) -> "Encoding":
        """Learn from training rows.

        Parameters
        ----------
        rows : RawRows
            The training rows.
        y : array-like of shape (n_samples,) or None
            Handed to the numeric transformer.
        min_count, max_categories
            See ``Vocabulary.learn``.
        numeric_transformer : estimator or None
            See ``NumericColumns.learn``.

        Returns
        -------
        Encoding
            Ready to encode.

        Raises
        ------
        TypeError
            If a list column and its candidate column can never match.
        ValueError
            If two columns of the table would have the same name.
        """
        _check_families(rows)
        sharing = columns_by_table(rows)
        vocabularies = {
            table: Vocabulary.learn(
                [rows.items(name) for name in names], min_count=min_count, max_categories=max_categories
            )
            for table, names in sharing.items()
        }
        scales = {name: NumberScale.learn(numbers_of(rows.lists[name])) for name in rows.number_fields}
        numeric = None
        if rows.roles.numeric:
            numeric = NumericColumns.learn(numeric_transformer, rows.matrix, rows.roles.numeric, y)
        raw = zip(rows.roles.numeric, rows.matrix.T, strict=True)  # whatever the transformer makes of them
        raw_scales = {name: NumberScale.learn(column) for name, column in raw}
        fingerprint = fingerprint_of(vocabularies, scales | raw_scales)
        layout = make_layout(
            rows.roles, vocabularies, scales, numeric, max_length=rows.max_length, fingerprint=fingerprint
        )
        frame = rows.frame
        return cls(tuple(frame.names), frame.kind, frame.is_named, rows.roles, vocabularies, scales, numeric, layout)

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

    def warn_of_foreign_values(self, rows: RawRows) -> None:
        """Warn of columns all of whose values are unknown because of their type.

        Parameters
        ----------
        rows : RawRows
            To be encoded.

        Warns
        -----
        UserWarning
            For each such column.
        """
        tables = {field.name: field.table for field in self.layout.fields if not field.is_numeric}
        tables |= {column.name: column.name for column in (*self.layout.categorical, *self.layout.bags)}
        for name, table in tables.items():
            families, known = rows.items(name).families, self.vocabularies[table].families
            if families and not families & known:
                msg = (
                    f"All values of column {name!r} are unknown: fit saw {_spoken(known)} there, and now it holds "
                    f"{_spoken(families)} ({_example(rows, name)}). Convert the column to the type it had in fit."
                )
                warnings.warn(msg, UserWarning, stacklevel=3)


def columns_by_table(rows: RawRows) -> dict[str, list[str]]:
    """Return the columns that share each vocabulary.

    Parameters
    ----------
    rows : RawRows
        Training rows.

    Returns
    -------
    dict of str to list of str
        A candidate column has its list columns beside it.
    """
    sharing = {name: [name] for name in (*rows.roles.categorical, *rows.roles.bags)}
    for name, candidate in rows.roles.fields.items():
        if name not in rows.number_fields:
            sharing.setdefault(candidate or name, []).append(name)
    return sharing


def _check_families(rows: RawRows) -> None:
    for name, candidate in rows.roles.fields.items():
        if candidate is None:
            continue
        families, expected = rows.items(name).families, rows.items(candidate).families
        if families and expected and not families & expected:
            msg = (
                f"Columns {name!r} and {candidate!r} can never match: {name!r} holds {_spoken(families)} "
                f"({_example(rows, name)}) and {candidate!r} holds {_spoken(expected)} ({_example(rows, candidate)}). "
                "Convert both to the same type."
            )
            raise TypeError(msg)


def _example(rows: RawRows, name: str) -> str:
    row, value = rows.items(name).column.first_value()
    return f"row {row} has {shown(value)}"


def _spoken(families: frozenset[str]) -> str:
    words = {"binary": "bytes", "boolean": "booleans", "number": "numbers", "string": "strings"}
    return " and ".join(words[family] for family in sorted(families)) or "no values"
