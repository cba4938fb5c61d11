"""Which types the values of a column have, in rows that come in chunks."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sklearn_din.preprocessing._factors import BLOCK
from sklearn_din.utils._columns import Column
from sklearn_din.utils._pieces import Piece


@dataclass(frozen=True)
class ColumnKind:
    """What the types in a column tell of it; ``a | b`` is the kind of the rows of both.

    Attributes
    ----------
    is_list : bool
        Whether there are lists.
    is_category : bool
        Whether the frame says that the values are categories.
    types : frozenset of str
        Which of "boolean", "integer", "float" and "text" (bytes are as well) there are; "nan" for floats all of which
        are missing, which is how some frames write missing values of any type.
    """

    is_list: bool = False
    is_category: bool = False
    types: frozenset[str] = frozenset()

    @classmethod
    def of(cls, column: Column) -> "ColumnKind":
        """Return the kind of a column."""
        return cls(column.is_list, column.is_category, frozenset(map(_type_of, column.pieces)))

    def __or__(self, other: "ColumnKind") -> "ColumnKind":
        return ColumnKind(
            self.is_list or other.is_list, self.is_category or other.is_category, self.types | other.types
        )

    @property
    def is_untyped(self) -> bool:
        """Whether nothing tells a type."""
        return not self.types

    @property
    def is_float(self) -> bool:
        """Whether the values are numbers and some are floats."""
        return self.is_number and (self.types == {"nan"} or "float" in self.types)

    @property
    def is_integer(self) -> bool:
        """Whether the values are integers."""
        return self.types - {"nan"} == {"integer"}

    @property
    def is_number(self) -> bool:
        """Whether there are integers or floats, and nothing else."""
        return bool(self.types) and self.types <= {"float", "integer", "nan"}

    @property
    def words(self) -> str:
        """What the column holds, for a message."""
        if self.is_list:
            return "lists"
        if self.is_category:
            return "categories"
        if not self.types - {"nan"}:
            return "only missing values"
        words = {"boolean": "booleans", "float": "floats", "integer": "integers", "text": "strings or bytes"}
        return " and ".join(words[name] for name in sorted(self.types - {"nan"}))


def _type_of(piece: Piece) -> str:
    kind = piece.values.type
    if pa.types.is_floating(kind):
        return "float" if _has_number(piece.values.to_numpy(zero_copy_only=False)) else "nan"
    if pa.types.is_integer(kind):
        return "integer"
    return "boolean" if pa.types.is_boolean(kind) else "text"


def _has_number(values: NDArray[np.floating]) -> bool:
    blocks = (values[start : start + BLOCK] for start in range(0, len(values), BLOCK))
    return any(not np.isnan(block).all() for block in blocks)
