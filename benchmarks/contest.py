"""What ``speed.py`` does in processes of their own: encode columns, let contestants race, train from frame to model."""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from columns import make_frame
from measuring import PeakMemory, outcome, rotated
from reference import BATCH_SIZE
from rivals import CONTESTANTS
from rows import LONG_TAILED, LONGEST, MAX_LENGTH, REAL, make_lengths, make_rows, read_rows

from sklearn_din import BehaviorEncoder

POSITIONS = 600_000  # of an epoch, padding counted: so many rows that padded libraries take some seconds
BEHAVIORS = 4_000_000  # of a column to encode
WARM_UP_ROWS = 2 * BATCH_SIZE  # of what a process measures once: they make it import and allocate what it will need


class Settings(NamedTuple):
    """What the command line says."""

    data: Path | None
    rounds: int
    threads: int
    device: str
    scale: float
    by_processor: bool  # whether seconds are those of the processor


class Rates(NamedTuple):
    """Rows per second in each round."""

    training: list
    prediction: list


class Whole(NamedTuple):
    """What it takes to get from a frame to a model."""

    seconds: float
    mebibytes: float | None


def rates_of_encoding(lengths, kind, settings):
    """Return for each round the millions of behaviors per second of ``fit`` and ``transform``."""
    frame, n_behaviors = make_frame(lengths, kind, int(settings.scale * BEHAVIORS))
    rates = []
    for _ in range(settings.rounds + 1):
        start = now(settings)
        encoder = BehaviorEncoder({"hist_item": "item"}, max_length=MAX_LENGTH).fit(frame)
        middle = now(settings)
        encoder.transform(frame)
        seconds = middle - start, now(settings) - middle
        rates.append([n_behaviors / 1e6 / each for each in seconds])
    return rates[1:]


def race(histories, settings):
    """Return by label the rates of a contestant, or the name of the exception that it raised."""
    torch.set_num_threads(settings.threads)
    X, y = rows_of(histories, settings)
    n_rows = int(settings.scale * POSITIONS / X["hist_item_id"].map(len).max())
    n_rows = max(n_rows // BATCH_SIZE, 1) * BATCH_SIZE
    X, y = X.iloc[:n_rows].reset_index(drop=True), y[:n_rows]
    ready = {}
    for label, contestant in CONTESTANTS.items():
        if contestant.has_epochs and contestant.is_installed():
            ready[label] = outcome(prepare, contestant, X, y, settings)
    rates = {label: Rates([], []) for label in ready}
    for turn in range(settings.rounds + 1):
        for label in rotated(ready, turn):
            if not isinstance(ready[label], str):
                found = outcome(take_turn, *ready[label], y, settings)
                ready[label] = found if isinstance(found, str) else ready[label]
                if turn and not isinstance(found, str):  # the first round warms up
                    rates[label].training.append(found[0])
                    rates[label].prediction.append(found[1])
    return {label: each if isinstance(each, str) else rates[label] for label, each in ready.items()}


def rows_of(histories, settings):
    """Return the rows of a race, which may be too many."""
    if histories in REAL:
        return read_rows(histories, settings.data)
    longest = LONGEST if histories == LONG_TAILED else int(histories)
    return make_rows(make_lengths(histories, max(int(settings.scale * POSITIONS / longest), BATCH_SIZE)))


def prepare(contestant, X, y, settings):
    """Return a contestant that has built its model, and the rows as it encodes them."""
    contestant.import_packages()
    each = contestant(settings.device, settings.threads)
    encoded = each.encode(X, y)
    each.build()
    return each, encoded


def take_turn(contestant, encoded, y, settings):
    """Train for an epoch and predict; return the rows per second of both."""
    start = now(settings)
    contestant.epoch(encoded, y)
    middle = now(settings)
    contestant.predict(encoded)
    end = now(settings)
    return len(y) / (middle - start), len(y) / (end - middle)


def now(settings):
    """Return the time in seconds when all work is done."""
    if settings.device == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if settings.by_processor else time.perf_counter()


def measure_whole(label, histories, settings):
    """Encode, build and train for one epoch."""
    torch.set_num_threads(settings.threads)
    contestant = CONTESTANTS[label]
    X, y = rows_of(histories, settings)
    whole(contestant, X.iloc[:WARM_UP_ROWS], y[:WARM_UP_ROWS], settings)
    with PeakMemory() as peak:
        start = now(settings)
        model = whole(contestant, X, y, settings)
        seconds = now(settings) - start
    del model
    return Whole(seconds, peak.mebibytes)


def whole(contestant, X, y, settings):
    """Return a contestant that was trained for an epoch."""
    each, encoded = prepare(contestant, X, y, settings)
    each.epoch(encoded, y)
    return each
