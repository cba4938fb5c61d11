"""
Which purchases does the network look at?
=========================================

For each candidate the network gives each earlier purchase a weight. The same history gets other weights for another
candidate, and they can be looked at.
"""

# %%
# Rows
# ----
# Each purchase of the last months is paired with another product, drawn in proportion to its sales, that was not in
# the basket. A basket is what one household buys on one day. Each part draws its own, so that training knows nothing of
# what sells later.

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


train = rows_of(purchases[purchases["day"].between(260, 349)])
test = rows_of(purchases[purchases["day"] >= 350]).reset_index(drop=True)

# %%
# A network that has to look
# --------------------------
# By default the network is told how often the candidate occurs in the history. With ``match_counts=False`` it is not:
# to know what is bought again, attention has to find it.

from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

columns = ["item", "category", "hist_item", "hist_category"]
network = DINClassifier(match_counts=False, max_epochs=4, n_iter_no_change=4, random_state=0)
encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
model = Pipeline([("encode", encoder), ("din", network)]).fit(train[columns], train["label"])
auc = roc_auc_score(test["label"], model.predict_proba(test[columns])[:, 1])
print(f"AUC on later days: {auc:.3f}")

# %%
# Over all test rows
# ------------------
# A purchase among fifty would get a fiftieth if the weights were equal. Weights are therefore multiplied by the
# length of the history: 1 is an equal share.

import numpy as np

from sklearn_din.inspection import attention_weights

weights = attention_weights(model, test[columns])
candidate = test.iloc[weights["row"]]
share = weights["weight"] * weights.groupby("row")["weight"].transform("size")
is_same = weights["hist_item"].to_numpy() == candidate["item"].to_numpy()
is_alike = weights["hist_category"].to_numpy() == candidate["category"].to_numpy()
kind = np.select([is_same, is_alike], ["the same product", "the same category"], "anything else")
for name, mean in share.groupby(kind).mean().sort_values(ascending=False).items():
    print(f"{name:18} {mean:5.2f} times an equal share, on average of {(kind == name).sum():,} purchases")

# %%
# One basket
# ----------
# To keep the picture short, the histories are cut to the newest twenty purchases. Of all baskets take the one
# that repeats the most of them, and of it three candidates: two that were bought again, and one that was not bought.

short = test.assign(**{name: test[name].map(lambda history: history[-20:]) for name in ["hist_item", "hist_category"]})
is_again = np.array([item in history for item, history in zip(short["item"], short["hist_item"], strict=True)])
again = short[is_again & (short["label"] == 1)]
basket = again["basket"].value_counts(sort=False).idxmax()
other = short[(short["basket"] == basket) & (short["label"] == 0) & ~is_again]
shown = again[again["basket"] == basket].iloc[:2].index.append(other.index[:1])

# %%
# The answer
# ----------
# The newest purchase is at the top.

import matplotlib.pyplot as plt

from sklearn_din.inspection import AttentionDisplay

parts = grocery.products["name"].str.split(" / ", expand=True)
names = {
    "item": dict(zip(products["item"], parts[1].str.capitalize(), strict=True)),
    "category": dict(zip(products["category"], parts[0].str.capitalize(), strict=True)),
}
display = AttentionDisplay.from_estimator(model, short.loc[shown, columns], names=names)
plt.show()

# %%
# For each of the two products that were bought again, the longest bar is the earlier purchase of the same product.
# The third was never bought in this history, and no purchase stands out in the same way. Not every history is as
# clear: the means above say how much of a rule it is. A weight says where the network looked, not why, and not in
# which direction it moved the score.

# %%
# In a notebook a display also shows itself as text: the same weights as colours, for a glance at many behaviors. What
# was drawn is folded up below its picture; made from its parts, it is open.

AttentionDisplay(display.weights[:1], display.behaviors[:1], candidates=display.candidates[:1])
