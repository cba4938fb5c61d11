"""The layout of the tables of an encoder, and its fingerprint, from what was learnt."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.preprocessing._column_roles import ColumnRoles
from sklearn_din.preprocessing._number_scale import NumberScale
from sklearn_din.preprocessing._numeric import NumericColumns
from sklearn_din.preprocessing._vocabulary import Vocabulary


def make_layout(
    roles: ColumnRoles,
    vocabularies: Mapping[str, Vocabulary],
    scales: Mapping[str, NumberScale],
    numeric: NumericColumns | None,
    *,
    max_length: int,
    fingerprint: str,
) -> FeatureLayout:
    """Return the layout of encoded tables.

    Parameters
    ----------
    roles : ColumnRoles
        What the columns are.
    vocabularies : mapping of str to Vocabulary
        By the name of the embedding table.
    scales : mapping of str to NumberScale
        Of the behavior fields of numbers.
    numeric : NumericColumns or None
        The fitted transformer; None if there are no numeric columns.
    max_length : int
        See ``FeatureLayout``.
    fingerprint : str
        See ``FeatureLayout``.

    Returns
    -------
    FeatureLayout
        Its names are distinct, those of the padded matrix too.

    Raises
    ------
    KeyError
        If a column of ids has no vocabulary.
    ValueError
        If two columns would have the same name.
    """
    sequences = []
    for sequence in roles.sequences:
        fields = []
        for name, candidate in sequence:
            n_ids = None if name in scales else vocabularies[candidate or name].n_ids
            fields.append(BehaviorField(name, candidate, n_ids))
        sequences.append(BehaviorSequence(tuple(fields)))
    layout = FeatureLayout(
        categorical=tuple(IdColumn(name, vocabularies[name].n_ids) for name in roles.categorical),
        numeric=() if numeric is None else numeric.names,
        sequences=tuple(sequences),
        bags=tuple(IdColumn(name, vocabularies[name].n_ids) for name in roles.bags),
        max_length=max_length,
        fingerprint=fingerprint,
    )
    for kind, twice in (("columns", _repeated(layout.columns)), ("columns of its padded matrix", _clashing(layout))):
        for name in twice:
            msg = f"Two {kind} of the encoded table would be called {name!r}. Rename the column of X."
            raise ValueError(msg)
    return layout


def fingerprint_of(vocabularies: Mapping[str, Vocabulary], scales: Mapping[str, NumberScale]) -> str:
    """Return the digest of what tells encoders apart.

    Parameters
    ----------
    vocabularies : mapping of str to Vocabulary
        By the name of the embedding table.
    scales : mapping of str to NumberScale
        Of the columns of numbers.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, vocabulary in sorted(vocabularies.items()):
        digest.update(name.encode() + vocabulary.digest)
    for name, scale in sorted(scales.items()):
        digest.update(f"{name} {scale.mean:.6g} {scale.scale:.6g}".encode())  # the order of the rows moves later digits
    return digest.hexdigest()


def _repeated(names: tuple[str, ...]) -> Iterator[str]:
    return (name for name, count in Counter(names).items() if count > 1)


def _clashing(layout: FeatureLayout) -> Iterator[str]:
    """Return the columns whose names are those of a position in a list column; without making a name for each."""
    lists = set(layout.list_columns)
    for name in layout.columns:
        column, _, position = name.rpartition("_")
        is_number = position.isdecimal() and position.isascii() and str(int(position)) == position
        if name not in lists and column in lists and is_number and int(position) < layout.max_length:
            yield name
