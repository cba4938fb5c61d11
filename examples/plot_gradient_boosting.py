"""
Does it beat gradient boosting?
===============================

The rival of any network on tables is gradient boosting on features made by hand. Here both are asked what a household
buys next: of two products that sell equally well, which one is in the basket?
"""

# %%
# Rows
# ----
# Each purchase of the last weeks is paired with another product, drawn in proportion to its sales, that was not in
# the basket. A basket is what one household buys on one day. Each part draws its own, so that training knows nothing of
# what sells later. The histories hold the purchases of earlier days.

from sklearn_din.datasets import load_grocery
from sklearn_din.preprocessing import build_histories, sample_negatives

grocery = load_grocery()
products = grocery.products[["item", "category"]]
purchases = grocery.purchases.merge(products, on="item")


def rows_of(part):
    """Return the rows of some purchases, with negatives that are drawn from them alone."""
    basket = 1_000 * part["user"] + part["day"]
    drawn = sample_negatives(
        part.assign(basket=basket), user="basket", item="item", items=products, strategy="popularity", random_state=0
    )
    return build_histories(purchases, drawn, user="user", time="day", behaviors=["item", "category"])


train = rows_of(purchases[purchases["day"].between(300, 344)])
test = rows_of(purchases[purchases["day"] >= 345])
print(f"rows to train on: {len(train):,}, to score: {len(test):,}; half of them were bought")

# %%
# Features made by hand
# ---------------------
# How often the product was sold, how much of the history it and its category make up, how long ago it was bought
# last, and how long the history is.

import numpy as np


def by_hand(rows):
    """Return what a data scientist might compute, shape (n_rows, 5)."""
    sales = purchases.loc[purchases["day"] < 300, "item"].value_counts()
    same = [
        history[::-1] == item for item, history in zip(rows["item"], rows["hist_item"], strict=True)
    ]  # newest first
    alike = [history == category for category, history in zip(rows["category"], rows["hist_category"], strict=True)]
    return np.column_stack(
        [
            rows["item"].map(sales).fillna(0),
            [each.mean() if len(each) else 0 for each in same],
            [each.mean() if len(each) else 0 for each in alike],
            [each.argmax() if each.any() else np.nan for each in same],
            [len(each) for each in same],
        ]
    )


# %%
# Two models, and both together
# -----------------------------
# The network gets the raw columns, boosting the features; the mean of their probabilities is a third contestant, and
# the sales alone show that popularity tells little here, as it should.

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

columns = ["item", "category", "hist_item", "hist_category"]
encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
network = Pipeline([("encode", encoder), ("din", DINClassifier(max_epochs=3, random_state=0))])
network.fit(train[columns], train["label"])
boosting = HistGradientBoostingClassifier(random_state=0).fit(by_hand(train), train["label"])

of_network = network.predict_proba(test[columns])[:, 1]
of_boosting = boosting.predict_proba(by_hand(test))[:, 1]
scores = {
    "sales": by_hand(test)[:, 0],
    "boosting on features": of_boosting,
    "DIN on raw columns": of_network,
    "mean of the two": (of_network + of_boosting) / 2,
}

# %%
# How sure is the order?
# ----------------------
# Households are drawn again and again, with replacement, and the areas computed for each draw.

import pandas as pd
from sklearn.metrics import roc_auc_score

y = test["label"].to_numpy()
rows_of = list(pd.Series(range(len(test))).groupby(test["user"].to_numpy()).indices.values())
rng = np.random.default_rng(0)
draws = [np.concatenate([rows_of[k] for k in rng.integers(len(rows_of), size=len(rows_of))]) for _ in range(100)]
areas = pd.DataFrame({name: [roc_auc_score(y[rows], score[rows]) for rows in draws] for name, score in scores.items()})
area = {name: roc_auc_score(y, score) for name, score in scores.items()}
low, high = areas.quantile(0.1), areas.quantile(0.9)
for name in scores:
    print(f"{name:22} AUC {area[name]:.3f}, 80 % of the draws from {low[name]:.3f} to {high[name]:.3f}")

n_ahead = (areas["DIN on raw columns"] > areas["boosting on features"]).sum()
print(f"DIN is ahead of boosting in {n_ahead} of {len(areas)} draws")

# %%
# The answer
# ----------

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for height, name in enumerate(scores):
    ax.hlines(height, low[name], high[name], color="C0", linewidth=3, alpha=0.5)
    ax.plot(area[name], height, "o", color="C0", markersize=9)
    ax.annotate(f"{area[name]:.3f}", (area[name], height), (0, 8), textcoords="offset points", ha="center")
ax.axvline(0.5, color="0.5", linestyle="--", linewidth=1)
ax.set_yticks(range(len(scores)), list(scores))
ax.set(xlabel="area under the ROC curve (0.5: chance)", title="What is bought next?", ylim=(-0.5, len(scores) - 0.3))
plt.show()

# %%
# The draws above say how sure the order is among households; they do not show other seeds, or better features.
# Boosting had help: someone had to think of "how often was it bought before". The network found what it needs in the
# raw lists, of which it counts the matches by itself (``match_counts=True``). :doc:`../figures` compares both on more
# data, and on ratings boosting is ahead there. A mean of the two costs nothing but a second fit.
