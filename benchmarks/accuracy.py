"""Accuracy of the default pipeline on prediction tasks, with simple, strong and crippled models beside it.

    pip install -e ".[pandas]" --group benchmark
    python benchmarks/accuracy.py --data FOLDER --seeds 0 1 2
    python benchmarks/accuracy.py --data FOLDER --tasks amazon_beauty/uniform --models lightgbm din

The second group of packages is for LightGBM; without it, its line is left out. FOLDER holds the data; a module
``tasks.py`` in it or above it, or in a folder ``benchmarks`` there, builds the rows: ``NAMES`` are the tasks, and
``load(name, data=FOLDER)`` returns a dataclass with ``train``, ``valid`` and ``test`` (each a frame and its target),
``behavior_features`` as ``BehaviorEncoder`` takes them, and ``group``, the column of the user. A folder
``grocery_sample`` in FOLDER is handed to the tasks whose name starts with ``grocery/``.

Models (``--models``)
---------------------
mean
    The mean target (regression only).
popularity, category-share
    How often the candidate was positive in training; the share of the history in its category (classification only).
logistic-regression, ridge, lightgbm
    A linear model (of a class; of a number) and gradient-boosted trees, on hand-made features (see ``hand_made.py``).
mean-pooling
    The network with the mean of the behaviors instead of attention.
shuffled
    The network on histories permuted among the rows of each part: what the histories are worth is missing.
din
    The network with its defaults (and ``--set``, which all networks get).
din-user
    The same with the user as one more category, which pays where later rows are of the same users.

Figures
-------
AUC and GAUC are fractions, log loss is in nats, the calibration error is a mean difference of probabilities (see
``scores.py``); RMSE, MAE and R2 for regression. Epochs are trees for LightGBM. Seconds are those of encoding (or of
making features) and fitting. Figures are means over the seeds, ± their standard deviation, on the test rows; beside
them those of the mean prediction of the seeds (*averaged*, which costs the seconds of all). Nothing is chosen by test
rows: early stopping and the penalty of the linear models go by the validation rows, all else is fixed beforehand. To
choose defaults, look at ``--part valid``, where the figures are a little kind.
"""

import argparse
import ast
import csv
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
from models import MODELS, MissingPackageError, task_is_regression
from scores import (
    CLASSIFICATION_FIGURES,
    REGRESSION_FIGURES,
    classification_figures,
    regression_figures,
    standard_error,
)

COLUMNS = ("task", "part", "model", "settings", "seed", "figure", "value")  # of the file that --csv names
WIDTH = 34  # of a label
AVERAGED = ", averaged"  # what is said of the mean prediction of several fits


def main():
    """Print a table per task."""
    options = parsed_options()
    tasks = load_module(options.data)
    for name in options.tasks or tasks.NAMES:
        folder = options.data / "grocery_sample"
        is_elsewhere = name.startswith("grocery/") and folder.exists()
        task = tasks.load(name, data=folder if is_elsewhere else options.data)
        print_table(name, task, options)


def parsed_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--tasks", nargs="+", help="names that tasks.py knows (default: all)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="lines (default: all)")
    parser.add_argument("--part", choices=("test", "valid"), default="test", help="rows to score (default: test)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="random states (default: 0)")
    parser.add_argument("--threads", type=int, help="of torch and LightGBM (default: as many as they like)")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="append task, part, model, settings, seed, figure and value of each"
    )
    parser.add_argument(
        "--set", nargs="*", default=[], type=parsed, metavar="NAME=VALUE", help="parameters of the networks"
    )
    return parser.parse_args()


def parsed(text):
    """Read ``name=value``, the value as a Python literal where it is one."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def load_module(folder):
    """Import ``tasks.py`` from the data folder, a folder above it, or ``benchmarks`` in one of them."""
    above = [folder.resolve(), *folder.resolve().parents]
    places = [place / name for place in above for name in ("tasks.py", "benchmarks/tasks.py")]
    found = [place for place in places if place.exists()]
    if not found:
        sys.exit(f"No tasks.py found in {folder} or above it, nor in a folder benchmarks beside.")
    spec = importlib.util.spec_from_file_location("tasks", found[0])
    module = importlib.util.module_from_spec(spec)
    sys.modules["tasks"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def print_table(name, task, options):
    """Print a line per model, and how uncertain an AUC is."""
    is_regression = task_is_regression(task)
    names = (*(REGRESSION_FIGURES if is_regression else CLASSIFICATION_FIGURES), "epochs", "seconds")
    y = getattr(task, options.part)[1]
    print(f"\n{name}: {len(task.train[1]):,} training rows, {len(y):,} {options.part} rows, seeds {options.seeds}")
    print(f"{'':{WIDTH}}" + "".join(f"{figure:>16}" for figure in names))
    best = 0.5
    for key in options.models:
        model = MODELS[key]
        if not (model.for_regression if is_regression else model.for_classification):
            continue
        try:
            lines = measure(key, name, task, names, options)
        except MissingPackageError as error:
            print(f"{model.label:{WIDTH}}  {error}")
            continue
        for label, rows in lines.items():
            print(f"{label:{WIDTH}}" + "".join(map(shown, names, zip(*rows, strict=True))), flush=True)
            best = max(best, np.mean(rows, axis=0)[0])
    if not is_regression:
        print(f"The standard error of an AUC of {best:.4f} on these rows is {standard_error(best, y):.4f}.")


def measure(key, name, task, names, options):
    """Fit a model for each seed; return by label the figures of each fit and, of several, of their mean prediction."""
    model = MODELS[key]
    settings = " ".join(f"{parameter}={value}" for parameter, value in options.set if model.is_network)

    def record(key, seed, row):
        if options.csv:
            measured = zip(names, row, strict=True)
            append(options.csv, [(name, options.part, key, settings, seed, *pair) for pair in measured])

    rows, scores = [], []
    seeds = options.seeds if model.is_random else options.seeds[:1]
    for seed in seeds:
        start = time.perf_counter()
        fitted = model.fit(task, seed, options)
        seconds = time.perf_counter() - start
        scores.append(fitted.predict(getattr(task, options.part)[0]))
        figures = figures_of(task, options.part, scores[-1], is_probability=fitted.is_probability)
        rows.append((*figures, fitted.n_epochs, seconds))
        record(key, seed, rows[-1])
    if len(seeds) == 1:
        return {model.label: rows}
    averaged = figures_of(task, options.part, np.mean(scores, axis=0), is_probability=fitted.is_probability)
    averaged = (*averaged, np.nan, sum(row[-1] for row in rows))
    record(f"{key}{AVERAGED}", " ".join(map(str, seeds)), averaged)
    return {model.label: rows, f"{model.label}{AVERAGED}": [averaged]}


def figures_of(task, part, score, *, is_probability):
    """Return the figures of a score of the rows of a part."""
    X, y = getattr(task, part)
    if task_is_regression(task):
        return regression_figures(y, score)
    return classification_figures(y, score, X[task.group].to_numpy(), is_probability=is_probability)


def append(path, rows):
    """Write rows to the end of a file, which may be new."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows] if is_new else rows)


def shown(name, values):
    """Return the mean of a figure over the seeds and its standard deviation, in 16 characters."""
    digits = 1 if name in ("epochs", "seconds") else 4
    if np.isnan(values).any():
        return f"{'-':>16}"
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean if len(values) == 1 else f'{mean} ±{np.std(values, ddof=1):.{digits}f}':>16}"


if __name__ == "__main__":
    main()
