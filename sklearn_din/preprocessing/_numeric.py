"""Numeric columns, through a transformer of scikit-learn, for the network."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklearn_din.preprocessing._default_numbers import (
    default_of_moments,
    default_of_state,
    giving_arrays,
    plain_arrays,
    state_of_default,
    turned_back,
)
from sklearn_din.preprocessing._moments import Moments
from sklearn_din.utils._pieces import shown


@dataclass(frozen=True)
class NumericColumns:
    """A fitted transformer of the numeric columns.

    Attributes
    ----------
    transformer : estimator
        Fitted.
    is_default : bool
        Whether it is the library's own: imputer with indicators, then scaler.
    names : tuple of str
        Of its output columns.
    """

    transformer: Any
    is_default: bool
    names: tuple[str, ...]

    @classmethod
    def learn(
        cls, transformer: Any, matrix: NDArray[np.float64], names: Sequence[str], y: Any = None
    ) -> "NumericColumns":
        """Fit a clone of the transformer.

        Parameters
        ----------
        transformer : estimator or None
            None for mean imputation with indicators, then standardisation.
        matrix : ndarray of shape (n_samples, n_numeric)
            NaN where missing.
        names : sequence of str
            Of the columns of ``matrix``.
        y : array-like of shape (n_samples,), optional
            Handed to the transformer.

        Returns
        -------
        NumericColumns
            Fitted.

        Raises
        ------
        ValueError
            If the transformer changes the number of columns and has no ``get_feature_names_out``.
        """
        if transformer is None:
            return cls.of_moments([Moments.of(column) for column in matrix.T], len(matrix), names)
        with plain_arrays():
            fitted = giving_arrays(clone(transformer)).fit(matrix, y)
            return cls(fitted, False, _names_out(fitted, matrix, names))

    @classmethod
    def learn_from_chunk(
        cls,
        transformer: Any,
        before: "NumericColumns | None",
        matrix: NDArray[np.float64],
        names: Sequence[str],
        y: Any = None,
    ) -> "NumericColumns":
        """Go on with a transformer of the user's, with its ``partial_fit``.

        Parameters
        ----------
        transformer : estimator
            A parameter of the encoder.
        before : NumericColumns or None
            What was learnt of the chunks before; it stays as it is. None for the first chunk.
        matrix, names, y
            See ``learn``.

        Returns
        -------
        NumericColumns
            Fitted on all chunks.

        Raises
        ------
        TypeError
            If the transformer has no ``partial_fit``.
        ValueError
            If it cannot name its output.
        """
        if not hasattr(transformer, "partial_fit"):
            msg = (
                f"numeric_transformer cannot learn from chunks: {type(transformer).__name__} has no partial_fit. Give "
                "one that has it, such as StandardScaler, or None for the default."
            )
            raise TypeError(msg)
        with plain_arrays():
            fitted = giving_arrays(clone(transformer)) if before is None else deepcopy(before.transformer)
            fitted.partial_fit(matrix, y)
            return cls(fitted, False, _names_out(fitted, matrix, names))

    @classmethod
    def of_moments(cls, moments: Sequence[Moments], n_samples: int, names: Sequence[str]) -> "NumericColumns":
        """Return the library's own transformer as it would be after ``fit`` on numbers of which the moments are known.

        Parameters
        ----------
        moments : sequence of Moments
            Of each column.
        n_samples : int
            Rows; the numbers that are not among the moments are missing.
        names : sequence of str
            Of the columns.

        Returns
        -------
        NumericColumns
            Fitted.
        """
        transformer = default_of_moments(moments, n_samples)
        return cls(transformer, True, _names_out(transformer, np.empty((0, len(names))), names))

    def to_state(self) -> dict[str, Any]:
        """Return the library's own transformer as numbers, which every version of scikit-learn can go on with.

        Returns
        -------
        dict
            What ``from_state`` takes; a user's own transformer is in it as it is.
        """
        if not self.is_default:
            return {"names": list(self.names), "transformer": self.transformer}
        return {"names": list(self.names), **state_of_default(self.transformer)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "NumericColumns":
        """Return the columns that ``to_state`` described.

        Parameters
        ----------
        state : mapping
            May be damaged, or forged.

        Returns
        -------
        NumericColumns
            Fitted.

        Raises
        ------
        IndexError, KeyError, TypeError, ValueError
            If the state describes no numeric columns.
        """
        names = tuple(state["names"])
        if "transformer" in state:
            return cls(state["transformer"], False, names)
        return cls(default_of_state(state, len(names)), True, names)

    @property
    def n_features(self) -> int | None:
        """Columns that the transformer takes; None if it does not tell."""
        n_features: int | None = getattr(self.transformer, "n_features_in_", None)
        return n_features

    def transform(self, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the transformed columns.

        Parameters
        ----------
        matrix : ndarray of shape (n_samples, n_numeric)
            NaN where missing.

        Returns
        -------
        ndarray of shape (n_samples, len(names)), float32
            Finite.

        Raises
        ------
        ValueError
            If the transformer gives NaN, infinity, a number too large for float32, or another shape.
        """
        if not len(matrix):
            return np.empty((0, len(self.names)), dtype=np.float32)
        with plain_arrays():
            out = _as_matrix(self.transformer.transform(matrix))
            numbers = out.astype(np.float32)
        if numbers.shape != (len(matrix), len(self.names)):
            msg = (
                f"numeric_transformer must give {len(self.names)} columns for {len(matrix)} rows; it gave the shape "
                f"{numbers.shape}. Use one that keeps rows and names its columns."
            )
            raise ValueError(msg)
        bad = np.argwhere(~np.isfinite(numbers))
        if len(bad):
            row, column = bad[0]
            msg = (
                f"numeric_transformer must give finite numbers that fit in float32: its column {self.names[column]!r} "
                f"has {shown(out[row, column])} in row {row}. Let it impute missing values, and scale."
            )
            raise ValueError(msg)
        return numbers

    def inverse_transform(self, numbers: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the columns as they were before ``transform``.

        Parameters
        ----------
        numbers : ndarray of shape (n_samples, len(names)), float32
            What ``transform`` gave.

        Returns
        -------
        ndarray of shape (n_samples, n_numeric)
            To the precision of float32; the library's own transformer gives NaN where an indicator tells of it.

        Raises
        ------
        AttributeError
            If the transformer has no ``inverse_transform``.
        """
        values = numbers.astype(np.float64)
        if self.is_default:
            return turned_back(self.transformer, values)
        if not hasattr(self.transformer, "inverse_transform"):
            msg = (
                f"The numeric columns cannot be turned back: numeric_transformer {type(self.transformer).__name__} has "
                "no inverse_transform. Give one that has it."
            )
            raise AttributeError(msg)
        with plain_arrays():
            return _as_matrix(self.transformer.inverse_transform(values))


def _names_out(fitted: Any, matrix: NDArray[np.float64], names: Sequence[str]) -> tuple[str, ...]:
    if hasattr(fitted, "get_feature_names_out"):
        return tuple(map(str, fitted.get_feature_names_out(np.asarray(names, dtype=object))))
    width = _as_matrix(fitted.transform(matrix[:1])).shape[1]
    if width != len(names):
        msg = (
            f"numeric_transformer cannot name its output: {type(fitted).__name__} turns {len(names)} columns into "
            f"{width} and has no get_feature_names_out. Give one that has it."
        )
        raise ValueError(msg)
    return tuple(names)


def _as_matrix(out: Any) -> NDArray[Any]:
    matrix = out.toarray() if hasattr(out, "toarray") else np.asarray(out)
    return matrix if matrix.ndim == 2 else matrix.reshape(len(matrix), -1)
