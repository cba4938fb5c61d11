"""Time of an answer: many candidates of one user, with and without the user repeated, and one row part by part.

    python benchmarks/ranking.py --candidates 1000 --rounds 30 --csv docs/tables

The first table compares ``rank_candidates`` with ``predict_proba`` of a frame, made before, that repeats the user, for
histories of several lengths: a frame of pandas whose cells are lists, as ``candidates.assign(history=[history] * n)``
makes it, and the same as an Arrow table. The second says what ``predict_proba`` of one row takes, by the number of
items that the encoder knows, integers or texts, and where: in the encoder, in the network, in what the table of ids is
made of tensors for, and in the rest, which is the pipeline and the checks; and what the first call of an encoder takes,
which puts the items in order. All on one thread, with default parameters, an item and a category. Seconds are those
that the processor worked; figures are medians of rounds, in which all take turns. Rows are made up, as in ``speed.py``.
"""

import argparse
import time
from copy import deepcopy
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from measuring import in_process, pin_threads, rotated, show
from rows import MAX_LENGTH, PAIRS, cells, make_lengths, make_rows
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.serving import rank_candidates
from sklearn_din.training import TensorTable, predict_raw

LENGTHS = (10, 50, 100)
N_ITEMS = (1_000, 30_000, 1_000_000)  # that an encoder knows
KINDS = {"integers": int, "texts": "item {:08d}".format}  # of items
N_TRAINING = 2_000
N_FIRST = 3  # rounds that warm up
N_COPIES = 3  # whose first call is measured
TOLERANCE = 1e-6


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=1_000, help="of the user (default: 1,000)")
    parser.add_argument("--rounds", type=int, default=30, help="of which the median is taken (default: 30)")
    parser.add_argument("--csv", type=Path, help="folder to write the tables to")
    options = parser.parse_args()
    pin_threads(1)
    path = (lambda name: options.csv / f"{name}.csv") if options.csv else (lambda name: None)
    ranking = {length: in_process(measure_ranking, length, options.candidates, options.rounds) for length in LENGTHS}
    show(f"{options.candidates:,} candidates, by length of the history", table_of(ranking, "{}"), path("ranking"))
    items = [(n_items, kind) for n_items in N_ITEMS for kind in KINDS]
    row = {f"{n:,} {kind}": in_process(measure_row, n, kind, options.rounds) for n, kind in items}
    show("One row, ms, by number of items", table_of(row, "{}"), path("ranking_row"))


def table_of(figures, label):
    """Return a line for each key, with its figures as text."""
    lines = {label.format(key): each if isinstance(each, dict) else {"error": each} for key, each in figures.items()}
    return pd.DataFrame.from_dict(lines, orient="index")


def measure_ranking(length, n_candidates, n_rounds):
    """Return milliseconds with and without the user repeated, and their ratios."""
    X, y = make_rows(make_lengths(str(length), N_TRAINING + n_candidates))
    model = fit_on(X[:N_TRAINING], y[:N_TRAINING], max_length=max(length, MAX_LENGTH))
    user = {name: X[name].iloc[-1].tolist() for name in PAIRS}
    candidates = X[list(PAIRS.values())][-n_candidates:].reset_index(drop=True)
    of_lists = candidates.assign(**{name: [value] * n_candidates for name, value in user.items()})[columns()]
    of_arrow = pa.Table.from_pandas(of_lists)
    ways = {
        "lists, ms": lambda: model.predict_proba(of_lists)[:, 1],
        "Arrow, ms": lambda: model.predict_proba(of_arrow)[:, 1],
        "ranked, ms": lambda: rank_candidates(model, user, candidates),
    }
    predicted, _, ranked = (way() for way in ways.values())
    np.testing.assert_allclose(ranked["score"].sort_index(), predicted, rtol=0, atol=TOLERANCE)
    seconds = take_turns(ways, n_rounds)
    of_frames, of_tables, of_ranking = seconds.values()
    ratios = {"lists, ratio": of_frames, "Arrow, ratio": of_tables}
    return in_milliseconds(seconds) | {
        name: f"{median(slow / fast for slow, fast in zip(each, of_ranking, strict=True)):.1f}"
        for name, each in ratios.items()
    }


def measure_row(n_items, kind, n_rounds):
    """Return milliseconds of one row, and of the parts."""
    model, row = model_of_items(n_items, KINDS[kind])
    encoder, estimator = model
    of_dict = {name: [value.tolist() if hasattr(value, "tolist") else value for value in row[name]] for name in row}
    table = encoder.transform(row)
    tensors = TensorTable(table, torch.device("cpu"))
    seconds = take_turns(
        {
            "all, frame": lambda: model.predict_proba(row),
            "all, dict": lambda: model.predict_proba(of_dict),
            "encoder, frame": lambda: encoder.transform(row),
            "encoder, dict": lambda: encoder.transform(of_dict),
            "tensors": lambda: TensorTable(table, torch.device("cpu")),
            "network": lambda: predict_raw(estimator.module_, tensors),
        },
        10 * n_rounds,
    )
    parts = zip(*(seconds[name] for name in ("all, dict", "encoder, dict", "tensors", "network")), strict=True)
    seconds["rest, dict"] = [max(0, whole - sum(others)) for whole, *others in parts]
    copies = [deepcopy(encoder) for _ in range(N_COPIES)]  # without what the first call makes
    seconds["encoder, first call"] = [time_of(lambda: copies.pop().transform(of_dict)) for _ in range(N_COPIES)]
    return in_milliseconds(seconds)


def model_of_items(n_items, as_item):
    """Return a pipeline whose encoder knows so many items, and one row."""
    numbers = np.random.default_rng(0).permutation(n_items)
    n_rows = n_items // MAX_LENGTH
    items = np.array([as_item(number) for number in numbers.tolist()], dtype=None if as_item is int else object)
    histories = {"hist_item_id": items, "hist_category": numbers % 1000}
    lengths = np.full(n_rows, MAX_LENGTH)
    lists = {name: cells(values, lengths) for name, values in histories.items()}
    X = pd.DataFrame({"item_id": items[:n_rows], "category": numbers[:n_rows] % 1000} | lists)
    encoder = BehaviorEncoder(PAIRS).fit(X)
    few = X[:1000]
    estimator = DINClassifier(max_epochs=1, early_stopping=False, n_threads=1, random_state=0)
    estimator.fit(encoder.transform(few), np.arange(len(few)) % 2)
    return pipeline(encoder, estimator), X[:1]


def fit_on(X, y, max_length):
    """Return a fitted pipeline."""
    encoder = BehaviorEncoder(PAIRS, max_length=max_length)
    estimator = DINClassifier(max_epochs=1, early_stopping=False, n_threads=1, random_state=0)
    return pipeline(encoder, estimator).fit(X[columns()], y)


def pipeline(encoder, estimator):
    """Return a pipeline of both."""
    return Pipeline([("encode", encoder), ("din", estimator)])


def columns():
    """Return the columns in order."""
    return [*PAIRS.values(), *PAIRS]


def take_turns(ways, n_rounds):
    """Return the processor's seconds of each way in each round."""
    seconds = {name: [] for name in ways}
    for turn in range(N_FIRST + n_rounds):
        for name in rotated(ways, turn):
            seconds[name].append(time_of(ways[name]))
    return {name: values[N_FIRST:] for name, values in seconds.items()}


def time_of(way):
    """Return the processor's seconds of one call."""
    start = time.process_time()
    way()
    return time.process_time() - start


def in_milliseconds(seconds):
    """Return the medians as text."""
    return {name: f"{1e3 * median(values):.2f}" for name, values in seconds.items()}


if __name__ == "__main__":
    main()
