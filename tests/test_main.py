"""The demo, on a few households, and the helpers whose numbers it prints."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sklearn_din import __main__ as demo
from sklearn_din.datasets import load_grocery, load_grocery_coupons


@pytest.fixture
def few_households(monkeypatch):
    """Let the demo see 25 households only; those of the coupons that redeem most."""
    grocery, mailings = load_grocery(), load_grocery_coupons()
    users = grocery.coupons[grocery.coupons["redeemed"] == 1]["user"].value_counts().index[:25]
    purchases = grocery.purchases[grocery.purchases["user"].isin(users)]
    is_kept = mailings.data["household"].isin(users)
    few = Bunch(data=mailings.data[is_kept], target=mailings.target[is_kept], day=mailings.day[is_kept])
    monkeypatch.setattr(demo, "load_grocery", lambda: Bunch(purchases=purchases, products=grocery.products))
    monkeypatch.setattr(demo, "load_grocery_coupons", lambda: few)


def test_the_demo_prints_each_model_with_scores_for_both_tasks(few_households, capsys):
    demo.main(["--epochs", "1", "--threads", "1"])

    out = capsys.readouterr().out
    for model in ("popularity", "share of history in category", "logistic regression", "DIN, mean pooling", "DIN"):
        lines = re.findall(rf"^{model} +0\.\d{{4}} +0\.\d{{4}} +(?:0\.\d{{4}}|-) +\d+\.\d$", out, re.MULTILINE)
        assert len(lines) == 2, model
    assert len(re.findall(r"^  for .*\n(?:    0\.\d{3}  .*\n){5}", out, re.MULTILINE)) == 2
    assert re.search(r"With \d+ redeemed coupons the standard error", out)


def test_help_says_what_the_demo_does(capsys):
    with pytest.raises(SystemExit) as stopped:
        demo.main(["--help"])

    assert stopped.value.code == 0
    assert "which of two products did the household buy" in capsys.readouterr().out


def test_training_rows_see_no_purchase_of_later_parts():
    grocery = load_grocery()
    users = grocery.purchases["user"].unique()[:10]
    purchases = grocery.purchases[grocery.purchases["user"].isin(users)]
    task = demo.next_purchase_task(Bunch(purchases=purchases, products=grocery.products), seed=0)

    is_before = purchases["day"] < purchases["day"].quantile(0.7)
    before = purchases[is_before].groupby("user")["item"].agg(set)
    assert all(
        set(items) <= before[user] for user, items in zip(task.train.user, task.train.X["hist_item"], strict=True)
    )
    assert task.train.y.mean() == pytest.approx(0.5, abs=0.01)


def test_a_drawn_product_is_of_the_same_day_and_not_in_the_basket():
    rng = np.random.default_rng(0)
    bought = pd.DataFrame({"user": rng.integers(0, 9, 300), "item": rng.integers(0, 40, 300)})
    bought = bought.assign(day=np.sort(rng.integers(0, 20, 300)))
    drawn = demo.draw_others(bought, rng)

    baskets = set(bought[["day", "user", "item"]].itertuples(index=False, name=None))
    found = np.flatnonzero(drawn >= 0)
    assert len(found) > 250
    for row in found:
        day, user = bought["day"][row], bought["user"][row]
        assert bought["day"][drawn[row]] == day
        assert (day, user, bought["item"][drawn[row]]) not in baskets


def test_a_household_that_bought_all_of_the_day_has_no_other_product():
    bought = pd.DataFrame({"user": [1, 1], "item": [5, 6], "day": [3, 3]})

    assert demo.draw_others(bought, np.random.default_rng(0)).tolist() == [-1, -1]


def test_share_of_history():
    X = pd.DataFrame({"item": [1, 2, 3], "hist_item": [[1, 2, 1, 5], [1], []]})

    assert demo.share_of_history(X, "item").tolist() == [0.5, 0.0, 0.0]


def test_rows_are_split_at_the_days():
    day = pd.Series([1, 4, 5, 6, 9])
    task = demo.split(pd.DataFrame({"day": day}), day * 0, day, day, [5, 9])

    assert [part.X["day"].tolist() for part in task] == [[1, 4], [5, 6], [9]]


def test_standard_error_is_that_of_the_published_example():
    # Hanley and McNeil 1982: an area of 0.893 of 51 abnormal and 58 normal cases has a standard error of 0.032.
    y = np.repeat([1, 0], [51, 58])

    assert demo.standard_error(0.893, y) == pytest.approx(0.032, abs=0.001)
