"""How fast the library is and how much memory it takes, with other libraries and a loop written by hand beside it.

    python benchmarks/speed.py --data FOLDER
    python benchmarks/speed.py --data FOLDER --parts encode rates --histories 50 sports --rounds 8 --csv docs/tables

FOLDER holds ``amazon_sports`` and ``amazon_beauty`` (``rows.py`` says how); without it the lines of these are left out.
``rivals.py`` says who takes part and that all do the same work; what is not installed is shown with dashes.

Parts (``--parts``)
-------------------
encode
    Behaviors per second of ``BehaviorEncoder``, in millions, for list columns of several kinds: those of the best
    round, in brackets those of the median round. One history column and its candidate column, 100,000 items.
rates
    Rows per second of training and of prediction. All contestants take turns in one process, each round in another
    order; the first round warms up. A figure is the median of the rounds; in brackets the median of the ratios, round
    by round, to DeepCTR-Torch. The last line is the ratio of the library to the loop written by hand.
end_to_end
    Seconds from a frame of amazon_beauty to a model that was trained for one epoch, without imports, and how many
    statements a user writes for it. Each run is a process of its own; contestants take turns; the median of the rounds.
memory
    What the same adds to the memory at its peak, in MiB, the frame and the imports being there before.

Histories (``--histories``, of the rates)
-----------------------------------------
A number is the length of all histories; ``long_tailed`` ones have 27 behaviors in the mean and 100 at most; ``sports``
are real ones of amazon_sports, with 6 behaviors in the mean and 50 at most.

Ratios tell more than rates: on a machine that others use a rate may change by a factor of two from hour to hour.
With one thread, ``--processor-time`` leaves out the time in which the processor worked for others.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from columns import KINDS, LENGTHS
from contest import Rates, Settings, measure_whole, race, rates_of_encoding
from contestants import SklearnDIN
from measuring import NOTHING, in_process, pin_threads, rotated, show
from rivals import BASE, CONTESTANTS, YARDSTICK
from rows import LONG_TAILED, REAL

HISTORIES = ("20", "50", "100", LONG_TAILED, "sports")
END_TO_END = "beauty"
OF_MEMORY = ("50", "20", END_TO_END)


def main():
    """Print the tables of all parts."""
    options = parsed_options()
    settings = Settings(
        options.data, options.rounds, options.threads, options.device, options.scale, options.processor_time
    )
    pin_threads(settings.threads)
    for part in options.parts:
        for name, title, table in PARTS[part](settings, options.histories):
            show(title, table, options.csv and options.csv / f"speed_{name}.csv")


def parsed_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the reviews")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--histories", nargs="+", default=HISTORIES, help="default: 20 50 100 long_tailed sports")
    parser.add_argument("--rounds", type=int, default=4, help="that count (default: 4)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: 1)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of networks (default: cpu)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rows that are made up (default: 1)")
    parser.add_argument("--processor-time", action="store_true", help="instead of that of the clock (one thread only)")
    parser.add_argument("--csv", type=Path, metavar="FOLDER", help="where to write the tables, too")
    return parser.parse_args()


# --------------------------------------------------------------------------------------------------------------- encode


def encode_tables(settings, _):
    """Measure the encoder on columns of all kinds."""
    cells = {}
    for lengths in LENGTHS:
        for kind in KINDS:
            found = in_process(rates_of_encoding, lengths, kind, settings)
            fit, transform = (
                (found, found) if isinstance(found, str) else map(best_and_median, zip(*found, strict=True))
            )
            cells[kind, f"fit, {lengths}"], cells[kind, f"transform, {lengths}"] = fit, transform
    yield "encode", "Encoding, millions of behaviors per second: best round (median)", unstacked(cells)


def best_and_median(rates):
    """Return a cell."""
    return f"{max(rates):.1f} ({np.median(rates):.1f})"


# ---------------------------------------------------------------------------------------------------------------- rates


def rates_tables(settings, histories):
    """Let all take turns on histories of each kind."""
    races = {}
    for each in histories:
        if not is_missing(each, settings):
            races[each] = in_process(race, each, settings)
    if not races:
        return
    for name in Rates._fields:
        cells = {}
        for each, rates in races.items():
            rates = dict.fromkeys(CONTESTANTS, rates) if isinstance(rates, str) else rates
            for label in CONTESTANTS:
                cells[label, each] = rate_cell(rates, label, name)
            cells[f"{SklearnDIN.label} / {YARDSTICK}", each] = ratio_cell(rates, SklearnDIN.label, YARDSTICK, name)
        yield name, f"{name.capitalize()}, rows per second (ratio to {BASE})", unstacked(cells, histories)


def rate_cell(rates, label, name):
    """Return a median rate, and how it compares with the base."""
    if not isinstance(rates.get(label), Rates):
        return rates.get(label, NOTHING)
    return f"{np.median(getattr(rates[label], name)):,.0f} ({ratio_cell(rates, label, BASE, name)})"


def ratio_cell(rates, label, base, name):
    """Return the median of the ratios in the rounds."""
    if not all(isinstance(rates.get(each), Rates) for each in (label, base)):
        return NOTHING
    return f"{np.median(np.divide(getattr(rates[label], name), getattr(rates[base], name))):.2f}"


# ------------------------------------------------------------------------------------------------------ whole trainings


def end_to_end_tables(settings, _):
    """Show the seconds and the statements."""
    if is_missing(END_TO_END, settings):
        return
    runs = whole_runs(END_TO_END, settings)
    cells = {}
    for label, found in runs.items():
        seconds = median_cell([each if isinstance(each, str) else each.seconds for each in found], ".1f")
        cells[label, "seconds"], cells[label, "lines of code"] = seconds, str(CONTESTANTS[label].n_lines())
    yield "end_to_end", f"From a frame of amazon_{END_TO_END} to a model trained for one epoch", unstacked(cells)


def memory_tables(settings, _):
    """Show the peaks of the memory."""
    cells = {}
    for histories in OF_MEMORY:
        if not is_missing(histories, settings):
            for label, found in whole_runs(histories, settings).items():
                found = [each if isinstance(each, str) else each.mebibytes for each in found]
                cells[label, histories] = median_cell(found, ",.0f")
    yield "memory", "Peak of the memory above the frame, MiB", unstacked(cells)


@cache
def whole_runs(histories, settings):
    """Return by label what the runs of a contestant took; they take turns."""
    found = {label: [] for label in CONTESTANTS}
    for turn in range(settings.rounds):
        for label in rotated(found, turn):
            if CONTESTANTS[label].is_installed():
                found[label].append(in_process(measure_whole, label, histories, settings))
    return found


def median_cell(values, form):
    """Return a median, or what there is instead."""
    wrong = [each for each in values if not isinstance(each, float)]
    if wrong or not values:
        return next(iter(wrong), None) or NOTHING
    return f"{np.median(values):{form}}"


# -------------------------------------------------------------------------------------------------------------- helpers


def is_missing(histories, settings):
    """Tell whether rows can't be read, and say so."""
    if histories in REAL and settings.data is None:
        print(f"{histories} is left out: it needs --data.")
        return True
    return False


def unstacked(cells, columns=None):
    """Return a frame of the cells of (row, column), in the order in which they come."""
    table = pd.Series(cells).unstack(fill_value=NOTHING)
    rows, found = (dict.fromkeys(each) for each in zip(*cells, strict=True))
    return table.reindex(index=rows, columns=columns or found, fill_value=NOTHING)


PARTS = {"encode": encode_tables, "rates": rates_tables, "end_to_end": end_to_end_tables, "memory": memory_tables}

if __name__ == "__main__":
    main()
