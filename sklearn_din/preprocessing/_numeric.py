"""Numeric columns, through a transformer of scikit-learn, for the network."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
        is_default = transformer is None
        if is_default:
            transformer = _default()
        with _plain_arrays():
            fitted = _giving_arrays(clone(transformer)).fit(matrix, y)
            if hasattr(fitted, "get_feature_names_out"):
                out = tuple(map(str, fitted.get_feature_names_out(np.asarray(names, dtype=object))))
            else:
                width = _as_matrix(fitted.transform(matrix[:1])).shape[1]
                if width != len(names):
                    msg = (
                        f"numeric_transformer cannot name its output: {type(fitted).__name__} turns {len(names)} "
                        f"columns into {width} and has no get_feature_names_out. Give one that has it."
                    )
                    raise ValueError(msg)
                out = tuple(names)
        return cls(fitted, is_default, out)

    def to_state(self) -> dict[str, Any]:
        """Return the library's own transformer as numbers, which every version of scikit-learn can go on with.

        Returns
        -------
        dict
            What ``from_state`` takes; a user's own transformer is in it as it is.
        """
        if not self.is_default:
            return {"names": list(self.names), "transformer": self.transformer}
        imputer, scaler = (step for _, step in self.transformer.steps)
        return {
            "names": list(self.names),
            "statistics": imputer.statistics_,
            "indicated": imputer.indicator_.features_,
            "mean": scaler.mean_,
            "variance": scaler.var_,
            "scale": scaler.scale_,
            "n_samples": int(scaler.n_samples_seen_),
        }

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
        statistics, indicated = np.asarray(state["statistics"], dtype=np.float64), np.asarray(state["indicated"])
        learnt = [np.asarray(state[name], dtype=np.float64) for name in ("mean", "variance", "scale")]
        width = len(statistics) + len(indicated)
        if (
            not set(indicated.tolist()) <= set(range(len(statistics)))
            or not all(np.isfinite(each).all() for each in (statistics, *learnt))
            or any(each.shape != (width,) or len(names) != width for each in learnt)
            or (learnt[1] < 0).any()
            or (learnt[2] <= 0).any()
            or type(state["n_samples"]) is not int
        ):
            msg = f"The transformer of {len(statistics)} numeric columns does not give the {len(names)} that it names."
            raise ValueError(msg)
        # Two rows from which scikit-learn learns the same: each statistic, and where values were missing.
        rows = np.vstack([statistics, statistics])
        rows[0, indicated.astype(np.int64)] = np.nan
        with _plain_arrays():
            transformer = _giving_arrays(_default()).fit(rows)
        scaler = transformer.steps[1][1]
        scaler.mean_, scaler.var_, scaler.scale_ = learnt
        scaler.n_samples_seen_ = state["n_samples"]
        return cls(transformer, True, names)

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
        with _plain_arrays():
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
            return self._inverse_default(values)
        if not hasattr(self.transformer, "inverse_transform"):
            msg = (
                f"The numeric columns cannot be turned back: numeric_transformer {type(self.transformer).__name__} has "
                "no inverse_transform. Give one that has it."
            )
            raise AttributeError(msg)
        with _plain_arrays():
            return _as_matrix(self.transformer.inverse_transform(values))

    def _inverse_default(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        # Not Pipeline.inverse_transform: the imputer takes an indicator of 1e-9, which scaling back may give, for True.
        imputer, scaler = (step for _, step in self.transformer.steps)
        values = scaler.inverse_transform(values)
        raw, is_missing = values[:, : imputer.n_features_in_], values[:, imputer.n_features_in_ :] > 0.5
        columns = imputer.indicator_.features_
        raw[:, columns] = np.where(is_missing, np.nan, raw[:, columns])
        return raw


def _default() -> Any:
    return make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())


def _giving_arrays(transformer: Any) -> Any:
    """Undo ``set_output``: inside a pipeline it would replace the names of the columns by x0, x1, …."""
    if hasattr(transformer, "set_output"):
        # A pipeline has the method even if one of its steps lacks it, and then raises.
        with suppress(ValueError):
            transformer.set_output(transform="default")
    return transformer


@contextmanager
def _plain_arrays() -> Iterator[None]:
    with config_context(transform_output="default"), np.errstate(over="ignore", invalid="ignore"):
        yield


def _as_matrix(out: Any) -> NDArray[Any]:
    matrix = out.toarray() if hasattr(out, "toarray") else np.asarray(out)
    return matrix if matrix.ndim == 2 else matrix.reshape(len(matrix), -1)
