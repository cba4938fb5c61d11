"""
Does it find out which items are alike?
=======================================

Each item has a vector, which training moves. Items that call for the same behavior should end up near each other,
although nobody has told the network what they have in common.
"""

# %%
# Items of hidden categories
# --------------------------
# A click happens where the history holds an item of the candidate's category. The network is shown the items alone:
# the categories are left out.

from sklearn_din.datasets import make_clicks

X, y = make_clicks(10_000, n_items=60, n_categories=6, max_length=5, random_state=0)
category = X.drop_duplicates("item").set_index("item")["category"]
hidden = X[["item", "hist_item"]]

# %%
# Train
# -----

from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

model = Pipeline([("encode", BehaviorEncoder({"hist_item": "item"})), ("din", DINClassifier(random_state=0))])
model.fit(hidden[:8_000], y[:8_000])
auc = roc_auc_score(y[8_000:], model.predict_proba(hidden[8_000:])[:, 1])
print(f"AUC of rows that were not trained on: {auc:.3f}")

# %%
# The nearest item
# ----------------
# The cosine of the angle between two vectors says how alike the network takes them for: 1 for the same direction. Is
# an item's nearest neighbour of its own category?

import numpy as np

from sklearn_din.inspection import embedding_vectors

items, vectors = embedding_vectors(model, "item")
of_item = category.loc[list(items)].to_numpy()
order = np.argsort(of_item, kind="stable")
items, vectors, of_item = items[order], vectors[order], of_item[order]

direction = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
cosine = direction @ direction.T
nearest = np.argmax(cosine - 2 * np.eye(len(items)), axis=1)  # but not the item itself
is_alike = of_item[:, None] == of_item
chance = (is_alike.sum() - len(items)) / (len(items) * (len(items) - 1))
print(f"nearest neighbours of the same category: {np.mean(of_item[nearest] == of_item):.2f}, by chance {chance:.2f}")

# %%
# The answer
# ----------
# The items are sorted by their hidden category, whose borders are drawn.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
image = ax.imshow(cosine, cmap="cividis", vmin=-1, vmax=1)
borders = np.flatnonzero(np.diff(of_item)) + 0.5
ax.hlines(borders, -0.5, len(items) - 0.5, color="white", linewidth=0.8)
ax.vlines(borders, -0.5, len(items) - 0.5, color="white", linewidth=0.8)
middles = [np.flatnonzero(of_item == each).mean() for each in np.unique(of_item)]
ax.set_xticks(middles, np.unique(of_item))
ax.set_yticks(middles, np.unique(of_item))
ax.set(
    xlabel="item, by hidden category",
    ylabel="item, by hidden category",
    title="How alike are the vectors of two items?",
)
figure.colorbar(image, label="cosine")
plt.show()

# %%
# Real items are less obliging: rare ones have learnt little and stay near where they began, and what calls for the
# same behavior need not be what a shop puts on one shelf.
