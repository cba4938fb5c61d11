"""One user and many candidates as the rows of one frame, in which nothing of the user is repeated but plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa

from sklearn_din.preprocessing._column_roles import ColumnRoles
from sklearn_din.utils._columns import Column
from sklearn_din.utils._frames import Frame, is_frame, read_frame
from sklearn_din.utils._pieces import Piece, shown

USER, CANDIDATES = "the user row", "candidates"  # what messages call them


class PairedFrame(Frame):
    """A row for each candidate; lists of the user stand in the first row, other values of the user in all rows.

    Parameters
    ----------
    names : sequence of str
        The columns in order.
    user : Frame
        One row.
    candidates : Frame
        At least one row, of the other columns.

    Attributes
    ----------
    of_user : frozenset of str
        The columns of the user.
    """

    def __init__(self, names: Sequence[str], user: Frame, candidates: Frame) -> None:
        n_samples, kind = candidates.n_samples, candidates.kind
        super().__init__(names, [None] * len(names), n_samples=n_samples, kind=kind, is_named=True)
        self.of_user = frozenset(user.names)
        self._user = user
        self._candidates = candidates

    def __getitem__(self, name: str) -> Column:
        if name not in self.of_user:
            return self._candidates[name]
        if name not in self._read:
            self._read[name] = _for_all(self._user[name], self.n_samples)
        return self._read[name]


def read_user(user: Any) -> Frame:
    """Read the row of a user.

    Parameters
    ----------
    user : mapping of str to object, pandas Series, or frame of one row
        What ``rank_candidates`` is given.

    Returns
    -------
    Frame
        Of one row.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If the frame has another number of rows, or the mapping holds columns instead of values.
    """
    is_series = nw.dependencies.is_pandas_series(user)
    if isinstance(user, Mapping) or is_series:
        values = dict(user.items())
        for name, value in values.items():
            if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], list | tuple | np.ndarray):
                msg = (
                    f"The user row holds one value of each column, and for a history one list: {name!r} is "
                    f"{shown(value)}, a list of lists. Give the inner list."
                )
                raise ValueError(msg)
        return read_frame({name: [value] for name, value in values.items()})
    if not is_frame(user):
        msg = (
            f"user must be a mapping of columns to values, or a frame of one row: it is a {type(user).__name__}. "
            'Give a dict, for example {"hist_item": [7, 12]}.'
        )
        raise TypeError(msg)
    frame = read_frame(user)
    if frame.n_samples != 1:
        msg = (
            f"user must be one row: the frame has {frame.n_samples}. "
            "Call rank_candidates for each user, or predict_proba for rows of several users."
        )
        raise ValueError(msg)
    return frame


def read_candidates(candidates: Any) -> Frame:
    """Read the candidates.

    Parameters
    ----------
    candidates : frame or dict of columns
        What ``rank_candidates`` is given.

    Returns
    -------
    Frame
        Any number of rows.

    Raises
    ------
    TypeError
        If it is no frame.
    """
    if not is_frame(candidates):
        msg = (
            f"candidates must be a frame or a dict of columns: it is a {type(candidates).__name__}. "
            "Give a row per candidate, with named columns."
        )
        raise TypeError(msg)
    return read_frame(candidates)


def check_columns(names: Sequence[str], roles: ColumnRoles, user: Frame, candidates: Frame) -> None:
    """Check that user and candidates share out the columns of ``fit``.

    Parameters
    ----------
    names : sequence of str
        The columns of ``fit``.
    roles : ColumnRoles
        Theirs.
    user, candidates : Frame
        What is given.

    Raises
    ------
    ValueError
        If a column is in both or in neither, was not in ``fit``, or a sequence is in one of them in part.
    """
    for role, frame in ((USER, user), (CANDIDATES, candidates)):
        for name in frame.names:
            if name not in names:
                msg = (
                    f"Column {name!r} of {role} is none that the encoder was fitted on, which are "
                    f"{', '.join(map(repr, names))}. Leave it out."
                )
                raise ValueError(msg)
    for name in names:
        if (name in user.names) == (name in candidates.names):
            where = f"both in {USER} and in" if name in user.names else f"neither in {USER} nor in"
            msg = (
                f"Column {name!r} of fit is {where} {CANDIDATES}. "
                "Give it in one of the two: in candidates if it differs between them."
            )
            raise ValueError(msg)
    for sequence in roles.sequences:
        (first, _), *rest = sequence
        for name, _ in rest:
            if (name in user.names) != (first in user.names):
                msg = (
                    f"Columns {first!r} and {name!r} describe the same behaviors: one is in the user row and the other "
                    "in candidates. Give both in the same place."
                )
                raise ValueError(msg)


def _for_all(column: Column, n_samples: int) -> Column:
    """Return the column of one row as one of ``n_samples`` rows."""
    if column.offsets is not None:
        offsets = np.full(n_samples + 1, column.offsets[-1])
        offsets[0] = 0
        return replace(column, n_samples=n_samples, offsets=offsets)
    first = pa.array(np.zeros(n_samples, dtype=np.int64))
    pieces = tuple(Piece(piece.values.take(first)) for piece in column.pieces if len(piece.values))
    return replace(column, n_samples=n_samples, pieces=pieces)
