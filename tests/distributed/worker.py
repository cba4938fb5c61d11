"""One of several processes of a fit, for the tests beside it: ``worker.py FOLDER CASE...``, started by torchrun.

What it has learnt is written to ``FOLDER/CASE_RANK.npz``.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.datasets import make_clicks
from sklearn_din.distributed import _row_groups, fit_distributed

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8, 4),
    "hidden_layer_sizes": (8, 4),
    "max_epochs": 2,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "n_iter_no_change": 5,
    "device": "cpu",
    "random_state": 0,
}
# 98 rows: 10 held out, and of the other 88 the last batch of an epoch has 24.
N_ROWS = 98


class KilledIn(Callback):
    """Ends the process of a rank as the system would, in the middle of training."""

    def __init__(self, rank):
        self.rank = rank

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == 2 and os.environ.get("RANK") == str(self.rank):
            os.kill(os.getpid(), signal.SIGKILL)


class FailingIn(Callback):
    """Raises in a rank, in the middle of training."""

    def __init__(self, rank):
        self.rank = rank

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == 2 and os.environ.get("RANK") == str(self.rank):
            msg = "as it happens"
            raise OSError(msg)


FRAMES = {
    "adam": {},
    "sparse": {"sparse_embeddings": True},
    "adagrad_l2": {"optimizer": "adagrad", "embedding_regularization": "l2", "embedding_alpha": 1e-3},
    "batch_norm": {"batch_norm": True, "attention_dropout": 0.3, "activation": "relu", "optimizer": "sgd"},
    "plain_unit": {"attention_activation": "prelu", "attention_normalization": None, "clip_norm": None},
    "few_rows_left": {"batch_size": 43},  # batches of 43, 43 and 2 rows
    "no_validation": {"early_stopping": False, "learning_rate_schedule": "plateau", "alpha": 0.1},
    "unseeded": {"random_state": None},
    "mixed_precision": {"mixed_precision": True, "max_epochs": 1},
}
PARQUET = {
    "files": {},
    "files_scored": {"scoring": "roc_auc", "sparse_embeddings": True},
    "files_balanced": {"class_weight": "balanced"},
}
OTHERS = {"regressor": {}, "labels": {}, "killed": {"callbacks": [KilledIn(1)], "max_epochs": 1000}}
OTHERS |= {"caught": {"callbacks": [FailingIn(1)], "max_epochs": 1000}}


def make_frame():
    """Rows with list columns, a number that is sometimes missing, weights, and a target of two classes."""
    X, y = make_clicks(N_ROWS, n_items=20, n_categories=5, max_length=8, random_state=0)
    numbers = np.random.default_rng(1).normal(size=(2, N_ROWS))
    numbers[0, ::7] = np.nan
    return X.assign(age=numbers[0]), y, numbers[1]


def make_model(name):
    """Return the pipeline of a case."""
    parameters = SMALL | (FRAMES | PARQUET | OTHERS)[name]
    estimator = DINRegressor(**parameters) if name == "regressor" else DINClassifier(**parameters)
    return Pipeline([("encode", BehaviorEncoder(BEHAVIORS)), ("din", estimator)])


def write_parquet(folder):
    """Write the rows to three files of row groups of 15 rows."""
    X, y, numbers = make_frame()
    rows = X.assign(click=y, weight=np.abs(numbers))
    folder.mkdir()
    for i, start in enumerate(range(0, N_ROWS, 40)):
        rows[start : start + 40].to_parquet(folder / f"{i}.parquet", row_group_size=15)


def fit(name, folder):
    """Return the fitted model of a case, and the row groups that were read for it."""
    X, y, numbers = make_frame()
    model, params, read = make_model(name), {}, set()
    if name == "regressor":
        y, params = numbers, {"din__sample_weight": np.where(y == 1, 2.0, 1.0)}
    elif name == "labels":
        y = np.array(["no", "maybe", "yes"])[y + (numbers > 0)]
    elif name in PARQUET:
        X, y, params = folder / "rows", "click", {"sample_weight": "weight"}
        remember(read)
    return fit_distributed(model, X, y, timeout=60, **params), read


def remember(read):
    """Note which row groups are read from here on."""
    original = _row_groups.RowGroups._read

    def noted(groups, group, columns):
        read.add(group)
        return original(groups, group, columns)

    _row_groups.RowGroups._read = noted


def main(folder, *names):
    """Fit the models of the cases, and write what they have learnt."""
    torch.set_num_threads(1)
    rank = os.environ["RANK"]
    for name in names:
        try:
            model, read = fit(name, folder)
        except OSError:  # and lives on, as in a notebook or a worker of Dask
            continue
        state = {key: value.numpy() for key, value in model[-1].module_.state_dict().items()}
        scores = np.array([record["train_loss"] for record in model[-1].history_])
        np.savez(folder / f"{name}_{rank}.npz", read=sorted(read), losses=scores, **state)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
