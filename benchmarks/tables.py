"""Tables of the documentation, made of what ``accuracy.py --csv`` measured.

    python benchmarks/tables.py

reads ``benchmarks/measured/test.csv`` and ``valid.csv`` and writes ``docs/tables/*.csv``: of test rows what the
defaults reach, of validation rows each setting that was tried. A cell is the mean over the seeds, ± their standard
deviation; where settings are compared, one figure for each seed.
"""

import sys
from pathlib import Path

import pandas as pd
from accuracy import AVERAGED, COLUMNS
from models import MODELS

ROOT = Path(__file__).resolve().parent.parent
DIGITS = {"epochs": 1, "seconds": 0}  # 4 for all else
DEFAULTS = "defaults"
SHOWN = ("mean", "popularity", "category-share", "logistic-regression", "ridge", "lightgbm", f"lightgbm{AVERAGED}")
SHOWN += ("mean-pooling", "shuffled", "din", f"din{AVERAGED}")  # models of the test rows, in the order of the columns


def main():
    """Write all tables."""
    test = read("test")
    test = test[(test["settings"] == DEFAULTS) & test["model"].isin(SHOWN)]
    test = test.sort_values("model", key=lambda keys: keys.map(SHOWN.index), kind="stable")
    test["model"] = test["model"].map(label)
    is_auc, is_stars = test["figure"] == "AUC", test["task"] == "movielens_small/stars"
    write("auc", pivot(test[is_auc], "task", "model", mean_and_deviation))
    write("stars", pivot(test[is_stars & ~test["figure"].isin(DIGITS)], "model", "figure", mean_and_deviation))
    of_din = test[(test["model"] == "DIN") & ~is_stars & ~is_auc]
    write("din", pivot(of_din, "task", "figure", mean_and_deviation))
    valid = read("valid")
    valid = valid[(valid["model"] == "din") & valid["figure"].isin(["AUC", "RMSE"])]
    valid = valid.assign(task=valid["task"] + ", " + valid["figure"])
    write("tried", pivot(valid, "settings", "task", each_seed))


def read(part):
    """Read what was measured on the rows of a part."""
    path = ROOT / f"benchmarks/measured/{part}.csv"
    measured = pd.read_csv(path, dtype={"seed": str}).fillna({"settings": DEFAULTS})
    twice = measured[measured.duplicated(list(COLUMNS[:-1]))]
    if len(twice) or set(measured["part"]) != {part}:
        sys.exit(f"{path} must hold each figure of {part} rows once, but has twice:\n{twice}")
    return measured


def label(key):
    """Return what the printed tables call a model, whose predictions may have been averaged."""
    model = key.removesuffix(AVERAGED)
    return MODELS[model].label + key[len(model) :]


def pivot(measured, rows, columns, shown):
    """Return a cell for each pair of a row and a column, in the order in which they were measured."""
    cells = {pair: shown(group) for pair, group in measured.groupby([rows, columns], sort=False)}
    table = pd.Series(cells).unstack(fill_value="–")
    return table.reindex(index=measured[rows].unique(), columns=measured[columns].unique())


def mean_and_deviation(measured):
    """Return the mean over the seeds, ± their standard deviation."""
    digits = DIGITS.get(measured["figure"].iloc[0], 4)
    mean = f"{measured['value'].mean():.{digits}f}"
    return mean if len(measured) == 1 else f"{mean} ± {measured['value'].std():.{digits}f}"


def each_seed(measured):
    """Return the figures of the seeds 0, 1, ... one by one."""
    return ", ".join(f"{value:.4f}" for value in measured.sort_values("seed")["value"])


def write(name, table):
    """Write a table for the directive ``csv-table``."""
    folder = ROOT / "docs/tables"
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index_label="")


if __name__ == "__main__":
    main()
