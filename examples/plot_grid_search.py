"""
Can a search do with one encoding?
==================================

Parameters of the network can be searched on an :class:`~sklearn_din.preprocessing.EncodedTable`. The rows are encoded
once, and every fit of the search takes its rows out of that table.
"""

# %%
# Encode once
# -----------
# The clicks of :func:`~sklearn_din.datasets.make_clicks` happen where the history holds the candidate's category; a
# tenth of the answers is turned round. ``match_counts`` is off below, so that attention has to find the category.

from sklearn_din import BehaviorEncoder
from sklearn_din.datasets import make_clicks

X, y = make_clicks(3_000, n_items=400, n_categories=20, max_length=10, noise=0.1, random_state=0)
table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)
table

# %%
# The encoder has now seen the rows that the search validates on: their values, never their answers. Values that occur
# in validation rows alone are *known* that way, although no fit learns about them. Where that matters, as with many
# rare items, search over the whole pipeline instead: the names then begin with ``din__``, and each fit encodes its
# own rows.
#
# Search
# ------
# The table goes where a frame would.

from sklearn.model_selection import GridSearchCV

from sklearn_din import DINClassifier

search = GridSearchCV(
    DINClassifier(match_counts=False, max_epochs=10, random_state=0),
    {"learning_rate": [2e-3, 5e-3, 1e-2], "behavior_dropout": [0.0, 0.4, 0.8]},
    scoring="roc_auc",
    cv=2,
    refit=False,
)
search.fit(table, y)

import pandas as pd

results = pd.DataFrame(search.cv_results_)
print(f"fits: {2 * len(results)}, encodings: 1")
results[["param_learning_rate", "param_behavior_dropout", "mean_test_score", "std_test_score"]].round(3)

# %%
# The answer
# ----------
# Each square is the mean AUC of the two folds, with the standard deviation between them. Less than that is noise.

import matplotlib.pyplot as plt

means, deviations = (
    results.pivot(index="param_behavior_dropout", columns="param_learning_rate", values=f"{kind}_test_score")
    for kind in ("mean", "std")
)
figure, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
image = ax.imshow(means, cmap="cividis", origin="lower", aspect="auto")
middle = (image.get_clim()[0] + image.get_clim()[1]) / 2
for (i, j), mean in pd.DataFrame(means.to_numpy()).stack().items():
    color = "white" if mean < middle else "black"
    ax.text(j, i, f"{mean:.3f}\n± {deviations.iloc[i, j]:.3f}", ha="center", va="center", color=color)
ax.set_xticks(range(means.shape[1]), means.columns)
ax.set_yticks(range(means.shape[0]), means.index)
ax.set(xlabel="learning_rate", ylabel="behavior_dropout", title="What suits these clicks?")
figure.colorbar(image, label="AUC of the validation rows")
plt.show()

# %%
# The learning rate decides here: with a low one ten epochs are not enough, and attention has not found the category
# yet. The share of behaviors that training drops makes hardly a difference. No model can come near an AUC of 1: with
# a tenth of the answers turned round, even the rule that made them is wrong on a tenth. The best of nine scores may lie
# above that of the rule by chance: the best score of a search is no test score.

import numpy as np
from sklearn.metrics import roc_auc_score

is_met = [category in history for category, history in zip(X["category"], X["hist_category"], strict=True)]
print(f"best of the search {np.max(means):.3f}, true rule {roc_auc_score(y, is_met):.3f}")
