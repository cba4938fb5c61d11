"""
Which events may a row see?
===========================

A log says who did what and when. :func:`~sklearn_din.preprocessing.build_histories` makes rows to learn from, and
shows each row only what was known *before* its moment: no later event, and none of the same time.
"""

# %%
# A log
# -----
# Two users, a few days, in no particular order.

import pandas as pd

log = pd.DataFrame(
    {
        "user": ["ann", "ann", "bob", "ann", "ann", "ann", "bob", "bob", "bob"],
        "day": [1, 2, 2, 4, 4, 6, 3, 5, 7],
        "item": ["coffee", "milk", "bread", "tea", "jam", "coffee", "cheese", "bread", "wine"],
    }
)

# %%
# Rows with the answer no
# -----------------------
# A log holds what was taken. To learn from it, each event needs companions that were not:
# :func:`~sklearn_din.preprocessing.sample_negatives` puts other items in its place, here one for each event, and
# never one that the same user took at any time.

from sklearn_din.preprocessing import build_histories, sample_negatives

items = log[["item"]].drop_duplicates()
rows = sample_negatives(log, user="user", item="item", items=items, random_state=0)

# %%
# Histories
# ---------
# The rows come first, the histories after. A row of day 4 sees days 1 and 2; the two events of day 4 do not see each
# other.

rows = build_histories(log, rows, user="user", time="day", behaviors=["item"])
rows

# %%
# The list column is ready for ``BehaviorEncoder({"hist_item": "item"})``.
#
# The answer
# ----------
# Each line of the picture is an event of the log and its negative, which share their moment (square) and their
# history. Filled dots are the events in the list column, hollow ones the events of the same user that the rows must
# not see.

import matplotlib.pyplot as plt

log = log.sort_values(["user", "day"], kind="stable")
log["place"] = log["day"] + 0.4 * log.groupby(["user", "day"]).cumcount()  # events of one day side by side
taken, other = (rows[rows["label"] == label].reset_index(drop=True) for label in (1, 0))
lines = taken.assign(other=other["item"]).sort_values(["user", "day"], kind="stable", ignore_index=True)

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
for height, row in lines.iterrows():
    color = {"ann": "C0", "bob": "C1"}[row["user"]]
    events = log[log["user"] == row["user"]]
    seen, hidden = events.iloc[: len(row["hist_item"])], events.iloc[len(row["hist_item"]) :]
    ax.fill_between([0.5, row["day"]], height - 0.3, height + 0.3, color=color, alpha=0.12, linewidth=0)
    ax.scatter(seen["place"], [height] * len(seen), color=color)
    ax.scatter(hidden["place"], [height] * len(hidden), edgecolor=color, facecolor="none")
    ax.scatter(row["day"] - 0.2, height, marker="s", s=60, color="black")
    for place, item in zip(seen["place"], row["hist_item"], strict=True):
        ax.annotate(item, (place, height), (6, -3), textcoords="offset points", fontsize=9)
ax.set_yticks(range(len(lines)), lines["user"] + ": " + lines["item"] + ", not " + lines["other"])
ax.set(xlabel="day", title="The rows of a log, and what each may see", xlim=(0.5, 7.6), ylim=(len(lines) - 0.5, -0.5))
plt.show()

# %%
# Where a history is built from the whole log instead, a row sees its own answer: it looks excellent in training, and
# knows nothing in use. That is why times that are equal count as *not earlier*, and why a day is the time where the
# order within it is not known.
