"""What each transformer of scikit-learn has learnt: arrays of numbers whose shapes are known, out of it and into it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from sklearn_din.persistence._refusal import refuse
from sklearn_din.utils._pieces import shown

MOST_COLUMNS = 100_000  # that a transformer takes
MOST_TERMS, HIGHEST_DEGREE = 1_000_000, 100  # of polynomials

# What each learns, beside the number and the names of its columns: n is for them, other letters for any size.
LEARNT: dict[type[BaseEstimator], dict[str, str]] = {
    Binarizer: {},
    FunctionTransformer: {},
    KBinsDiscretizer: {},
    MaxAbsScaler: {"max_abs_": "n", "scale_": "n"},
    MinMaxScaler: {"data_max_": "n", "data_min_": "n", "data_range_": "n", "min_": "n", "scale_": "n"},
    MissingIndicator: {},
    Normalizer: {},
    PCA: {
        "components_": "k n",
        "explained_variance_": "k",
        "explained_variance_ratio_": "k",
        "mean_": "n",
        "singular_values_": "k",
    },
    PolynomialFeatures: {},
    PowerTransformer: {"lambdas_": "n"},
    QuantileTransformer: {"quantiles_": "q n", "references_": "q"},
    RobustScaler: {"center_": "n", "scale_": "n"},
    SimpleImputer: {},
    StandardScaler: {"mean_": "n", "scale_": "n", "var_": "n"},
    VarianceThreshold: {"variances_": "n"},
}
OPTIONAL = {  # None if not wanted
    PowerTransformer: {"mean_", "scale_", "var_"},
    RobustScaler: {"center_", "scale_"},
    StandardScaler: {"mean_", "scale_", "var_"},
}


def learnt_by(transformer: Any) -> dict[str, Any]:
    """Return what a fitted transformer has learnt.

    Parameters
    ----------
    transformer : estimator
        Of a class in ``LEARNT``.

    Returns
    -------
    dict of str to object
        Arrays and numbers: public attributes but for what the class hides.
    """
    learnt = {name: getattr(transformer, name) for name in ("n_features_in_", *LEARNT[type(transformer)])}
    if hasattr(transformer, "feature_names_in_"):
        learnt["feature_names_in_"] = transformer.feature_names_in_
    parts = _PARTS.get(type(transformer))
    return learnt if parts is None else learnt | parts(transformer)


def give_back(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    """Return a transformer that has learnt what another one had.

    Parameters
    ----------
    transformer : estimator
        Made by its constructor.
    learnt : mapping
        What ``learnt_by`` gave; may be forged.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the arrays are not of the shapes that belong together.
    """
    cls = type(transformer)
    transformer.n_features_in_ = _checked_size(learnt["n_features_in_"], MOST_COLUMNS)
    shapes = _size_of(transformer)
    for name, letters in LEARNT[cls].items():
        setattr(transformer, name, _checked_array(cls, name, learnt[name], letters, shapes))
    if cls in _REBUILD:
        transformer = _REBUILD[cls](transformer, learnt)
    if "feature_names_in_" in learnt:
        transformer.feature_names_in_ = _checked_names(learnt["feature_names_in_"], transformer.n_features_in_)
    return transformer


def _parts_of_bins(transformer: Any) -> dict[str, Any]:
    return {"bin_edges_": list(transformer.bin_edges_)}


def _parts_of_imputer(transformer: Any) -> dict[str, Any]:
    indicator = transformer.indicator_
    return {
        "statistics_": np.asarray(transformer.statistics_, dtype=np.float64),
        "indicated": None if indicator is None else indicator.features_,
    }


def _parts_of_indicator(transformer: Any) -> dict[str, Any]:
    return {"indicated": transformer.features_}


def _parts_of_powers(transformer: Any) -> dict[str, Any]:
    scaler = transformer._scaler if transformer.standardize else None
    return {f"scaler_{name}": getattr(scaler, name, None) for name in LEARNT[StandardScaler]}


def _count_of_samples(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda transformer: {name: getattr(transformer, name)}


_PARTS: dict[type[BaseEstimator], Callable[[Any], dict[str, Any]]] = {
    KBinsDiscretizer: _parts_of_bins,
    MaxAbsScaler: _count_of_samples("n_samples_seen_"),
    MinMaxScaler: _count_of_samples("n_samples_seen_"),
    MissingIndicator: _parts_of_indicator,
    PCA: lambda transformer: {name: getattr(transformer, name) for name in ("n_samples_", "noise_variance_")},
    PowerTransformer: _parts_of_powers,
    SimpleImputer: _parts_of_imputer,
    StandardScaler: _count_of_samples("n_samples_seen_"),
}


def _rebuild_bins(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    edges = learnt["bin_edges_"]
    for each in edges:
        if not isinstance(each, np.ndarray) or each.dtype.kind != "f" or each.ndim != 1 or len(each) < 2:
            refuse("edges of bins", each, "numbers")
        if np.isnan(each).any() or (np.diff(each) < 0).any():
            refuse("edges of bins", each, "in order")
    if len(edges) != transformer.n_features_in_:
        refuse("edges of bins", len(edges), f"those of {transformer.n_features_in_} columns")
    transformer.bin_edges_ = np.empty(len(edges), dtype=object)
    transformer.bin_edges_[:] = edges
    transformer.n_bins_ = np.array([len(each) - 1 for each in edges])
    if transformer.encode != "ordinal":
        transformer._encoder = OneHotEncoder(
            categories=[np.arange(n_bins) for n_bins in transformer.n_bins_],
            sparse_output=transformer.encode == "onehot",
            dtype=np.float64 if transformer.dtype is None else transformer.dtype,
        ).fit(np.zeros((1, len(edges))))
    return transformer


def _rebuild_imputer(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    # Two rows from which scikit-learn learns the same: each statistic, and where values were missing.
    statistics = _checked_array(SimpleImputer, "statistics_", learnt["statistics_"], "n", _size_of(transformer))
    rows = np.vstack([statistics, statistics])
    if learnt["indicated"] is not None:
        rows[0, _checked_positions(learnt["indicated"], rows.shape[1])] = transformer.missing_values
    fitted = transformer.fit(rows)
    if not np.array_equal(fitted.statistics_.astype(np.float64), statistics, equal_nan=True):
        refuse("statistics_", statistics, f"possible with missing_values={shown(transformer.missing_values)}")
    return fitted


def _rebuild_indicator(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    present = 1.0 if transformer.missing_values == 0 else 0.0
    rows = np.full((2, transformer.n_features_in_), present)
    rows[0, _checked_positions(learnt["indicated"], rows.shape[1])] = transformer.missing_values
    return transformer.fit(rows)


def _rebuild_polynomials(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    degrees = transformer.degree if isinstance(transformer.degree, tuple) else (transformer.degree,)
    if max(degrees) > HIGHEST_DEGREE:
        refuse("degree", transformer.degree, f"{HIGHEST_DEGREE} or less")
    fitted = transformer.fit(np.zeros((1, transformer.n_features_in_)))
    _checked_size(fitted.n_output_features_, MOST_TERMS)
    return fitted


def _rebuild_powers(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    if transformer.standardize:
        transformer._scaler = StandardScaler(copy=False)
        transformer._scaler.n_features_in_ = transformer.n_features_in_
        for name, letters in LEARNT[StandardScaler].items():
            array = _checked_array(PowerTransformer, name, learnt[f"scaler_{name}"], letters, _size_of(transformer))
            setattr(transformer._scaler, name, array)
    return transformer


def _rebuild_quantiles(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    transformer.n_quantiles_ = len(transformer.references_)
    return transformer


def _rebuild_components(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    transformer.n_components_ = len(transformer.components_)
    transformer.n_samples_ = _checked_size(learnt["n_samples_"])
    transformer.noise_variance_ = float(learnt["noise_variance_"])
    return transformer


def _rebuild_counted(transformer: Any, learnt: Mapping[str, Any]) -> Any:
    count = np.asarray(learnt["n_samples_seen_"])  # of each column where some were missing
    if (
        count.dtype.kind not in "iuf"
        or count.shape not in ((), (transformer.n_features_in_,))
        or not (count >= 0).all()
    ):
        refuse("n_samples_seen_", learnt["n_samples_seen_"], "a number, or one for each column")
    transformer.n_samples_seen_ = learnt["n_samples_seen_"]
    return transformer


_REBUILD: dict[type[BaseEstimator], Callable[[Any, Mapping[str, Any]], Any]] = {
    KBinsDiscretizer: _rebuild_bins,
    MaxAbsScaler: _rebuild_counted,
    MinMaxScaler: _rebuild_counted,
    MissingIndicator: _rebuild_indicator,
    PCA: _rebuild_components,
    PolynomialFeatures: _rebuild_polynomials,
    PowerTransformer: _rebuild_powers,
    QuantileTransformer: _rebuild_quantiles,
    SimpleImputer: _rebuild_imputer,
    StandardScaler: _rebuild_counted,
}


def _checked_array(cls: type[BaseEstimator], name: str, array: Any, letters: str, shapes: dict[str, int]) -> Any:
    if array is None and name in OPTIONAL.get(cls, ()):
        return None
    sizes = letters.split(" ")
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim != len(sizes):
        refuse(name, array, f"numbers in {len(sizes)} dimensions")
    for letter, size in zip(sizes, array.shape, strict=True):
        if shapes.setdefault(letter, size) != size:
            refuse(f"the size of {name}", size, shapes[letter])
    if cls is not SimpleImputer and cls is not QuantileTransformer and not np.isfinite(array).all():
        refuse(name, "NaN or infinity", "finite numbers")
    if name in ("var_", "explained_variance_", "variances_") and (array < 0).any():
        refuse(name, float(array.min()), "0 or greater")
    if name == "scale_" and (array <= 0).any():
        refuse(name, float(array.min()), "positive")
    return array


def _checked_names(names: Any, n_features: int) -> Any:
    if not isinstance(names, np.ndarray) or names.shape != (n_features,) or not all(isinstance(n, str) for n in names):
        refuse("feature_names_in_", names, f"{n_features} strings")
    return names


def _checked_positions(positions: Any, n_features: int) -> Any:
    is_array = isinstance(positions, np.ndarray) and positions.dtype.kind in "iu" and positions.ndim == 1
    if not is_array or not set(positions.tolist()) <= set(range(n_features)):
        refuse("columns with missing values", positions, f"positions of {n_features} columns")
    return positions


def _checked_size(size: Any, largest: int = 2**63) -> int:
    if type(size) is not int or not 1 <= size <= largest:
        refuse("a number of columns or rows", size, f"a whole number from 1 to {largest}")
    return int(size)


def _size_of(transformer: Any) -> dict[str, int]:
    return {"n": transformer.n_features_in_}
