"""Whether parallel searches share the processors, memory stays flat, and a big model is saved in seconds.

    python benchmarks/endurance.py
    python benchmarks/endurance.py --parts memory --fits 20
    python benchmarks/endurance.py --csv docs/tables

Parts (``--parts``)
-------------------
jobs
    A grid search with ``n_jobs=2`` beside one with ``n_jobs=1`` and half as many fits. On two free processors and
    without oversubscription both take the same time. Once with as many threads as PyTorch takes by itself, which in a
    single process is as many as there are processors, and once with one thread. Not pinned: the workers decide.
memory
    How far the resident memory of a process grows over many fits, and over many predictions, after a tenth as many to
    warm up. A reading is some 2 MiB uncertain; over the default number of calls less than 5 MB is promised.
files
    Seconds to save and to load a pipeline with a vocabulary of a million strings, as a model file and as a pickle, and
    how many bytes the file has beside the weights and the values. It is loaded from the memory of the system, where it
    is after it was written; ``save_model`` waits for the disk, and loads what it is about to write.
"""

import argparse
import gc
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from joblib.externals.loky import get_reusable_executor
from measuring import in_process, pin_threads, resident, show
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks
from sklearn_din.persistence import load_model, save_model

PAIRS = {"hist_item": "item", "hist_category": "category"}
N_ROWS = {"jobs": 20_000, "memory": 2_000}
N_FITS = 4  # of the search with one job, over two folds
N_VALUES, LENGTH = 1_000_000, 14  # of the vocabulary, and of each value in bytes
N_PREDICTIONS = 20  # for each fit


def main():
    """Print the tables of all parts."""
    options = parsed_options()
    for part in options.parts:
        show(part, PARTS[part](options), options.csv and options.csv / f"endurance_{part}.csv")


def parsed_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="of jobs and files (default: 3)")
    parser.add_argument("--fits", type=int, default=100, help="of the part memory (default: 100)")
    parser.add_argument("--csv", type=Path, metavar="FOLDER", help="where to write the tables, too")
    return parser.parse_args()


def checked(figures):
    """Return figures, or end the program where a process has given the name of an error instead."""
    if isinstance(figures, str):
        msg = f"The process ended with {figures}; its traceback stands above."
        raise SystemExit(msg)
    return figures


# ----------------------------------------------------------------------------------------------------------------- jobs


def jobs(options):
    """Return the seconds of both searches and their ratio, for each number of threads."""
    lines = {}
    for label, n_threads in (("threads of PyTorch's choice", None), ("one thread", 1)):
        rounds = checked(in_process(search_seconds, n_threads, options.rounds))
        one, two = np.median(rounds, axis=0)
        ratio = np.median([second / first for first, second in rounds])
        lines[label] = {
            "n_jobs=1, s": f"{one:.1f}",
            "n_jobs=2, twice the fits, s": f"{two:.1f}",
            "ratio": f"{ratio:.2f}",
        }
    return pd.DataFrame(lines).T


def search_seconds(n_threads, n_rounds):
    """Return the seconds of the search with one job, and of that with two and twice the fits, for each round."""
    X, y = make_clicks(N_ROWS["jobs"], random_state=0)
    table = BehaviorEncoder(PAIRS).fit_transform(X)
    for n_jobs in (1, 2):  # the workers start, and import
        search(table[:500], y[:500], n_threads, n_jobs=n_jobs)
    seconds = [[search(table, y, n_threads, n_jobs=n_jobs) for n_jobs in (1, 2)] for _ in range(n_rounds)]
    get_reusable_executor().shutdown()  # or this process waits for its idle workers
    return seconds


def search(table, y, n_threads, n_jobs):
    """Return the seconds of a search with as many fits as ``n_jobs`` asks for."""
    rates = np.geomspace(1e-3, 1e-2, n_jobs * N_FITS // 2)
    network = DINClassifier(max_epochs=6, n_threads=n_threads, random_state=0)
    start = time.perf_counter()
    GridSearchCV(network, {"learning_rate": rates}, cv=KFold(2), refit=False, n_jobs=n_jobs).fit(table, y)
    return time.perf_counter() - start


# --------------------------------------------------------------------------------------------------------------- memory


def memory(options):
    """Return the growth of the memory over fits and over predictions."""
    pin_threads(1)
    grown = checked(in_process(growths, options.fits))
    counts = (options.fits, N_PREDICTIONS * options.fits)
    lines = {
        f"{count:,} {what}": {"before, MiB": f"{before:.1f}", "grows by, MiB": f"{after - before:.1f}"}
        for what, count, (before, after) in zip(("fits", "predictions"), counts, grown, strict=True)
    }
    return pd.DataFrame(lines).T


def growths(n_fits):
    """Return the resident memory before and after fits, and before and after predictions, in MiB."""
    X, y = make_clicks(N_ROWS["memory"], random_state=0)
    network = DINClassifier(max_epochs=1, random_state=0)
    model = make_pipeline(BehaviorEncoder(PAIRS), network)
    fits = repeated(lambda: model.fit(X, y), n_fits)
    return [fits, repeated(lambda: model.predict_proba(X), N_PREDICTIONS * n_fits)]


def repeated(function, times):
    """Return the resident memory after a tenth of the calls, and after so many more."""
    figures = []
    for n_calls in (times // 10 + 1, times):
        for _ in range(n_calls):
            function()
        gc.collect()
        figures.append(resident("VmRSS"))
    return figures


# ---------------------------------------------------------------------------------------------------------------- files


def files(options):
    """Return seconds and sizes of a model file and of a pickle."""
    pin_threads(1)
    seconds, sizes, n_bytes = checked(in_process(file_figures, options.rounds))
    lines = {}
    for name, size in sizes.items():
        save, load = np.median(seconds[name], axis=0)
        figures = {"save, s": f"{save:.2f}", "load, s": f"{load:.2f}", "MB": f"{size / 1e6:.1f}"}
        lines[name] = figures | {"beside weights and values": f"{size / n_bytes - 1:+.2%}"}
    return pd.DataFrame(lines).T


def file_figures(n_rounds):
    """Return seconds to save and to load, and sizes, by the name of the way; and the bytes of weights and values."""
    model = big_model()
    ways = {"model file": (save_model, load_model), "pickle (joblib)": (joblib.dump, joblib.load)}
    seconds, sizes = {name: [] for name in ways}, {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        for _ in range(n_rounds):
            for name, (save, load) in ways.items():
                start = time.perf_counter()
                save(model, path)
                middle = time.perf_counter()
                load(path)
                seconds[name].append((middle - start, time.perf_counter() - middle))
                sizes[name] = path.stat().st_size
    weights = sum(value.numel() * value.element_size() for value in model[-1].module_.state_dict().values())
    offsets, ids = 8 * (N_VALUES + 1), 4 * N_VALUES
    return seconds, sizes, weights + N_VALUES * LENGTH + offsets + ids


def big_model():
    """Return a pipeline that knows a million strings; trained on a few rows."""
    items = pa.array([f"item {number:0{LENGTH - 5}d}" for number in range(N_VALUES)])
    histories = pa.LargeListArray.from_arrays(np.arange(N_VALUES + 1), items)
    X = pa.table({"item": items, "hist_item": histories})
    encoder = BehaviorEncoder({"hist_item": "item"}).fit(X)
    few = X.slice(0, 2_000)
    network = DINClassifier(max_epochs=1, random_state=0).fit(encoder.transform(few), np.arange(2_000) % 2)
    return make_pipeline(encoder, network)


PARTS = {"jobs": jobs, "memory": memory, "files": files}

if __name__ == "__main__":
    main()
