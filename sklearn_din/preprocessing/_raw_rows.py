"""The columns of a frame by role, checked and cut to length: what ``fit`` learns from and ``transform`` encodes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sklearn_din.preprocessing._column_roles import ColumnRoles
from sklearn_din.preprocessing._items import Items, items_of, numbers_of
from sklearn_din.utils._checks import check_is_list, check_is_scalar, check_same_lengths
from sklearn_din.utils._columns import Column
from sklearn_din.utils._frames import Frame


@dataclass
class RawRows:
    """Columns that have a role.

    Attributes
    ----------
    frame : Frame
        All columns.
    roles : ColumnRoles
        Their roles.
    max_length : int
        How long lists may be: histories keep the newest values, bags the first.
    """

    frame: Frame
    roles: ColumnRoles
    max_length: int

    @cached_property
    def lists(self) -> dict[str, Column]:
        """The list columns, cut to length.

        Raises
        ------
        TypeError
            If a column holds no lists.
        ValueError
            If fields of a sequence differ in length, before they are cut.
        """
        columns = {}
        for sequence in self.roles.sequences:
            first = check_is_list(self.frame[sequence[0][0]])
            for name, _ in sequence:
                field = check_is_list(self.frame[name])
                check_same_lengths(first, field)
                columns[name] = field.newest(self.max_length)
        for name in self.roles.bags:
            columns[name] = check_is_list(self.frame[name]).first(self.max_length)
        return columns

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The numeric columns, shape (n_samples, n_numeric), NaN where missing."""
        advice = "Give one number per row."
        columns = [check_is_scalar(self.frame[name], "numeric", advice) for name in self.roles.numeric]
        matrix = np.empty((self.frame.n_samples, len(columns)))
        for position, column in enumerate(columns):
            matrix[:, position] = numbers_of(column)
        return matrix

    def items(self, name: str) -> Items:
        """Return the items of a categorical or list column.

        Parameters
        ----------
        name : str
            The column.

        Returns
        -------
        Items
            Of the values that are kept.

        Raises
        ------
        TypeError
            If a categorical column holds lists.
        ValueError
            If a value cannot be an id.
        """
        if name not in self._items:
            advice = "Give one value per row."
            column = self.lists.get(name) or check_is_scalar(self.frame[name], "categorical", advice)
            self._items[name] = items_of(column)
        return self._items[name]

    @cached_property
    def _items(self) -> dict[str, Items]:
        return {}
