"""The rows of a fit as the training takes them: as tensors, and where several processes share the fit, a part each."""

from collections.abc import Callable
from typing import Any

from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._validation import make_validator
from sklearn_din.training import SharedTable, TableShare, TensorTable, TrainingRows, current_processes
from sklearn_din.utils._checksum import checksum

# Parameters that may differ from process to process.
OF_A_PROCESS = {"callbacks", "device", "n_threads", "random_state", "verbose"}


def prepared(
    estimator: Any, examples: Examples, valid: Examples | None, unit: float | None = None
) -> tuple[TrainingRows, Callable[[Any], dict[str, float]] | None]:
    """Return the rows as the training takes them, those of this process where several share the fit.

    Parameters
    ----------
    estimator : estimator
        Being fitted; ``device_`` is set.
    examples, valid : Examples
        To train on, and held out (None for none).
    unit : float, default=None
        The weight of a row that counts as 1; None for the mean.

    Returns
    -------
    rows : TrainingRows
        On the device.
    validate : callable or None
        See ``make_validator``.
    """
    device, processes = estimator.device_, current_processes()
    is_same = valid is not None and valid.table is examples.table
    if processes is None:
        rows = examples.to_rows(TensorTable(examples.table, device), unit)
    else:
        _check_same(estimator, examples, valid, processes)
        if valid is not None and is_same:
            valid, is_same = _held_out_rows(valid, processes), False
        table = examples.table
        share = table if isinstance(table, TableShare) else TableShare.of(table, processes)
        rows = examples.to_rows(SharedTable(share, device, processes), unit)
    if valid is None:
        return rows, None
    tensors = rows.table if is_same else TensorTable(valid.table, device)
    return rows, make_validator(estimator, valid, tensors)


def data_of(examples: Examples) -> dict[str, Any]:
    """Return what scikit-learn's callbacks may ask for.

    Parameters
    ----------
    examples : Examples
        To train on.

    Returns
    -------
    dict
        The training rows, without those held out.
    """
    positions = examples.positions
    weight = examples.sample_weight
    return {
        "X": lambda: examples.table[positions],
        "y": lambda: examples.y[positions],
        "metadata": None if weight is None else {"sample_weight": weight[positions]},
    }


def _check_same(estimator: Any, examples: Examples, valid: Examples | None, processes: Any) -> None:
    """Raise where the processes were given other rows or parameters than each other."""
    given = {name: value for name, value in estimator.get_params().items() if name not in OF_A_PROCESS}
    facts: dict[str, Any] = {name: "a callable" if callable(each) else repr(each) for name, each in given.items()}
    facts["number of rows"] = str(len(examples.table))
    facts["columns and values of X"] = examples.table.layout
    facts["rows of X, y and sample_weight"] = _digest(examples)
    facts["rows of X_val, y_val and sample_weight_val"] = None if valid is None else _digest(valid)
    processes.check_same(facts)


def _digest(examples: Examples) -> int:
    """Return a checksum of rows; of a part of a table without its columns."""
    arrays = [examples.positions, examples.target]
    if examples.weights is not None:
        arrays.append(examples.weights)
    table = examples.table
    if not isinstance(table, TableShare):
        lists = [table.ragged(name) for name in table.layout.list_columns]
        arrays += [array for each in lists for array in (each.values, each.offsets)]
        arrays += [table[name] for name in table.layout.columns if name not in table.layout.list_columns]
    return checksum(arrays)


def _held_out_rows(valid: Examples, processes: Any) -> Examples:
    """Return the held-out rows alone, all of them in every process."""
    table, positions = valid.table, valid.positions
    is_share = isinstance(table, TableShare)
    return valid.alone(table.collect(positions, processes) if is_share else table[positions])
