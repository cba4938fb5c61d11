"""
How do I get from a frame to probabilities?
===========================================

A frame goes into a pipeline of two steps, and probabilities come out. Here they say which mailed coupons will be
redeemed. The picture compares them with two rankings that need no learning.
"""

# %%
# Rows
# ----
# One row is one mailed coupon. ``item`` and ``category`` say what it is for; the list columns hold what the household
# bought before the day of the mailing, oldest first.

from sklearn_din.datasets import load_grocery_coupons

mailings = load_grocery_coupons()
X, y, day = mailings.data, mailings.target, mailings.day
X[["household", "item", "category", "hist_item", "hist_category"]].tail(3)

# %%
# The rows are in order of day. Train on the earlier days and ask about the later ones, as in real use.

is_late = day >= 330
print(f"to train on: {(~is_late).sum():6,} mailings, {y[~is_late].sum():3} of them redeemed")
print(f"to score:    {is_late.sum():6,} mailings, {y[is_late].sum():3} of them redeemed")

# %%
# A pipeline of two steps
# -----------------------
# The dict pairs each list column with the column of the candidate that has the same kind of values. All else is
# recognised by its type. ``random_state`` makes the result repeatable.

from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

model = Pipeline(
    [
        ("encode", BehaviorEncoder({"hist_item": "item", "hist_category": "category"})),
        ("din", DINClassifier(random_state=0)),
    ]
)
model.fit(X[~is_late], y[~is_late])

# %%
# The second column is the probability that the coupon is redeemed.

probability = model.predict_proba(X[is_late])[:, 1]
print(f"smallest {probability.min():.4f}, mean {probability.mean():.4f}, largest {probability.max():.4f}")
print(f"redeemed, of all scored: {y[is_late].mean():.4f}")

# %%
# Two rankings without learning
# -----------------------------
# *Share of the history*: how much of what the household bought is of the coupon's category? *Popularity*: how often
# has a coupon for this product been redeemed before?

import numpy as np

late = X[is_late]
share = [
    np.mean(history == category) if len(history) else 0
    for category, history in zip(late["category"], late["hist_category"], strict=True)
]
redeemed = X.loc[~is_late, "item"][y[~is_late] == 1].value_counts()
popularity = late["item"].map(redeemed).fillna(0)

# %%
# The answer
# ----------
# A ranking is good where its curve is near the upper left corner: many of the redeemed coupons for few of the others.
# The number is the area under the curve, 0.5 for a ranking by chance, with its standard error (Hanley and McNeil,
# Radiology 143, 1982).

import matplotlib.pyplot as plt
from sklearn.metrics import RocCurveDisplay, roc_auc_score


def standard_error(auc, n_positive, n_negative):
    """Return the standard error of an area under the ROC curve."""
    one, other = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_positive - 1) * (one - auc**2) + (n_negative - 1) * (other - auc**2)
    return (variance / (n_positive * n_negative)) ** 0.5


figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
rankings = {"DIN": probability, "share of history in category": share, "popularity of the coupon": popularity}
for (name, score), style in zip(rankings.items(), ["-", "--", "-."], strict=True):
    auc = roc_auc_score(y[is_late], score)
    error = standard_error(auc, y[is_late].sum(), (1 - y[is_late]).sum())
    label = f"{name}: {auc:.2f} ± {error:.2f}"
    RocCurveDisplay.from_predictions(y[is_late], score, ax=ax, curve_kwargs={"linestyle": style, "label": label})
    print(label)
ax.axline((0, 0), slope=1, color="0.6", linewidth=1, linestyle=":")
ax.set(xlabel="share of the other coupons that rank as high", ylabel="share of the redeemed coupons")
ax.set(title="Redeemed coupons of later days", aspect="equal", xlim=(0, 1), ylim=(0, 1.01))
ax.legend(loc="lower right", title="area under the curve")
plt.show()

# %%
# With so few redeemed coupons the errors are large, and so is what another ``random_state`` changes: do not take the
# order of the curves for proven. :doc:`../user_guide/few_positives` says what to do then.
