"""
Can it predict stars from earlier stars?
========================================

A rating is a number, so that :class:`~sklearn_din.DINRegressor` predicts it. What a user thought of earlier items
enters as one more list column, next to what the items were. Here the truth is known: a user has a taste for each
category, and the earlier stars in the candidate's category tell it.
"""

# %%
# Ratings of which the cause is known
# -----------------------------------
# :func:`~sklearn_din.datasets.make_clicks` gives candidates and histories. Each user then gets a taste per category:
# the stars of an event, and of the candidate, are that taste and some noise.

import numpy as np

from sklearn_din.datasets import make_clicks

n_categories, noise = 20, 0.4
X, _ = make_clicks(6_000, n_items=200, n_categories=n_categories, max_length=20, random_state=0)
rng = np.random.default_rng(0)
taste = rng.uniform(1, 5, size=(len(X), n_categories))


def stars(user, category):
    """Return taste and noise, cut to between one and five stars."""
    return np.clip(taste[user, category] + rng.normal(0, noise, np.shape(category)), 1, 5)


X["hist_stars"] = [stars(user, history) for user, history in enumerate(X["hist_category"])]
y = stars(np.arange(len(X)), X["category"].to_numpy())
X.head(3)

# %%
# A field that the candidate does not have
# ----------------------------------------
# ``"hist_stars": None`` says that the column belongs to past events alone. Its numbers are standardised. Attention is
# beside a network that takes the mean of the history instead, with all else the same.

from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINRegressor

columns = {"hist_item": "item", "hist_category": "category", "hist_stars": None}
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
predicted = {}
for pooling in ["attention", "mean"]:
    network = DINRegressor(pooling=pooling, random_state=0)
    model = Pipeline([("encode", BehaviorEncoder(columns)), ("din", network)]).fit(X_train, y_train)
    predicted[pooling] = model.predict(X_test)

# %%
# The best that can be done
# -------------------------
# Where the history has the candidate's category, the best guess is near the mean of its stars there; elsewhere
# nothing is known, and the best guess is the middle.

from sklearn.metrics import r2_score

histories = zip(X_test["category"], X_test["hist_category"], strict=True)
is_met = np.array([category in history for category, history in histories])
best = np.full(len(X_test), y_train.mean())
rows = X_test[is_met]
best[is_met] = [
    given[history == category].mean()
    for category, history, given in zip(rows["category"], rows["hist_category"], rows["hist_stars"], strict=True)
]
for name, guess in {"mean of the stars in the category": best, **predicted}.items():
    of_all, of_met = r2_score(y_test, guess), r2_score(y_test[is_met], guess[is_met])
    print(f"R² {of_all:5.2f}; where the category was met {of_met:5.2f}   {name}")

# %%
# The answer
# ----------
# Each dot is a row of the test whose history has the candidate's category. On the line the prediction is right.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8, 4.4), sharex=True, sharey=True, layout="constrained")
for ax, (pooling, guess) in zip(axes, predicted.items(), strict=True):
    ax.scatter(y_test[is_met], guess[is_met], s=8, alpha=0.4)
    ax.axline((1, 1), slope=1, color="black", linewidth=1, linestyle="--")
    score = r2_score(y_test[is_met], guess[is_met])
    ax.set(title=f'pooling="{pooling}", R² {score:.2f}', xlabel="given stars", aspect="equal")
axes[0].set(ylabel="predicted stars", xlim=(0.4, 5.6), ylim=(0.4, 5.6))
plt.show()

# %%
# Attention comes near to the best guess: it finds the few events of the candidate's category among all others. A mean
# of the history mixes the stars of all categories, and can say little more than the middle.
