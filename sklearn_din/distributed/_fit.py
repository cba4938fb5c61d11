"""Training on several processes or machines: what one ``fit`` would give, by the work of all."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from sklearn_din.distributed._group import check_timeout, is_launched, process_group
from sklearn_din.distributed._pipeline import encoder_and_estimator, params_of_estimator
from sklearn_din.distributed._row_groups import RowGroups, is_parquet
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import TableShare, training_together

TIMEOUT = 600.0


def fit_distributed(model: Any, X: Any, y: Any, *, timeout: float = TIMEOUT, **fit_params: Any) -> Any:
    """Fit a model on several processes, started by ``torchrun`` or another launcher.

    Parameters
    ----------
    model : Pipeline or estimator
        With a ``DINClassifier`` or ``DINRegressor``. For Parquet files a pipeline of a ``BehaviorEncoder`` and one of
        these.
    X : frame, EncodedTable, array, str, path, list of paths or pyarrow.dataset.Dataset
        Rows, of which each process must have all, in the same order; or a Parquet file, a folder of them, files or a
        dataset, of which each process reads some row groups only.
    y : array-like of shape (n_samples,) or str
        The target of the rows; for Parquet files the name of its column.
    timeout : float, default=600.0
        Seconds that a process waits for one that does not answer. One that has died is noticed at once. For a process
        group that exists already its own timeout counts.
    **fit_params
        Of ``model.fit``. For Parquet files those of the estimator, with or without the name of its step before them;
        ``sample_weight`` is then the name of a column, and ``X_val`` a frame of raw rows.

    Returns
    -------
    Pipeline or estimator
        ``model``, fitted in every process.

    Raises
    ------
    ValueError
        If the processes have other rows or parameters than each other, there are fewer row groups than processes, a
        column is missing, or files have other columns than each other.
    TypeError
        If a model is no such pipeline, or ``y`` is no name, for Parquet files.
    RuntimeError
        If another process has ended, or did not answer in time.

    See Also
    --------
    fit_out_of_core : One process, and rows that are never in memory all at once.

    Notes
    -----
    Without a launcher this is ``model.fit``, for Parquet files on all of their rows. With one it is what ``fit`` would
    be, computed together: each step has the same mini-batch whatever the number of processes, each of which computes
    the gradient of its rows (``torch.nn.parallel.DistributedDataParallel``, over NCCL with GPUs and Gloo without), and
    the statistics of Dice and batch normalization are those of all rows. Random numbers are drawn for whole batches.
    What is left is rounding: sums in another order differ in the last digit. Adam makes large steps of small gradients,
    so that it grows with the number of steps, as it does between numbers of threads.

    A process keeps its share of the encoded rows, and of all rows the target and the lengths of the histories: some 30
    bytes. Callbacks run in every process. ``device="auto"`` is a GPU of its own for each process of a machine.

    Examples
    --------
    In a file ``train.py``, run by ``torchrun --nproc-per-node 4 train.py``; run by ``python train.py`` it is ``fit``:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.distributed import fit_distributed
    >>> X, y = make_clicks(500, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0))
    >>> model = fit_distributed(model, X, y)
    >>> model.predict_proba(X).shape
    (500, 2)
    """
    check_timeout(timeout)
    fit = _fit_parquet if is_parquet(X) else _fit_frame
    if not is_launched():
        return fit(model, X, y, fit_params, None)
    with process_group(timeout) as processes:
        return fit(model, X, y, fit_params, processes)


def _fit_frame(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any], processes: Any) -> Any:
    with nullcontext() if processes is None else training_together(processes):
        return model.fit(X, y, **fit_params)


def _fit_parquet(model: Pipeline, X: Any, y: Any, fit_params: Mapping[str, Any], processes: Any) -> Pipeline:
    encoder, estimator = encoder_and_estimator(model)
    params = params_of_estimator(model, fit_params)
    groups = RowGroups(X, y, params.pop("sample_weight", None))
    own = range(len(groups)) if processes is None else groups.share(processes.rank, processes.count)
    if processes is not None:
        given = encoder.get_params(deep=False).items()
        parameters = {name: repr(value) for name, value in given if not callable(value)}
        processes.check_same({"Parquet files": groups.digest, **parameters})
    with groups.naming_places():
        encoder._fit_chunks(map(groups.frame, own), None if processes is None else _merged_by(processes))
        table = EncodedTable.concatenate(encoder.transform(groups.frame(group)) for group in own)
    target, weight = _joined([groups.target_and_weight(group) for group in own])
    if params.get("X_val") is not None:
        params["X_val"] = encoder.transform(params["X_val"])
    if processes is None:
        estimator.fit(table, target, sample_weight=weight, **params)
        return model
    first = int(groups.starts[own[0]])
    share = TableShare(table, np.arange(first, first + len(table)), groups.n_rows)
    target, weight = _joined(processes.gather_objects((target, weight)))
    with training_together(processes):
        estimator.fit(share, target, sample_weight=weight, **params)
    return model


def _merged_by(processes: Any) -> Any:
    """Return what makes the counts of all processes of those of one."""

    def merged(counts: Any) -> Any:
        first, *others = processes.gather_objects(counts)
        for other in others:
            first.merge(other)
        return first

    return merged


def _joined(parts: Any) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Return targets and weights one after another."""
    targets, weights = zip(*parts, strict=True)
    return np.concatenate(targets), None if weights[0] is None else np.concatenate(weights)
