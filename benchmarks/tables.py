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
DIGITS = {"epochs": 1}  # 4 for all else
SIMPLE = ("mean", "popularity", "category-share", "logistic-regression", "ridge", "shuffled")
STRONG = ("lightgbm", f"lightgbm{AVERAGED}", "mean-pooling", "din", f"din{AVERAGED}")


def main():
    """Write all tables."""
    test = read("test")
    test = test[(test["settings"] == "") & (test["figure"] != "seconds")]  # of which speed.py tells more
    is_auc, is_stars = test["figure"] == "AUC", test["task"] == "movielens_small/stars"
    write("auc_simple", pivot(of_models(test[is_auc], SIMPLE), "task", "model", mean_and_deviation))
    write("auc", pivot(of_models(test[is_auc], STRONG), "task", "model", mean_and_deviation))
    stars = of_models(test[is_stars & ~test["figure"].isin(DIGITS)], SIMPLE + STRONG)
    write("stars", pivot(stars, "model", "figure", mean_and_deviation))
    write("din", pivot(of_models(test[~is_stars & ~is_auc], ["din"]), "task", "figure", mean_and_deviation))
    valid = read("valid")
    valid = valid[(valid["model"] == "din") & valid["figure"].isin(["AUC", "RMSE"])]
    column = valid["task"].str.replace("/", "/ ") + ", " + valid["figure"]  # a space where the header may break
    valid = valid.assign(task=column).replace({"settings": {"": "defaults"}})
    write("tried", pivot(valid, "settings", "task", each_seed))


def read(part):
    """Read what was measured on the rows of a part."""
    path = ROOT / f"benchmarks/measured/{part}.csv"
    text = dict.fromkeys(("settings", "seed"), str)
    measured = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"value": ""})
    twice = measured[measured.duplicated(list(COLUMNS[:-1]))]
    if len(twice) or set(measured["part"]) != {part}:
        sys.exit(f"{path} must hold each figure of {part} rows once, but has twice:\n{twice}")
    return measured


def of_models(measured, keys):
    """Return the rows of some models, in this order, under the names that the printed tables use."""
    rows = measured[measured["model"].isin(keys)].sort_values(
        "model", key=lambda each: each.map(keys.index), kind="stable"
    )
    return rows.assign(model=rows["model"].map(label))


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
