"""Accuracy of the default pipeline on prediction tasks, with mean pooling beside it.

    python benchmarks/accuracy.py --data FOLDER --tasks amazon_beauty/uniform amazon_beauty/popularity --seeds 0 1 2

FOLDER holds the data; a module ``tasks.py`` in it or above it, or in a folder ``benchmarks`` there, builds the rows:
``load(name, data=FOLDER)`` returns an object with ``train``, ``valid`` and ``test`` (each a frame and its
target), ``behavior_features`` as ``BehaviorEncoder`` takes them, and ``group``, the column of the user. Training stops
early by ``valid``; ``test`` is only reported. AUC and GAUC are fractions, log loss is in nats, seconds are those of
encoding and fitting.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.metrics import gauc_score

MODELS = {"DIN": {}, "mean pooling": {"pooling": "mean"}}
FIGURES = ("AUC", "GAUC", "log loss", "epochs", "seconds")


def main():
    """Print a line per task, model and seed, and the means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--tasks", nargs="+", required=True, help="names that tasks.py knows")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="random states (default: 0)")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: as many as it likes)")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of DINClassifier other than its defaults"
    )
    options = parser.parse_args()
    tasks = load_module(options.data)
    parameters = {"n_threads": options.threads, **dict(map(parsed, options.set))}
    print(f"{'task':28} {'model':14} {'seed':>5} " + " ".join(f"{name:>8}" for name in FIGURES))
    for name in options.tasks:
        task = tasks.load(name, data=options.data)
        for model, changes in MODELS.items():
            rows = [measure(task, random_state=seed, **{**parameters, **changes}) for seed in options.seeds]
            for seed, row in zip(options.seeds, rows, strict=True):
                print_row(name, model, str(seed), row)
            if len(rows) > 1:
                print_row(name, model, "mean", np.mean(rows, axis=0))
                print_row(name, model, "sd", np.std(rows, axis=0, ddof=1))


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


def parsed(text):
    """Read ``name=value``, the value as a Python literal where it is one."""
    import ast

    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def measure(task, **parameters):
    """Fit on the training rows and score the test rows; the figures in the order of ``FIGURES``."""
    train, valid, test = ((features(X, task), y) for X, y in (task.train, task.valid, task.test))
    start = time.perf_counter()
    encoder = BehaviorEncoder(task.behavior_features)
    table = encoder.fit_transform(train[0])
    model = DINClassifier(**parameters).fit(table, train[1], X_val=encoder.transform(valid[0]), y_val=valid[1])
    seconds = time.perf_counter() - start
    score = model.predict_proba(encoder.transform(test[0]))[:, 1]
    gauc = gauc_score(test[1], score, groups=task.test[0][task.group].to_numpy())
    return roc_auc_score(test[1], score), gauc, log_loss(test[1], score), model.n_epochs_, seconds


def features(X, task):
    """Drop the user, and make categories of the integers that are not the candidate's."""
    X = X.drop(columns=task.group)
    others = [name for name in X.select_dtypes("integer") if name not in task.behavior_features.values()]
    return X.astype(dict.fromkeys(others, str))


def print_row(task, model, seed, row):
    """Print the figures of one fit."""
    auc, gauc, loss, epochs, seconds = row
    print(f"{task:28} {model:14} {seed:>5} {auc:8.4f} {gauc:8.4f} {loss:8.4f} {epochs:8.1f} {seconds:8.1f}", flush=True)


if __name__ == "__main__":
    main()
