"""Whether values of two columns, or of two sets of rows, can be equal at all: text never equals a number."""

import warnings
from collections.abc import Iterable, Mapping

from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.utils._pieces import shown

_WORDS = {"binary": "bytes", "boolean": "booleans", "number": "numbers", "string": "strings"}


def check_families(
    pairs: Iterable[tuple[str, str]], families: Mapping[str, frozenset[str]], rows: RawRows | None
) -> None:
    """Check that list columns can match their candidate columns.

    Parameters
    ----------
    pairs : iterable of (str, str)
        List columns and their candidate columns.
    families : mapping of str to frozenset of str
        Families of the values of each (see ``Items``).
    rows : RawRows or None
        Some of the rows, for the message.

    Raises
    ------
    TypeError
        If both have values, and no family in common.
    """
    for name, candidate in pairs:
        found, expected = families[name], families[candidate]
        if found and expected and not found & expected:
            msg = (
                f"Columns {name!r} and {candidate!r} can never match: {name!r} holds {_spoken(found)}"
                f"{_example(rows, name)} and {candidate!r} holds {_spoken(expected)}{_example(rows, candidate)}. "
                "Convert both to the same type."
            )
            raise TypeError(msg)


def warn_of_foreign_values(rows: RawRows, known: Mapping[str, frozenset[str]]) -> None:
    """Warn of columns all of whose values are unknown because of their type.

    Parameters
    ----------
    rows : RawRows
        To be encoded.
    known : mapping of str to frozenset of str
        The families that ``fit`` saw, by column.

    Warns
    -----
    UserWarning
        For each such column.
    """
    for name, expected in known.items():
        families = rows.items(name).families
        if families and not families & expected:
            msg = (
                f"All values of column {name!r} are unknown: fit saw {_spoken(expected)} there, and now it holds "
                f"{_spoken(families)}{_example(rows, name)}. Convert the column to the type it had in fit."
            )
            warnings.warn(msg, UserWarning, stacklevel=3)


def _example(rows: RawRows | None, name: str) -> str:
    row, value = (0, None) if rows is None else rows.items(name).column.first_value()
    return "" if value is None else f" (row {row} has {shown(value)})"


def _spoken(families: frozenset[str]) -> str:
    return " and ".join(_WORDS[family] for family in sorted(families)) or "no values"
