"""The library's own transformer of numeric columns: mean imputation with indicators, then standardisation."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_din.preprocessing._moments import Moments


def default_of_moments(moments: Sequence[Moments], n_samples: int) -> Any:
    """Return the transformer as it would be after ``fit`` on numbers of which the moments are known.

    Parameters
    ----------
    moments : sequence of Moments
        Of each column.
    n_samples : int
        Rows; the numbers that are not among the moments are missing.

    Returns
    -------
    Pipeline
        Fitted.
    """
    statistics = np.array([each.mean for each in moments])
    missing = np.array([(n_samples - each.n) / n_samples for each in moments])
    indicated = np.flatnonzero(missing)
    mean = np.concatenate([statistics, missing[indicated]])
    spread = np.array([each.squares / n_samples for each in moments])
    variance = np.concatenate([spread, missing[indicated] * (1 - missing[indicated])])
    # As StandardScaler does, deviations that may be nothing but rounding are left as they are.
    error = np.finfo(np.float64).eps * n_samples
    is_constant = variance <= error * variance + (error * mean) ** 2
    scale = np.where(is_constant, 1.0, np.sqrt(variance))
    return _fitted(statistics, indicated, (mean, variance, scale), n_samples)


def state_of_default(transformer: Any) -> dict[str, Any]:
    """Return the transformer as numbers, which every version of scikit-learn can go on with.

    Parameters
    ----------
    transformer : Pipeline
        Fitted.

    Returns
    -------
    dict
        What ``default_of_state`` takes.
    """
    imputer, scaler = (step for _, step in transformer.steps)
    return {
        "statistics": imputer.statistics_,
        "indicated": imputer.indicator_.features_,
        "mean": scaler.mean_,
        "variance": scaler.var_,
        "scale": scaler.scale_,
        "n_samples": int(scaler.n_samples_seen_),
    }


def default_of_state(state: Mapping[str, Any], n_names: int) -> Any:
    """Return the transformer that ``state_of_default`` described.

    Parameters
    ----------
    state : mapping
        May be damaged, or forged.
    n_names : int
        How many columns it gives.

    Returns
    -------
    Pipeline
        Fitted.

    Raises
    ------
    IndexError, KeyError, TypeError, ValueError
        If the state describes no such transformer.
    """
    statistics, indicated = np.asarray(state["statistics"], dtype=np.float64), np.asarray(state["indicated"])
    learnt = [np.asarray(state[name], dtype=np.float64) for name in ("mean", "variance", "scale")]
    width = len(statistics) + len(indicated)
    if (
        not set(indicated.tolist()) <= set(range(len(statistics)))
        or not all(np.isfinite(each).all() for each in (statistics, *learnt))
        or any(each.shape != (width,) or n_names != width for each in learnt)
        or (learnt[1] < 0).any()
        or (learnt[2] <= 0).any()
        or type(state["n_samples"]) is not int
    ):
        msg = f"The transformer of {len(statistics)} numeric columns does not give the {n_names} that it names."
        raise ValueError(msg)
    return _fitted(statistics, indicated, learnt, state["n_samples"])


def turned_back(transformer: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns as they were before the transformer.

    Parameters
    ----------
    transformer : Pipeline
        Fitted.
    values : ndarray of shape (n_samples, width)
        What it gave.

    Returns
    -------
    ndarray of shape (n_samples, n_numeric)
        NaN where an indicator tells of it.
    """
    # Not Pipeline.inverse_transform: the imputer takes an indicator of 1e-9, which scaling back may give, for True.
    imputer, scaler = (step for _, step in transformer.steps)
    values = scaler.inverse_transform(values)
    raw, is_missing = values[:, : imputer.n_features_in_], values[:, imputer.n_features_in_ :] > 0.5
    columns = imputer.indicator_.features_
    raw[:, columns] = np.where(is_missing, np.nan, raw[:, columns])
    return raw


def giving_arrays(transformer: Any) -> Any:
    """Undo ``set_output``: inside a pipeline it would replace the names of the columns by x0, x1, ….

    Parameters
    ----------
    transformer : estimator
        Changed in place.

    Returns
    -------
    estimator
        The same.
    """
    if hasattr(transformer, "set_output"):
        # A pipeline has the method even if one of its steps lacks it, and then raises.
        with suppress(ValueError):
            transformer.set_output(transform="default")
    return transformer


@contextmanager
def plain_arrays() -> Iterator[None]:
    """Have transformers give arrays, and no warnings of overflow, for which there are checks."""
    with config_context(transform_output="default"), np.errstate(over="ignore", invalid="ignore"):
        yield


def _fitted(
    statistics: NDArray[np.float64],
    indicated: NDArray[np.integer],
    learnt: Sequence[NDArray[np.float64]],
    n_samples: int,
) -> Any:
    """Return the transformer with what the imputer and the scaler (mean, variance, scale) have learnt."""
    # Two rows from which scikit-learn learns the same: each statistic, and where values were missing.
    rows = np.vstack([statistics, statistics])
    rows[0, indicated.astype(np.int64)] = np.nan
    with plain_arrays():
        transformer = giving_arrays(
            make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
        )
        transformer.fit(rows)
    scaler = transformer.steps[1][1]
    scaler.mean_, scaler.var_, scaler.scale_ = learnt
    scaler.n_samples_seen_ = n_samples
    return transformer
