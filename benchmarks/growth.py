"""How time and memory of a fit grow with the data: with rows, behaviors, items and threads.

    python benchmarks/growth.py
    python benchmarks/growth.py --parts rows lengths --scale 0.1 --csv docs/tables
    python benchmarks/growth.py --parts items --items 10000 100000 1000000 10000000 --sparse-embeddings true

``BehaviorEncoder`` and ``DINClassifier`` with its default network are fitted for one epoch, with batches of 1,024 rows,
on rows that are made up (``rows.py``). Each fit is a process of its own, which first does the same on a few rows. The
lines of a table take turns, and a figure is the median of the rounds.

Parts (``--parts``)
-------------------
rows
    From line to line twice as many rows, with 10 behaviors in the mean.
lengths
    Histories of 10 to 200 behaviors; always as many rows.
items
    10,000 to a million items, all of which have an embedding, whether these rows hold them or not. Histories are as
    short as real ones: 6 behaviors in the mean.
threads
    1, 2, 4, ... and as many as there are processors.

Figures
-------
``encode`` and ``fit`` are the seconds of the encoder and of the estimator; ``training`` is the rate of the steps alone;
the peak is what both take of the memory, above the frame. In brackets stands how many times the figure of the line
before it that is; for ``items``, the figure of 100,000.
"""

import argparse
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from measuring import NOTHING, PeakMemory, in_process, pin_threads, rotated, show
from reference import BATCH_SIZE
from rows import GROUP, MAX_LENGTH, N_ITEMS, PAIRS, SHORT, cells, make_lengths, make_rows

from sklearn_din import BehaviorEncoder, DINClassifier

ROWS = (50_000, 100_000, 200_000, 400_000)
LENGTHS = (10, 20, 50, 100, 200)
ITEMS = (10_000, 100_000, 1_000_000)
N_ROWS = {"lengths": 20_000, "items": 200_000, "threads": 20_000}
LENGTH_OF_THREADS = 50
MEAN_OF_ROWS, MEAN_OF_ITEMS = 10, 6  # behaviors of short histories
WARM_UP_ROWS = 2 * BATCH_SIZE
SPARSE = {"auto": "auto", "true": True, "false": False}
NAMES = {"encode": "encode, s", "fit": "fit, s", "rate": "training, rows/s", "mebibytes": "peak, MiB"}
FORMS = {"encode": ".2f", "fit": ".2f", "rate": ",.0f", "mebibytes": ",.0f"}


class Case(NamedTuple):
    """A line of a table."""

    label: str
    n_rows: int
    histories: str
    mean: int = MEAN_OF_ROWS
    n_items: int = N_ITEMS
    n_threads: int = 1
    has_all_items: bool = False  # whether all have an embedding


class Figures(NamedTuple):
    """What a fit takes: seconds of both steps, rows per second of the training steps, and the peak of the memory."""

    encode: float
    fit: float
    rate: float
    mebibytes: float | None


def main():
    """Print the tables of all parts."""
    options = parsed_options()
    parameters = {} if options.sparse_embeddings is None else {"sparse_embeddings": SPARSE[options.sparse_embeddings]}
    for part in options.parts:
        cases = PARTS[part](options)
        found = {case: [] for case in cases}
        for turn in range(options.rounds):
            for case in rotated(cases, turn):
                pin_threads(case.n_threads)
                found[case].append(in_process(measure, case, parameters))
        table = pd.DataFrame({case.label: line(found, case, base_of(part, cases, case)) for case in cases}).T
        show(part, table, options.csv and options.csv / f"growth_{part}.csv")


def parsed_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--items", nargs="+", type=int, default=ITEMS, help="default: 10000 100000 1000000")
    parser.add_argument("--sparse-embeddings", choices=SPARSE, help="of the estimator (default: its own)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--threads", type=int, default=1, help="but of the part threads (default: 1)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rows (default: 1)")
    parser.add_argument("--csv", type=Path, metavar="FOLDER", help="where to write the tables, too")
    return parser.parse_args()


# ---------------------------------------------------------------------------------------------------------------- cases


def rows_cases(options):
    """More and more rows."""
    sizes = [int(options.scale * n_rows) for n_rows in ROWS]
    return [Case(f"{n_rows:,} rows", n_rows, SHORT, n_threads=options.threads) for n_rows in sizes]


def lengths_cases(options):
    """Longer and longer histories."""
    n_rows = int(options.scale * N_ROWS["lengths"])
    return [Case(f"{length} behaviors", n_rows, str(length), n_threads=options.threads) for length in LENGTHS]


def items_cases(options):
    """More and more items."""
    n_rows = int(options.scale * N_ROWS["items"])
    return [Case(f"{n:,} items", n_rows, SHORT, MEAN_OF_ITEMS, n, options.threads, True) for n in options.items]


def threads_cases(options):
    """More and more threads."""
    n_rows, n_processors = int(options.scale * N_ROWS["threads"]), len(os.sched_getaffinity(0))
    counts = sorted({n_processors, *(2**power for power in range(n_processors.bit_length()))})
    return [Case(f"{n} thread" + "s" * (n > 1), n_rows, str(LENGTH_OF_THREADS), n_threads=n) for n in counts]


PARTS = {"rows": rows_cases, "lengths": lengths_cases, "items": items_cases, "threads": threads_cases}


def base_of(part, cases, case):
    """Return the case that another is compared with, None for the first."""
    if part == "items":
        return next((each for each in cases if each.n_items == N_ITEMS), None)
    return cases[cases.index(case) - 1] if case != cases[0] else None


# -------------------------------------------------------------------------------------------------------------- measure


def measure(case, parameters):
    """Return the figures of one fit."""
    rows = make_rows(make_lengths(case.histories, case.n_rows, mean=case.mean), case.n_items)
    X, y = rows.X.drop(columns=GROUP), rows.y
    seen = pd.concat([X, catalogue(case.n_items)], ignore_index=True) if case.has_all_items else X
    fit(X.iloc[:WARM_UP_ROWS], X.iloc[:WARM_UP_ROWS], y[:WARM_UP_ROWS], case, parameters)
    with PeakMemory() as peak:
        encode_seconds, fit_seconds, model = fit(seen, X, y, case, parameters)
    rate = len(y) / model.history_[-1]["seconds"]
    return Figures(encode_seconds, fit_seconds, rate, peak.mebibytes)


def catalogue(n_items):
    """Return rows whose histories hold all items."""
    items = np.array_split(np.arange(n_items), -(-n_items // MAX_LENGTH))
    lengths = np.array([len(each) for each in items])
    none = np.zeros(n_items, dtype=np.int64)
    columns = {"item_id": 0, "category": 0, "hist_item_id": items, "hist_category": cells(none, lengths)}
    return pd.DataFrame(columns)


def fit(seen, X, y, case, parameters):
    """Fit the encoder on what is seen and the estimator on the rows; return the seconds of both, and the estimator."""
    encoder = BehaviorEncoder(PAIRS, max_length=max(LENGTHS))
    model = DINClassifier(
        max_epochs=1,
        batch_size=BATCH_SIZE,
        early_stopping=False,
        n_threads=case.n_threads,
        random_state=0,
        **parameters,
    )
    start = time.perf_counter()
    table = encoder.fit_transform(X) if seen is X else encoder.fit(seen).transform(X)
    middle = time.perf_counter()
    model.fit(table, y)
    return middle - start, time.perf_counter() - middle, model


def line(found, case, base):
    """Return the cells of a line, with the ratios to those of another."""
    return {name: cell(found, case, base, field) for field, name in NAMES.items()}


def cell(found, case, base, field):
    """Return a median, and the median ratio of the rounds."""
    figures = of_field(found[case], field)
    if any(isinstance(each, str) or each is None for each in figures):
        return next(each or NOTHING for each in figures if isinstance(each, str) or each is None)
    text = f"{np.median(figures):{FORMS[field]}}"
    base = None if base is None else of_field(found[base], field)
    if base is None or any(isinstance(each, str) or each is None for each in base):
        return text
    return f"{text} ({np.median(np.divide(figures, base)):.2f})"


def of_field(figures, field):
    """Return a field of the figures of all rounds; the names of exceptions stay."""
    return [each if isinstance(each, str) else getattr(each, field) for each in figures]


if __name__ == "__main__":
    main()
