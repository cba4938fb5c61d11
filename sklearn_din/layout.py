"""What each encoded column means: the contract between the encoder and the network."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PADDING_ID = 0
UNKNOWN_ID = 1  # of every value that is not in the vocabulary
FIRST_ID = 2  # of a value


@dataclass(frozen=True)
class IdColumn:
    """A column of ids with an embedding table of its own.

    Attributes
    ----------
    name : str
        The column.
    n_ids : int
        Rows of its embedding table: the values, and the ids 0 (padding) and 1 (unknown).
    """

    name: str
    n_ids: int


@dataclass(frozen=True)
class BehaviorField:
    """One column of a behavior sequence.

    Attributes
    ----------
    name : str
        The list column.
    candidate : str or None
        The candidate column whose ids and embedding table it shares; None for a behavior-only field.
    n_ids : int or None
        Rows of its embedding table; None for a field of numbers.
    """

    name: str
    candidate: str | None
    n_ids: int | None

    @property
    def is_numeric(self) -> bool:
        """Whether the field holds numbers instead of ids."""
        return self.n_ids is None

    @property
    def table(self) -> str:
        """The name of the embedding table of its ids."""
        return self.name if self.candidate is None else self.candidate


@dataclass(frozen=True)
class BehaviorSequence:
    """Fields that describe the same past events: equally long in each row, attended to together.

    Attributes
    ----------
    fields : tuple of BehaviorField
        At least one.
    """

    fields: tuple[BehaviorField, ...]

    @property
    def name(self) -> str:
        """The sequence is called by the name of its first column."""
        return self.fields[0].name

    @property
    def shared(self) -> tuple[BehaviorField, ...]:
        """The fields with a counterpart in the candidate."""
        return tuple(field for field in self.fields if field.candidate is not None)

    @property
    def behavior_only(self) -> tuple[BehaviorField, ...]:
        """The fields without a counterpart in the candidate: those of ids, then those of numbers."""
        own = [field for field in self.fields if field.candidate is None]
        return tuple(sorted(own, key=lambda field: field.is_numeric))

    @property
    def numeric(self) -> tuple[BehaviorField, ...]:
        """The fields of numbers."""
        return tuple(field for field in self.fields if field.is_numeric)


@dataclass(frozen=True)
class FeatureLayout:
    """Names, kinds and vocabulary sizes of the columns of an ``EncodedTable``; it holds no data.

    Parameters
    ----------
    categorical : tuple of IdColumn
        Columns with one id per row, the candidate's columns included.
    numeric : tuple of str
        Columns with one number per row.
    sequences : tuple of BehaviorSequence
        The behavior sequences, each with its own attention.
    bags : tuple of IdColumn
        List columns that are pooled without attention.
    max_length : int
        Columns of a padded list column in ``EncodedTable``: no history is longer.
    fingerprint : str
        Digest of the vocabularies, and of mean and standard deviation of the numbers in the training rows, so that
        tables of different encoders differ even where names and sizes are the same; empty for ids that come from
        elsewhere.

    Examples
    --------
    >>> from sklearn_din.preprocessing import FeatureLayout
    >>> layout = FeatureLayout(numeric=("age",))
    >>> FeatureLayout.from_json(layout.to_json()) == layout
    True
    """

    categorical: tuple[IdColumn, ...] = ()
    numeric: tuple[str, ...] = ()
    sequences: tuple[BehaviorSequence, ...] = ()
    bags: tuple[IdColumn, ...] = ()
    max_length: int = 50
    fingerprint: str = ""

    @property
    def fields(self) -> tuple[BehaviorField, ...]:
        """The fields of all sequences, in order."""
        return tuple(field for sequence in self.sequences for field in sequence.fields)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The columns that describe the candidate: counterparts of a field, each once, in order of the fields."""
        return tuple(dict.fromkeys(field.candidate for field in self.fields if field.candidate is not None))

    @property
    def context(self) -> tuple[IdColumn, ...]:
        """The categorical columns that are not the candidate's."""
        return tuple(column for column in self.categorical if column.name not in self.candidates)

    @property
    def tables(self) -> dict[str, int]:
        """Rows of each embedding table by its name: one table per vocabulary."""
        columns = {column.name: column.n_ids for column in (*self.categorical, *self.bags)}
        return columns | {field.table: field.n_ids for field in self.fields if field.n_ids is not None}

    @property
    def columns_by_table(self) -> dict[str, tuple[str, ...]]:
        """The columns whose ids each embedding table holds: a candidate column first, then its fields."""
        table_of = {column.name: column.name for column in (*self.categorical, *self.bags)}
        table_of |= {field.name: field.table for field in self.fields if not field.is_numeric}
        columns: dict[str, list[str]] = {table: [] for table in self.tables}
        for name, table in table_of.items():
            columns[table].append(name)
        return {table: tuple(names) for table, names in columns.items()}

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in the order of ``EncodedTable``: categorical, numeric, sequences, bags."""
        return (
            *(column.name for column in self.categorical),
            *self.numeric,
            *(field.name for field in self.fields),
            *(column.name for column in self.bags),
        )

    @property
    def list_columns(self) -> tuple[str, ...]:
        """The columns with several values per row: the fields of the sequences, and the bags."""
        return (*(field.name for field in self.fields), *(column.name for column in self.bags))

    @property
    def padded_names(self) -> tuple[str, ...]:
        """Names of the columns of the padded matrix: a list column takes ``max_length`` of them."""
        lists = set(self.list_columns)
        return tuple(name for column in self.columns for name in self._padded(column, column in lists))

    def _padded(self, column: str, is_list: bool) -> Iterator[str]:
        if is_list:
            yield from (f"{column}_{position}" for position in range(self.max_length))
        else:
            yield column

    def to_json(self) -> str:
        """Return the layout as JSON with sorted keys.

        Returns
        -------
        str
            What ``from_json`` reads.
        """
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "FeatureLayout":
        """Read what ``to_json`` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        FeatureLayout
            Equal to the one that was written.

        Raises
        ------
        ValueError
            If the text is no JSON, or describes no layout.
        """
        data: Mapping[str, Any] = json.loads(text)
        try:
            layout = cls(
                categorical=tuple(IdColumn(**column) for column in data["categorical"]),
                numeric=tuple(data["numeric"]),
                sequences=tuple(
                    BehaviorSequence(tuple(BehaviorField(**field) for field in sequence["fields"]))
                    for sequence in data["sequences"]
                ),
                bags=tuple(IdColumn(**column) for column in data["bags"]),
                max_length=data["max_length"],
                fingerprint=data["fingerprint"],
            )
            layout._check()
        except (KeyError, TypeError) as error:
            msg = f"The JSON describes no layout: {error!r}. Give what to_json returned."
            raise ValueError(msg) from error
        return layout

    def _check(self) -> None:
        """Raise TypeError or ValueError where the parts are not what they should be, or do not fit together."""
        names, sizes = self.columns, self.tables
        if not all(isinstance(name, str) for name in (*names, *self.candidates, self.fingerprint)):
            msg = "names are strings"
            raise TypeError(msg)
        if not all(type(size) is int for size in (*sizes.values(), self.max_length)):
            msg = "sizes are whole numbers"
            raise TypeError(msg)
        ids = {column.name: column.n_ids for column in (*self.categorical, *self.bags)}
        ids |= {field.name: field.n_ids for field in self.fields if field.n_ids is not None}
        shared = [(sizes[table], ids[column]) for table, columns in self.columns_by_table.items() for column in columns]
        if (
            len(set(names)) < len(names)
            or self.max_length < 1
            or any(size < FIRST_ID or size != own for size, own in shared)
            or not set(self.candidates) <= {column.name for column in self.categorical}
            or any(field.is_numeric and field.candidate is not None for field in self.fields)
            or not all(sequence.fields for sequence in self.sequences)
        ):
            msg = f"The columns {', '.join(map(repr, names))} do not fit together. Give what to_json returned."
            raise ValueError(msg)
