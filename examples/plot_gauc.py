"""
Why does a good AUC not mean good choices?
==========================================

Some households redeem many coupons, most redeem none. Who knows only *which household* it is has a good AUC, and
cannot say which of two coupons that household will take. GAUC compares coupons within a household, and sees the
difference.
"""

# %%
# Three ways to score a mailing
# -----------------------------
# All learn from the mailings before day 280, and are asked about those after it.

from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import load_grocery_coupons

mailings = load_grocery_coupons()
X, y = mailings.data, mailings.target
is_late = mailings.day >= 280
household = X["household"].astype(int)


def past_rate(column, strength=20):
    """Return the share of earlier mailings with the same value that were redeemed, drawn towards the mean."""
    mean = y[~is_late].mean()
    past = y[~is_late].groupby(column[~is_late]).agg(["sum", "count"])
    rate = (past["sum"] + strength * mean) / (past["count"] + strength)
    return column[is_late].map(rate).fillna(mean).to_numpy()


# %%
# The third is a Deep Interest Network. It is not told the household, only what the household bought and who lives
# there.

model = Pipeline(
    [
        ("encode", BehaviorEncoder({"hist_item": "item", "hist_category": "category"})),
        ("din", DINClassifier(random_state=0)),
    ]
)
features = X.drop(columns="household")
model.fit(features[~is_late], y[~is_late])

scores = {
    "redeemed before\nby the household": past_rate(household),
    "redeemed before\nin the category": past_rate(X["category"]),
    "DIN": model.predict_proba(features[is_late])[:, 1],
}

# %%
# AUC and GAUC
# ------------
# Households are drawn again and again, with replacement, to see how far the two figures may be off. A household that
# is drawn twice counts as two.

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from sklearn_din.metrics import gauc_score

target, group = y[is_late].to_numpy(), household[is_late].to_numpy()
rows_of = list(pd.Series(group).groupby(group).indices.values())
rng = np.random.default_rng(0)
draws = [rng.integers(len(rows_of), size=len(rows_of)) for _ in range(100)]


def both(score, drawn):
    """Return AUC and GAUC over the drawn households."""
    rows = np.concatenate([rows_of[each] for each in drawn])
    copies = np.repeat(np.arange(len(drawn)), [len(rows_of[each]) for each in drawn])
    return roc_auc_score(target[rows], score[rows]), gauc_score(target[rows], score[rows], groups=copies)


figures = {name: both(score, np.arange(len(rows_of))) for name, score in scores.items()}
spread = {}
for name, score in scores.items():
    spread[name] = np.quantile([both(score, drawn) for drawn in draws], [0.1, 0.9], axis=0)
for name, (auc, gauc) in figures.items():
    print(f"{name.replace(chr(10), ' '):33} AUC {auc:.3f}  GAUC {gauc:.3f}")

# %%
# The answer
# ----------

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for k, (metric, marker) in enumerate([("AUC, over all mailings", "o"), ("GAUC, within households", "s")]):
    height = np.arange(len(scores)) - 0.12 + 0.24 * k
    ax.hlines(height, *np.array([spread[name][:, k] for name in scores]).T, color=f"C{k}", linewidth=2)
    ax.plot([figures[name][k] for name in scores], height, marker, color=f"C{k}", markersize=9, label=metric)
ax.axvline(0.5, color="0.5", linestyle="--", linewidth=1)
ax.set_yticks(range(len(scores)), list(scores))
ax.set(xlabel="area under the ROC curve (0.5: chance)", title="Which coupons will be redeemed?", ylim=(2.6, -0.6))
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %%
# The household's own past gives every coupon of a household the same score: its AUC is well above chance, its GAUC
# exactly at it. If each household gets the best few of its own coupons, that model is worth nothing. The lines cover
# 80 % of the draws. They are long, as the next lines say why: few households have both a redeemed coupon and another
# one, and only those count for GAUC.

n_both = (pd.Series(target).groupby(group).nunique() == 2).sum()
print(f"households with mailings: {len(rows_of)}, of which {n_both} count for GAUC; redeemed coupons: {target.sum()}")
