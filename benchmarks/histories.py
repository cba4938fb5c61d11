"""Time and memory of ``build_histories`` and ``sample_negatives``, with a plain loop over the rows beside them.

    python benchmarks/histories.py --events 1000000 --users 100000 --seed 0

Events are made up: users take items of unequal popularity on one of 100 days, so that times tie. Each line is measured
in a process of its own, which first does the same on a part of the rows. Seconds are the best of three calls. MiB are
what the first call, with its result, adds to the peak of the resident memory, at least. The loop, a pandas group-by
with a Python step per row, runs on the events of a part of the users only, since it takes so long; ``speed-up`` is its
time per row divided by that of the line. Its histories must be those of ``build_histories``.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from sklearn_din.preprocessing import build_histories, sample_negatives

N_ITEMS = 50_000
N_CATEGORIES = 500
MAX_LENGTH = 50
LOOP_EVENTS = 20_000
LOOP = "pandas loop"
FRAMES = {LOOP: pd.DataFrame, "pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
COLUMNS = ("rows", "seconds", "µs per row", "MiB", "speed-up")


def main():
    """Print a table for each function."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="rows of the log (default: 1,000,000)")
    parser.add_argument("--users", type=int, default=100_000, help="users they are of (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the events and the draws (default: 0)")
    options = parser.parse_args()
    print(f"{options.events:,} events of {options.users:,} users, {N_ITEMS:,} items")
    print_table(f"build_histories: item and category, the newest {MAX_LENGTH}", "histories", options)
    print_table("sample_negatives: one for each event, uniform", "uniform", options)
    print_table("sample_negatives: one for each event, by popularity", "popularity", options)


def print_table(title, task, options):
    """Print a line per kind of frame, first that of the loop."""
    print(f"\n{title}\n{'':12} " + " ".join(f"{name:>11}" for name in COLUMNS), flush=True)
    of_loop = None
    for kind in FRAMES:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            n_rows, seconds, mebibytes = process.submit(measure, task, kind, options).result()
        per_row = 1e6 * seconds / n_rows
        of_loop = of_loop or per_row
        memory = f"{mebibytes:11.0f}" if kind != LOOP else f"{'':11}"
        print(f"{kind:12} {n_rows:11,} {seconds:11.2f} {per_row:11.2f} {memory} {of_loop / per_row:11.1f}", flush=True)


def measure(task, kind, options):
    """Return the rows, the seconds and the mebibytes of one function on one kind of frame."""
    log, items = make_events(options.events, options.users, options.seed)
    part = first_users(log, options)
    if kind == LOOP:
        check_loop(part)
        log = part
    if task == "histories":
        call, arguments = (loop_histories if kind == LOOP else histories), ()
    else:
        call, arguments = (loop_negatives if kind == LOOP else negatives), (FRAMES[kind](items), task, options.seed)
    call(FRAMES[kind](part), *arguments)
    frame = FRAMES[kind](log)
    before = peak()
    seconds = [seconds_of(call, frame, *arguments)]
    added = peak() - before
    seconds += [seconds_of(call, frame, *arguments) for _ in range(2)]
    return len(log["user"]), min(seconds), added


def seconds_of(call, *arguments):
    """Return how long a call takes."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def make_events(n_events, n_users, seed):
    """Make the columns of a log and those of its items."""
    rng = np.random.default_rng(seed)
    category = rng.integers(N_CATEGORIES, size=N_ITEMS)
    item = (N_ITEMS * rng.random(n_events) ** 3).astype(np.int64)
    log = {"user": rng.integers(n_users, size=n_events), "day": rng.integers(100, size=n_events), "item": item}
    return log | {"category": category[item]}, {"item": np.arange(N_ITEMS), "category": category}


def first_users(log, options):
    """Return all events of so many users that they are about as many as the loop is to do."""
    is_first = log["user"] < max(1, options.users * LOOP_EVENTS // options.events)
    return {name: column[is_first] for name, column in log.items()}


def histories(log):
    """Call ``build_histories``."""
    return build_histories(log, user="user", time="day", behaviors=["item", "category"], max_length=MAX_LENGTH)


def negatives(log, items, strategy, seed):
    """Call ``sample_negatives``."""
    return sample_negatives(log, user="user", item="item", items=items, strategy=strategy, random_state=seed)


def loop_histories(log):
    """Do as ``build_histories`` does, row by row."""
    made = {"hist_item": [None] * len(log), "hist_category": [None] * len(log)}
    for _, events in log.groupby("user"):
        events = events.sort_values("day", kind="stable")
        days, item, category = (events[name].to_numpy() for name in ("day", "item", "category"))
        for row, day in zip(events.index, days, strict=True):
            is_earlier = days < day
            made["hist_item"][row] = item[is_earlier][-MAX_LENGTH:]
            made["hist_category"][row] = category[is_earlier][-MAX_LENGTH:]
    return log.assign(**made)


def loop_negatives(log, items, strategy, seed):
    """Do as ``sample_negatives`` does, row by row."""
    rng = np.random.default_rng(seed)
    category = items.set_index("item")["category"].to_dict()
    owned = log.groupby("user")["item"].agg(set).to_dict()
    pool = (log if strategy == "popularity" else items)["item"].to_numpy()
    rows = []
    for row in log.to_dict("records"):
        item = pool[rng.integers(len(pool))]
        while item in owned[row["user"]]:
            item = pool[rng.integers(len(pool))]
        rows += [row | {"label": 1}, row | {"item": item, "category": category[item], "label": 0}]
    return pd.DataFrame(rows)


def check_loop(part):
    """Stop if the loop and ``build_histories`` differ."""
    frame = pd.DataFrame(part)
    for name in ("hist_item", "hist_category"):
        if not all(map(np.array_equal, loop_histories(frame)[name], histories(frame)[name])):
            sys.exit(f"The loop and build_histories differ in {name}.")


def peak():
    """Return the peak of the resident memory of this process so far, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
