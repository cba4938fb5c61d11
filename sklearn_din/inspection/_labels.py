"""What behaviors and candidates are called in pictures."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.inspection._models import EncodedRows
from sklearn_din.layout import UNKNOWN_ID, BehaviorField, BehaviorSequence
from sklearn_din.utils._columns import Column

LONGEST = 48  # characters of a label beside a bar or on a chip
MISSING = "missing"


def behavior_labels(
    rows: EncodedRows, sequence: BehaviorSequence, names: Mapping[str, Mapping[Any, Any]]
) -> list[list[str]]:
    """Return the label of each kept behavior.

    Parameters
    ----------
    rows : EncodedRows
        Their histories.
    sequence : BehaviorSequence
        Which history.
    names : dict of str to mapping
        For a list column, from its values to what is shown instead.

    Returns
    -------
    list of list of str
        For each row, oldest first: the values of the fields, joined by " / ".
    """
    parts = []
    for field in sequence.fields:
        stored = rows.table.ragged(field.name).values
        column = None if rows.raw is None else rows.raw[field.name].as_list().newest(rows.table.layout.max_length)
        parts.append(_texts(column, stored, names.get(field.name, {}), is_ids=not field.is_numeric))
    flat = [" / ".join(texts) for texts in zip(*parts, strict=True)]
    offsets = rows.table.ragged(sequence.name).offsets.tolist()
    return [flat[start:end] for start, end in pairwise(offsets)]


def candidate_labels(
    rows: EncodedRows, sequence: BehaviorSequence, names: Mapping[str, Mapping[Any, Any]]
) -> list[str] | None:
    """Return the label of the candidate of each row.

    Parameters
    ----------
    rows : EncodedRows
        The rows.
    sequence : BehaviorSequence
        Whose fields have the candidate's columns as counterparts.
    names : dict of str to mapping
        For a list column, from its values, and those of its candidate, to what is shown instead.

    Returns
    -------
    list of str or None
        The values of those columns, joined by " / "; None where no field has a counterpart.
    """
    fields: dict[str, str] = {}
    for field in sequence.shared:
        if field.candidate is not None:
            fields.setdefault(field.candidate, field.name)
    parts = []
    for name, field_name in fields.items():
        column = None if rows.raw is None else rows.raw[name]
        parts.append(_texts(column, rows.table[name], names.get(field_name, {}), is_ids=True))
    return [" / ".join(texts) for texts in zip(*parts, strict=True)] if parts else None


def check_names_match(rows: EncodedRows, sequence: BehaviorSequence, names: Mapping[str, Mapping[Any, Any]]) -> None:
    """Check that the keys of each mapping are of the kind of the values that are shown.

    Parameters
    ----------
    rows : EncodedRows
        The rows.
    sequence : BehaviorSequence
        Which history.
    names : dict of str to mapping
        As for ``behavior_labels``.

    Raises
    ------
    ValueError
        If none of the keys is a value, and texts meet values that are none, as the string "3" the number 3. Keys of
        the right kind may have none of the values: new items have no names yet.
    """
    for field in sequence.fields:
        keys = names.get(field.name, {})
        values = [value for value in _all_values(rows, field) if not _is_missing(value)] if len(keys) else []
        if not values or any(value in keys for value in values):
            continue
        key = next(iter(keys))
        if isinstance(key, str) != isinstance(values[0], str):
            msg = (
                f"names has no value of {field.name!r} that is shown: its keys are of type {type(key).__name__} "
                f"({key!r}), the values of type {type(values[0]).__name__} ({values[0]!r}). Give values as keys."
            )
            raise ValueError(msg)


def shorten(text: str, longest: int = LONGEST) -> str:
    """Return the text on one line, with an ellipsis in its middle where it is too long.

    Parameters
    ----------
    text : str
        Any.
    longest : int
        Characters of the result, at least 3.

    Returns
    -------
    str
        Its end is kept, since it often tells similar names apart.
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    n_last = (longest - 1) * 2 // 5
    return f"{text[: longest - 1 - n_last].rstrip()}…{text[len(text) - n_last :].lstrip()}"


def _texts(column: Column | None, stored: NDArray[Any], names: Mapping[Any, Any], *, is_ids: bool) -> list[str]:
    """Return what each value is called; ``column`` is as the user gave it, ``stored`` as it was encoded."""
    is_unknown = (stored == UNKNOWN_ID).tolist() if is_ids else [False] * len(stored)
    if column is None:
        values = stored.tolist()
        return [
            "unknown" if unknown else _named(value, names) for value, unknown in zip(values, is_unknown, strict=True)
        ]
    texts = (_named(value, names) for value in _python_values(column))
    return [
        f"{text} (unknown)" if unknown and text != MISSING else text
        for text, unknown in zip(texts, is_unknown, strict=True)
    ]


def _all_values(rows: EncodedRows, field: BehaviorField) -> list[Any]:
    """Return the values of a field and of its candidate column; of rows that came encoded the known ids."""
    candidate = [] if field.candidate is None else [field.candidate]
    if rows.raw is not None:
        histories = rows.raw[field.name].as_list().newest(rows.table.layout.max_length)
        return [
            value for each in (histories, *(rows.raw[name] for name in candidate)) for value in _python_values(each)
        ]
    stored = [rows.table.ragged(field.name).values, *(rows.table[name] for name in candidate)]
    return [value for each in stored for value in each.tolist() if field.is_numeric or value != UNKNOWN_ID]


def _python_values(column: Column) -> Iterable[Any]:
    values = np.full(column.n_values, None, dtype=object)
    for piece in column.pieces:
        values[slice(None) if piece.positions is None else piece.positions] = piece.values.to_pylist()
    return values.tolist()


def _named(value: Any, names: Mapping[Any, Any]) -> str:
    if _is_missing(value):
        return MISSING
    name = names.get(value)
    return _text(value if _is_missing(name) else name)


def _is_missing(value: Any) -> bool:
    # NaN and pandas.NaT differ from themselves; pandas.NA cannot tell whether it does.
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float | np.floating):
        value = float(value)
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:g}"
    return str(value)
