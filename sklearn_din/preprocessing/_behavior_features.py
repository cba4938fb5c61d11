"""The parameter ``behavior_features`` in one form, whichever the user wrote."""

from collections.abc import Mapping, Sequence

Declared = tuple[tuple[tuple[str, str | None], ...], ...]


def declared_sequences(
    behavior_features: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None,
) -> Declared:
    """Return the declared behavior sequences.

    Parameters
    ----------
    behavior_features : dict, list of dict or None
        List columns and their candidate columns (None for a behavior-only field); a list declares several sequences.

    Returns
    -------
    tuple of sequences, each a tuple of (list column, candidate column or None)
        In the order of declaration.

    Raises
    ------
    TypeError
        If an entry is no mapping of strings to strings or None.
    ValueError
        If a mapping is empty, or a list column occurs twice or is also a candidate.
    """
    if behavior_features is None:
        return ()
    mappings = [behavior_features] if isinstance(behavior_features, Mapping) else list(behavior_features)
    if not mappings:
        _raise_empty()
    seen: set[str] = set()
    for mapping in mappings:
        _check_mapping(mapping)
        twice = seen & set(mapping)
        if twice:
            msg = (
                f"behavior_features names the list column {min(twice)!r} twice. A list column belongs to one sequence: "
                "remove it from the other, or copy the column under a second name."
            )
            raise ValueError(msg)
        seen |= set(mapping)
    candidates = {candidate for mapping in mappings for candidate in mapping.values() if candidate is not None}
    if seen & candidates:
        msg = (
            f"behavior_features has {min(seen & candidates)!r} both as a list column and as a candidate column. "
            "A candidate column holds one value per row: correct the mapping {list column: candidate column}."
        )
        raise ValueError(msg)
    return tuple(tuple(mapping.items()) for mapping in mappings)


def _check_mapping(mapping: object) -> None:
    if not isinstance(mapping, Mapping):
        msg = (
            f"behavior_features must be a dict, or a list of dicts; it has an entry of type {type(mapping).__name__}. "
            "Give {list column: candidate column}."
        )
        raise TypeError(msg)
    if not mapping:
        _raise_empty()
    for name, candidate in mapping.items():
        if not isinstance(name, str) or not (candidate is None or isinstance(candidate, str)):
            msg = (
                f"behavior_features must map names of columns to names of columns or None; it has {name!r}: "
                f"{candidate!r}. Give {{list column: candidate column}}."
            )
            raise TypeError(msg)


def _raise_empty() -> None:
    msg = (
        "behavior_features is empty, or has an empty dict. "
        "Give {list column: candidate column}, or None for no sequence."
    )
    raise ValueError(msg)
