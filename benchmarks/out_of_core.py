"""What ``fit_out_of_core`` takes of memory and time, and whether its models are as good, with ``fit`` beside it.

    python benchmarks/out_of_core.py --csv docs/tables
    python benchmarks/out_of_core.py --parts accuracy --data FOLDER --seeds 0 1 2 --csv docs/tables

Parts (``--parts``)
-------------------
memory
    From line to line twice as many rows, of 20 behaviors with two fields, in Parquet files of row groups of 20,000 that
    another process has written. Nothing can be learnt of them. One epoch with default parameters and a buffer of 50,000
    rows. Beside it ``fit`` on a table of Arrow, which is read from the files first, and ``fit_distributed`` without a
    launcher, which reads and encodes a row group at a time and keeps the encoded rows. Each fit is a process of its
    own, which first does the same on a few rows. The peak is that of all of this above the imports. Rates are of the
    epoch alone, reading and encoding included where each epoch does that; *all* are the seconds from the files to the
    fitted pipeline. Seconds are those that the processor worked, on one thread; figures are medians of the rounds.
accuracy
    AUC on the test rows, with default parameters and the same seeds. The files hold the training rows in order of time:
    by the length of their histories, which tells how far a user's past went when the row was made, so that no row
    group is like the whole. Both hold out a tenth of these rows at random. FOLDER is that of ``accuracy.py``. In the
    last column the mean difference, and the standard deviation of the differences.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from accuracy import load_module
from measuring import PeakMemory, in_process, pin_threads, rotated, show
from models import network_columns
from rows import N_CATEGORIES, PAIRS
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.distributed import fit_distributed, fit_out_of_core

ROWS = (100_000, 200_000, 400_000, 800_000)
N_ITEMS, LENGTH = 10_000, 20  # behaviors of a row
GROUP_SIZE = {"memory": 20_000, "accuracy": 10_000}  # rows of a row group
BUFFER_SIZE = {"memory": 50_000, "accuracy": 50_000}
WARM_UP_ROWS = 2_000
TASKS = ("amazon_beauty/popularity", "movielens_small/rating")
TARGET = "is_clicked"
WAYS = ("fit", "fit_out_of_core")  # of accuracy
THREE_WAYS = ("fit", "fit_distributed", "fit_out_of_core")  # of memory


def main():
    """Print the tables of the parts."""
    options = parsed_options()
    pin_threads(1)
    for part in options.parts:
        for name, table in PARTS[part](options).items():
            show(name, table, options.csv and options.csv / f"out_of_core_{name}.csv")


def parsed_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["memory"], help="default: memory")
    parser.add_argument("--rows", nargs="+", type=int, default=ROWS, help="of memory (default: 100,000 to 800,000)")
    parser.add_argument("--rounds", type=int, default=3, help="of memory (default: 3)")
    parser.add_argument("--data", type=Path, help="folder of the data, which accuracy needs")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="of accuracy (default: two)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of accuracy (default: 0 1 2)")
    parser.add_argument("--buffer-size", type=int, default=BUFFER_SIZE["accuracy"], help="of accuracy, in rows")
    parser.add_argument("--csv", type=Path, metavar="FOLDER", help="where to write the tables, too")
    return parser.parse_args()


def checked(result):
    """Return what a process has returned, or end the program where that is the name of an error."""
    if isinstance(result, str):
        msg = f"A process ended with {result}; its traceback stands above."
        raise SystemExit(msg)
    return result


# --------------------------------------------------------------------------------------------------------------- memory


def memory(options):
    """Return two tables with a line for each number of rows: the peaks in MiB, and rates and seconds."""
    found = {(n_rows, way): [] for n_rows in options.rows for way in THREE_WAYS}
    with TemporaryDirectory() as folder:
        few = Path(folder) / "few.parquet"
        checked(in_process(write_rows, few, WARM_UP_ROWS))
        paths = {n_rows: Path(folder) / f"{n_rows}.parquet" for n_rows in options.rows}
        for n_rows, path in paths.items():
            checked(in_process(write_rows, path, n_rows))
        for turn in range(options.rounds):
            for n_rows, way in rotated(found, turn):
                found[n_rows, way].append(checked(in_process(measure, way, paths[n_rows], few)))
    figures = {"memory": [(0, "", ",.0f")], "seconds": [(1, ": epoch, rows/s", ",.0f"), (2, ": all, s", ".1f")]}
    return {
        name: pd.DataFrame({f"{n_rows:,} rows": line(found, n_rows, chosen) for n_rows in options.rows}).T
        for name, chosen in figures.items()
    }


def line(found, n_rows, figures):
    """Return the cells of a line."""
    return {
        f"{way}{name}": f"{np.median([each[position] for each in found[n_rows, way]]):{form}}"
        for position, name, form in figures
        for way in THREE_WAYS
    }


def write_rows(path, n_rows):
    """Write rows of which nothing can be learnt, a row group at a time; return how many."""
    offsets = np.arange(GROUP_SIZE["memory"] + 1) * LENGTH
    writer = None
    for start in range(0, n_rows, GROUP_SIZE["memory"]):
        n = min(GROUP_SIZE["memory"], n_rows - start)
        rng = np.random.default_rng(start)
        item, behaviors = rng.integers(N_ITEMS, size=n), rng.integers(N_ITEMS, size=n * LENGTH)
        columns = {TARGET: rng.integers(2, size=n), "item_id": item, "category": item % N_CATEGORIES}
        for name, values in (("hist_item_id", behaviors), ("hist_category", behaviors % N_CATEGORIES)):
            columns[name] = pa.LargeListArray.from_arrays(offsets[: n + 1], values)
        rows = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
    writer.close()
    return n_rows


def measure(way, path, few):
    """Return the peak in MiB, the rows per second of an epoch, and the seconds of all."""
    fit_file(way, few)
    clock = Clock()
    with PeakMemory() as peak:
        start = time.process_time()
        fit_file(way, path, callbacks=[clock])
        seconds = time.process_time() - start
    return peak.mebibytes, clock.n_rows / clock.seconds, seconds


def fit_file(way, path, **parameters):
    """Fit the default pipeline on a Parquet file, for one epoch."""
    estimator = DINClassifier(max_epochs=1, n_threads=1, random_state=0, **parameters)
    model = make_pipeline(BehaviorEncoder(PAIRS), estimator)
    if way == "fit_out_of_core":
        return fit_out_of_core(model, path, TARGET, buffer_size=BUFFER_SIZE["memory"])
    if way == "fit_distributed":
        return fit_distributed(model, path, TARGET)
    rows = pq.read_table(path)
    return model.fit(rows.drop_columns(TARGET), rows[TARGET].to_numpy())


class Clock(Callback):
    """Takes the seconds of the processor, from the start of an epoch to its last step, and counts the rows."""

    def on_epoch_begin(self, net, **kwargs):
        """Start."""
        self.start, self.n_rows = time.process_time(), 0

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Note the time."""
        if training:
            self.n_rows += len(batch)
            self.seconds = time.process_time() - self.start


# ------------------------------------------------------------------------------------------------------------- accuracy


def accuracy(options):
    """Return a table with a line for each task: the AUC of both ways, and their difference."""
    if options.data is None:
        msg = "The part accuracy needs the folder of the data: give --data."
        raise SystemExit(msg)
    lines = {}
    for name in options.tasks:
        scores = {way: [] for way in WAYS}
        for seed in options.seeds:
            for way in rotated(WAYS, seed):
                scores[way].append(checked(in_process(test_score, way, name, seed, options)))
                print(name, seed, way, f"{scores[way][-1]:.4f}", flush=True)
        lines[name] = {way: f"{mean_and_deviation(scores[way], '.4f')}" for way in WAYS}
        lines[name]["difference"] = mean_and_deviation(np.subtract(scores[WAYS[1]], scores[WAYS[0]]), "+.4f")
    return {"accuracy": pd.DataFrame(lines).T}


def test_score(way, name, seed, options):
    """Return the AUC of a fit on the test rows."""
    task = load_module(options.data).load(name, data=data_of(name, options.data))
    X, y = in_order_of_time(network_columns(task.train[0], task, keeps_user=False), task)
    model = make_pipeline(BehaviorEncoder(task.behavior_features), DINClassifier(n_threads=1, random_state=seed))
    if way == "fit":
        model.fit(X, y)
    else:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            X.assign(**{TARGET: y}).to_parquet(path, row_group_size=GROUP_SIZE["accuracy"], index=False)
            fit_out_of_core(model, path, TARGET, buffer_size=options.buffer_size)
    X, y = task.test
    return roc_auc_score(y, model.predict_proba(network_columns(X, task, keeps_user=False))[:, 1])


def data_of(name, folder):
    """Return the folder of a task."""
    sample = folder / "grocery_sample"
    return sample if name.startswith("grocery/") and sample.exists() else folder


def in_order_of_time(X, task):
    """Return the training rows by the length of their histories, and the target."""
    lengths = X[next(iter(task.behavior_features))].map(len).to_numpy()
    order = np.argsort(lengths, kind="stable")
    return X.iloc[order].reset_index(drop=True), task.train[1][order]


def mean_and_deviation(values, form):
    """Return the mean and, of several, the standard deviation."""
    text = f"{np.mean(values):{form}}"
    return text if len(values) == 1 else f"{text} ± {np.std(values, ddof=1):.4f}"


PARTS = {"memory": memory, "accuracy": accuracy}

if __name__ == "__main__":
    main()
