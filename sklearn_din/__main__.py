"""The main job on real data: ``python -m sklearn_din`` trains on grocery purchases, beside simple baselines."""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import load_grocery, load_grocery_coupons
from sklearn_din.datasets._pandas import import_pandas
from sklearn_din.inspection import attention_weights
from sklearn_din.metrics import gauc_score
from sklearn_din.preprocessing import build_histories

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = import_pandas()  # says what to install

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
USES = ("to train on", "to stop by", "to score")

DESCRIPTION = """\
Trains a Deep Interest Network on purchases of 500 households, which come with the package, and scores it on later days.

1. Next purchase: which of two products did the household buy that day, the one it bought or one that another household
   bought on the same day? Its earlier purchases are the behaviors.
2. Attention: which of a household's purchases the network looked at for two candidates.
3. Coupons: which mailed coupons are redeemed? Few are, so the score is uncertain, and the demo says how much.
"""


class Part(NamedTuple):
    """Rows of consecutive days: features, target, and the household of each row, which is no feature."""

    X: pd.DataFrame
    y: np.ndarray
    user: np.ndarray


class Task(NamedTuple):
    """Rows to train on, later ones to stop by, and still later ones to score."""

    train: Part
    valid: Part
    test: Part


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_din", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the drawn products and of the networks (default: 0)")
    parser.add_argument("--epochs", type=int, default=3, help="at most, for the next purchase (default: 3)")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: as many as it likes)")
    options = parser.parse_args(arguments)
    with config_context(enable_metadata_routing=True):  # the pipeline hands X_val and y_val on
        run(options)


def run(options: argparse.Namespace) -> None:
    """Print the three parts of the demo."""
    start = time.perf_counter()
    grocery = load_grocery()
    task = next_purchase_task(grocery, options.seed)
    print_task("Next purchase", task)
    print("A row is a product, bought that day or not, and up to 50 purchases of the household before that day.\n")
    model = compare(task, options, max_epochs=options.epochs)
    show_attention(model, task.test, grocery.products)
    task = coupon_task()
    print_task("Coupons", task)
    print("A row is a mailed coupon, redeemed or not, and the same purchases.\n")
    compare(task, options)
    print_uncertainty(task.test)
    print(f"\nDone in {time.perf_counter() - start:.0f} s.")


# -------------------------------------------------------------------------------------------------------- the tasks


def next_purchase_task(grocery: Any, seed: int) -> Task:
    """Build rows of the purchases: each that was made, and one that another household made that day."""
    category = grocery.products.set_index("item")["category"]
    bought = grocery.purchases.assign(category=grocery.purchases["item"].map(category))
    bought = bought.sort_values("day", kind="stable", ignore_index=True)
    drawn = draw_others(bought, np.random.default_rng(seed))
    positive = bought[drawn >= 0]
    negative = positive.assign(item=bought["item"].to_numpy()[drawn[drawn >= 0]])
    negative["category"] = negative["item"].map(category)
    rows = pd.concat([positive.assign(bought=1), negative.assign(bought=0)])
    rows = build_histories(bought, rows, user="user", time="day", behaviors=["item", "category"])
    rows = rows[rows["hist_item"].map(len) > 0]
    days = bought["day"].quantile([0.7, 0.8])
    return split(rows[["item", "category", *BEHAVIORS]], rows["bought"], rows["user"], rows["day"], days)


def coupon_task() -> Task:
    """Split the mailings by day, so that some 80 of the redeemed ones are left for the test."""
    mailings: Any = load_grocery_coupons()
    X = mailings.data.drop(columns="household")
    return split(X, mailings.target, mailings.data["household"], mailings.day, [280, 330])


def split(X: pd.DataFrame, y: pd.Series, user: pd.Series, day: pd.Series, days: Sequence[int]) -> Task:
    """Split rows by day: those before the first of ``days``, those before the second, and the rest."""
    part = np.searchsorted(days, day, side="right")
    return Task(*(Part(X[part == k], y[part == k].to_numpy(), user[part == k].to_numpy()) for k in range(3)))


def draw_others(bought: pd.DataFrame, rng: np.random.Generator, tries: int = 20) -> np.ndarray:
    """Draw for each purchase one of the same day whose product the household did not buy that day.

    Parameters
    ----------
    bought : DataFrame
        Purchases (user, item, day), sorted by day.
    rng : numpy.random.Generator
        Randomness.
    tries : int
        Draws per purchase.

    Returns
    -------
    ndarray of shape (n_purchases,), int64
        Position of the drawn purchase; -1 where no draw found one.
    """
    day, user, item = (bought[name].to_numpy() for name in ("day", "user", "item"))
    first, last = np.searchsorted(day, day), np.searchsorted(day, day, "right")
    baskets = pd.MultiIndex.from_arrays([day, user, item])
    drawn = np.full(len(bought), -1)
    todo = np.arange(len(bought))
    for _ in range(tries):
        at = first[todo] + (rng.random(len(todo)) * (last - first)[todo]).astype(int)
        is_other = ~pd.MultiIndex.from_arrays([day[todo], user[todo], item[at]]).isin(baskets)
        drawn[todo[is_other]] = at[is_other]
        todo = todo[~is_other]
    return drawn


# -------------------------------------------------------------------------------------------------------- the table


def print_task(name: str, task: Task) -> None:
    """Print how many rows there are, and how many of them are positive."""
    print(f"\n{name}, in order of day:")
    for part, use in zip(task, USES, strict=True):
        print(f"  {len(part.y):7,} rows {use}, {part.y.sum():,} of them positive")


def compare(task: Task, options: argparse.Namespace, **parameters: Any) -> Pipeline:
    """Print the scores of the baselines and of the networks on the test rows; return the one without match counts."""
    train, _, test = task
    model = make_model(options, verbose=True, **parameters)
    mean_pooling = make_model(options, pooling="mean", **parameters)
    attentive = make_model(options, match_counts=False, **parameters)
    probabilities = {
        "logistic regression": lambda: logistic_regression(train).predict_proba(summary(test, train))[:, 1],
        "DIN, mean pooling": lambda: probability(mean_pooling, task),
        "DIN, no match counts": lambda: probability(attentive, task),
        "DIN": lambda: probability(model, task),
    }
    rankings = {
        "popularity": lambda: summary(test, train)[:, 0],
        "share of history in category": lambda: share_of_history(test.X, "category"),
    }
    lines = [scores(name, compute, test, is_probability=False) for name, compute in rankings.items()]
    lines += [scores(name, compute, test, is_probability=True) for name, compute in probabilities.items()]
    print(f"\n{'':30} {'AUC':>7} {'GAUC':>7} {'log loss':>9} {'seconds':>8}")
    print("\n".join(lines))
    return attentive


def make_model(options: argparse.Namespace, **parameters: Any) -> Pipeline:
    """Return the pipeline of the README; the rows to stop by pass through the encoder as well."""
    network = DINClassifier(random_state=options.seed, n_threads=options.threads, **parameters)
    network.set_fit_request(X_val=True, y_val=True)
    return Pipeline([("encode", BehaviorEncoder(BEHAVIORS)), ("din", network)], transform_input=["X_val"])


def probability(model: Pipeline, task: Task) -> np.ndarray:
    """Fit the pipeline and return the probability of each test row."""
    model.fit(task.train.X, task.train.y, X_val=task.valid.X, y_val=task.valid.y)
    return model.predict_proba(task.test.X)[:, 1]


def logistic_regression(train: Part) -> Pipeline:
    """Return a logistic regression on hand-made features."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(summary(train, train), train.y)


def summary(part: Part, train: Part) -> np.ndarray:
    """Return what a data scientist would compute by hand: popularity, shares of the history, and its length."""
    positives = train.X[train.y == 1]
    own = part.y if part is train else 0  # a row must not count itself
    counts = [part.X[name].map(positives[name].value_counts()).fillna(0) - own for name in ("item", "category")]
    shares = [share_of_history(part.X, name) for name in ("item", "category")]
    return np.column_stack([*map(np.log1p, counts), *shares, part.X["hist_item"].map(len)])


def share_of_history(X: pd.DataFrame, column: str) -> np.ndarray:
    """Return the share of each row's history that equals the candidate in ``column``; 0 for an empty history."""
    lengths = X[f"hist_{column}"].map(len).to_numpy()
    row = np.repeat(np.arange(len(X)), lengths)
    is_same = np.concatenate(X[f"hist_{column}"].to_numpy()) == X[column].to_numpy()[row]
    return np.bincount(row, is_same, minlength=len(X)) / np.maximum(lengths, 1)


def scores(name: str, compute: Callable[[], np.ndarray], test: Part, *, is_probability: bool) -> str:
    """Compute the scores of the test rows, and return their line of the table."""
    start = time.perf_counter()
    score = compute()
    seconds = time.perf_counter() - start
    loss = f"{log_loss(test.y, score):.4f}" if is_probability else "-"
    auc, gauc = roc_auc_score(test.y, score), gauc_score(test.y, score, groups=test.user)
    return f"{name:30} {auc:7.4f} {gauc:7.4f} {loss:>9} {seconds:8.1f}"


# ------------------------------------------------------------------------------------------------------- attention


def show_attention(model: Pipeline, test: Part, products: pd.DataFrame, n_shown: int = 5) -> None:
    """Print the purchases of one household that got the most attention, for two candidates that it bought."""
    name = products.set_index("item")["name"]
    rows = test.X.iloc[list(two_candidates(test))]
    user = test.user[two_candidates(test)[0]]
    weights = attention_weights(model, rows).groupby(["row", "hist_item"])["weight"].agg(["sum", "size"])
    print(f"\nWhat household {user} bought before, and the attention it got (of 1, over its last 50 purchases)")
    print("from the network without match counts, which has to find by attention what is bought again:")
    for row, item in enumerate(rows["item"]):
        print(f"\n  for {name[item]}")
        for bought, line in weights.loc[row].nlargest(n_shown, "sum").iterrows():
            times = f", {line['size']:.0f} times" if line["size"] > 1 else ""
            print(f"    {line['sum']:.3f}  {name[bought]}{times}")


def two_candidates(test: Part) -> tuple[int, int]:
    """Choose two rows of one household: bought, of categories that fill some, but not most, of a full history."""
    share = share_of_history(test.X, "category")
    is_telling = (test.y == 1) & (test.X["hist_item"].map(len) == 50) & (share > 0.05) & (share < 0.3)
    positions = np.flatnonzero(is_telling)
    found = pd.DataFrame({"user": test.user[positions], "category": test.X["category"].to_numpy()[positions]})
    found = found.assign(position=positions).drop_duplicates(["user", "category"])
    user = found["user"].value_counts(sort=False).sort_index().idxmax()
    first, second = found.loc[found["user"] == user, "position"].iloc[:2]
    return int(first), int(second)


# ----------------------------------------------------------------------------------------------------- uncertainty


def print_uncertainty(test: Part) -> None:
    """Print how much an AUC of so few positives can be trusted."""
    error = standard_error(0.65, test.y)
    print(f"\nWith {test.y.sum()} redeemed coupons the standard error of an AUC of 0.65 is {error:.3f}:")
    print("a difference of that size may well be chance.")


def standard_error(auc: float, y: np.ndarray) -> float:
    """Return the standard error of an AUC (Hanley and McNeil, Radiology 143, 1982)."""
    n_positive, n_negative = int(y.sum()), int(len(y) - y.sum())
    one, other = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_positive - 1) * (one - auc**2) + (n_negative - 1) * (other - auc**2)
    return float(np.sqrt(variance / (n_positive * n_negative)))


if __name__ == "__main__":
    main()
