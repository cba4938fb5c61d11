"""Which columns belong together where they are permuted."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.inspection._models import find_encoder
from sklearn_din.layout import FeatureLayout
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.utils._checks import check_columns_exist
from sklearn_din.utils._frames import Frame, is_frame, read_frame

CANDIDATE = "candidate"
Groups = dict[str, list[str]]


def column_names(X: Any) -> list[str]:
    """Return the columns of rows.

    Parameters
    ----------
    X : frame, dict of columns, or EncodedTable
        As the user gave it.

    Returns
    -------
    list of str
        In order.

    Raises
    ------
    TypeError
        If they have no names.
    """
    if isinstance(X, EncodedTable):
        return list(X.keys())
    if not is_frame(X):
        msg = (
            f"X must be a frame, a dict of columns or an EncodedTable: got {type(X).__name__}. "
            "For an array use sklearn.inspection.permutation_importance."
        )
        raise TypeError(msg)
    frame = read_frame(X)
    if not frame.is_named:
        msg = "Groups need columns with names that are strings; those of X are not. Rename the columns before fitting."
        raise TypeError(msg)
    return [str(name) for name in frame.names]


def layout_of(model: Any, X: Any, names: Sequence[str]) -> tuple[FeatureLayout | None, frozenset[str]]:
    """Return the layout of what the model takes, and the columns of ``X`` that it reads.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : frame, dict of columns, or EncodedTable
        Its rows.
    names : sequence of str
        Their columns.

    Returns
    -------
    layout : FeatureLayout or None
        None where neither an encoder nor a table tells.
    read : frozenset of str
        Under the names that they have in ``X``: the layout calls columns of numbers as their transformer does.
    """
    if isinstance(X, EncodedTable):
        return X.layout, frozenset(names)
    encoder = find_encoder(model, names)
    if encoder is None:
        return None, frozenset(names)
    roles = encoder._encoding.roles
    return encoder.layout_, frozenset((*roles.fields, *roles.categorical, *roles.numeric, *roles.bags))


def default_groups(names: Sequence[str], layout: FeatureLayout, read: Collection[str]) -> Groups:
    """Return each sequence and the candidate as a group, and each other column that is read alone.

    Parameters
    ----------
    names : sequence of str
        Columns of the rows.
    layout : FeatureLayout
        Tells what belongs together.
    read : collection of str
        The columns that matter to the model.

    Returns
    -------
    dict of str to list of str
        Sequences, candidate, other columns.
    """
    groups = {sequence.name: [field.name for field in sequence.fields] for sequence in layout.sequences}
    if layout.candidates:
        groups[layout.candidates[0] if CANDIDATE in names else CANDIDATE] = list(layout.candidates)
    grouped = {column for columns in groups.values() for column in columns}
    return groups | {name: [name] for name in names if name in read and name not in grouped}


def single_groups(X: Any, names: Sequence[str], model: Any) -> Groups:
    """Return each column as a group.

    Parameters
    ----------
    X : frame or dict of columns
        Rows.
    names : sequence of str
        Their columns.
    model : estimator
        For the message.

    Returns
    -------
    dict of str to list of str
        In order.

    Raises
    ------
    ValueError
        If several columns hold lists: they may belong together.
    """
    frame = read_frame(X)
    lists = [name for name in names if _is_list(frame, name)]
    if len(lists) > 1:
        msg = (
            f"X has the list columns {', '.join(map(repr, lists))}, and no BehaviorEncoder that takes the columns of X "
            f"was found in {type(model).__name__} to tell which belong together. "
            f"Give groups={{'history': {lists}, …}}, for example, with the other columns that are to be permuted."
        )
        raise ValueError(msg)
    return {name: [name] for name in names}


def checked_groups(groups: Mapping[str, Collection[str]], names: Sequence[str]) -> Groups:
    """Return the user's groups as lists of strings.

    Parameters
    ----------
    groups : dict of str to collection of str
        Columns by group.
    names : sequence of str
        The columns there are.

    Returns
    -------
    dict of str to list of str
        Each column once in its group; those of a set in the order of ``names``.

    Raises
    ------
    ValueError
        If there is no group, or one is empty or names a column that is not there.
    TypeError
        If a group is no collection of names.
    """
    if not groups:
        msg = "groups is empty: there is nothing to permute. Name a group, or leave groups out."
        raise ValueError(msg)
    checked = {}
    for name, columns in groups.items():
        # A Series is no Collection to Python, and its values are the names.
        members = columns.tolist() if hasattr(columns, "tolist") else columns
        if isinstance(members, str | bytes | Mapping) or not isinstance(members, Collection):
            msg = f"A group is a list of columns: group {name!r} is {columns!r}. Give [{columns!r}], for example."
            raise TypeError(msg)
        if not len(members):
            msg = f"Group {name!r} is empty. Give it a column at least, or leave it out."
            raise ValueError(msg)
        check_columns_exist(members, names, "groups")
        listed = list(dict.fromkeys(map(str, members)))
        is_ordered = isinstance(members, Sequence)
        checked[str(name)] = listed if is_ordered else sorted(listed, key=list(names).index)
    return checked


def check_sequences_are_whole(X: Any, groups: Mapping[str, Sequence[str]], layout: FeatureLayout | None) -> None:
    """Refuse groups that would give a row fields of different lengths.

    Parameters
    ----------
    X : frame, dict of columns, or EncodedTable
        Rows.
    groups : dict of str to list of str
        Columns by group.
    layout : FeatureLayout or None
        Tells the sequences.

    Raises
    ------
    ValueError
        If a group parts a sequence whose length differs from row to row.
    """
    for sequence in () if layout is None else layout.sequences:
        fields = [field.name for field in sequence.fields]
        for name, columns in groups.items():
            parted = [field for field in fields if field in columns]
            if 0 < len(parted) < len(fields) and len(np.unique(_lengths(X, fields[0]))) > 1:
                msg = (
                    f"The list columns {', '.join(map(repr, fields))} belong together, and their lengths differ from "
                    f"row to row: group {name!r} has only {', '.join(map(repr, parted))}. Give it all of them."
                )
                raise ValueError(msg)


def _is_list(frame: Frame, name: str) -> bool:
    try:
        return frame[name].is_list
    except (TypeError, ValueError):  # dates and the like, which models of other libraries may take
        return False


def _lengths(X: Any, name: str) -> NDArray[np.int64]:
    return X.lengths(name) if isinstance(X, EncodedTable) else read_frame(X)[name].as_list().lengths
