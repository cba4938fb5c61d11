"""
How are items scored that were never seen?
==========================================

New items arrive every day. The encoder gives all values that it has not seen one number, *unknown*, and the network
learns a vector for it: in training it takes a share of the ids, ``unknown_rate``, for unknown. Without that share,
new items are scored by a vector that nothing has taught.
"""

# %%
# Known items and new ones
# ------------------------
# A click happens where the history holds the candidate's category; a tenth of the answers is turned round. Some items
# are kept out of training, as candidates and in histories.

import numpy as np

from sklearn_din.datasets import make_clicks

X, y = make_clicks(8_000, n_items=400, n_categories=20, max_length=8, noise=0.1, random_state=0)
is_new = np.random.default_rng(0).uniform(size=400) < 0.15
has_new = is_new[X["item"]] | np.array([is_new[history].any() for history in X["hist_item"]])
is_late = np.arange(len(X)) >= 6_000
train, known, new = ~is_late & ~has_new, is_late & ~is_new[X["item"]], is_late & is_new[X["item"]]

# %%
# Three kinds of candidates: known items, new items whose category is known, and new items of a category that is new
# as well.

candidates = {
    "known item": (X[known], y[known]),
    "new item,\nknown category": (X[new], y[new]),
    "new item,\nnew category": (X[new].assign(category=-1), y[new]),
}

# %%
# Three shares of unknown ids
# ---------------------------

from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

columns = {"hist_item": "item", "hist_category": "category"}
probabilities = {}
for unknown_rate in [0.0, 0.05, 0.2]:
    network = DINClassifier(unknown_rate=unknown_rate, random_state=0)
    model = Pipeline([("encode", BehaviorEncoder(columns)), ("din", network)]).fit(X[train], y[train])
    probabilities[unknown_rate] = [model.predict_proba(rows)[:, 1] for rows, _ in candidates.values()]

for k, (name, (_, target)) in enumerate(candidates.items()):
    print(name.replace("\n", " ") + f", {target.mean():.2f} of them clicked")
    for unknown_rate, probability in probabilities.items():
        loss = log_loss(target, probability[k])
        print(f"    unknown_rate={unknown_rate:4}: mean probability {probability[k].mean():.2f}, log loss {loss:.2f}")

# %%
# The answer
# ----------
# Each mark is a candidate of the test, at most 150 of each kind.

import matplotlib.pyplot as plt

rng = np.random.default_rng(0)
figure, axes = plt.subplots(1, 3, figsize=(10, 4), sharey=True, layout="constrained")
for ax, (unknown_rate, probability) in zip(axes, probabilities.items(), strict=True):
    for k, (_, target) in enumerate(candidates.values()):
        for label, marker, shift in [(1, "o", -0.18), (0, "^", 0.18)]:
            shown = probability[k][target == label][:150]
            place = k + shift + rng.uniform(-0.12, 0.12, len(shown))
            ax.plot(place, shown, marker, color=f"C{1 - label}", markersize=4, alpha=0.35)
    ax.set_xticks(range(3), list(candidates), fontsize=8)
    ax.set(title=f"unknown_rate={unknown_rate}" + (" (default)" if unknown_rate == 0.05 else ""), ylim=(-0.03, 1.03))
axes[0].set(ylabel="predicted probability of a click")
for label, marker in [("clicked", "o"), ("not clicked", "^")]:
    axes[0].plot([], [], marker, color="C0" if marker == "o" else "C1", label=label)
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %%
# What is known of a new item is enough: its category decides, and it is scored like a known one. Of an item of which
# nothing is known, the best probability is the share of clicks. ``unknown_rate=0`` may give anything instead, and
# with confidence. The other two networks have met unknown ids, and say something in the middle for clicked and not
# clicked alike.
#
# Rare values
# -----------
# ``min_frequency`` of the encoder makes rare values unknown, too: what occurs in few rows teaches little, and unknown
# is then learnt from real rows.

for min_frequency in [1, 30, 40]:
    encoder = BehaviorEncoder(columns, min_frequency=min_frequency).fit(X[train])
    print(f"min_frequency={min_frequency:2}: {len(encoder.vocabularies_['item'].values):3} items are known")
