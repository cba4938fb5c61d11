"""
Are the probabilities right?
============================

A ranking needs scores in the right order; a budget needs probabilities that are right: of the coupons with
probability 0.02, two in a hundred should be redeemed. With few positives in training a network is easily too sure of
itself. scikit-learn's ``CalibratedClassifierCV`` learns to correct it from households that the network has not seen.
"""

# %%
# Households apart
# ----------------
# 40 % of the households are there to learn from, 30 % to calibrate with, and 30 % to look at.

import numpy as np

from sklearn_din.datasets import load_grocery_coupons

mailings = load_grocery_coupons()
household = mailings.data["household"].astype(int).to_numpy()
X, y = mailings.data.drop(columns="household"), mailings.target.to_numpy()

share = np.random.default_rng(0).uniform(size=household.max() + 1)[household]
part = np.searchsorted([0.4, 0.7], share)
for k, use in enumerate(["to learn from", "to calibrate", "to look at"]):
    print(f"{(part == k).sum():6,} rows {use:13}: {y[part == k].sum():3} redeemed")

# %%
# Fit, then calibrate
# -------------------
# ``FrozenEstimator`` keeps the fitted pipeline as it is; ``method="sigmoid"`` learns two numbers, a shift and a
# slope, which is all that some hundred positives can bear.

from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

model = Pipeline(
    [
        ("encode", BehaviorEncoder({"hist_item": "item", "hist_category": "category"})),
        ("din", DINClassifier(random_state=0)),
    ]
)
model.fit(X[part == 0], y[part == 0])
calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid").fit(X[part == 1], y[part == 1])

X_test, y_test, household_test = X[part == 2], y[part == 2], household[part == 2]
probabilities = {
    "as trained": model.predict_proba(X_test)[:, 1],
    "calibrated": calibrated.predict_proba(X_test)[:, 1],
}

# %%
# The log loss punishes wrong probabilities; the last line gives every coupon the share that was redeemed in training.

from sklearn.metrics import log_loss

constant = np.full(len(y_test), y[part == 0].mean())
print(f"redeemed in the test: {y_test.mean():.4f}")
for name, probability in {**probabilities, "the same for all": constant}.items():
    print(f"mean probability {probability.mean():.4f}, log loss {log_loss(y_test, probability):.4f}   {name}")

# %%
# The answer
# ----------
# Five bins with equally many rows each (``strategy="quantile"``): bins of equal width would leave most of the
# positives in the first one and hardly a row in the last. Households are drawn again and again, with replacement, to
# see how uncertain a bin is: the bars cover 90 % of the draws. On the line the probabilities are right.

import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay

n_bins = 5
rng = np.random.default_rng(0)
names, code = np.unique(household_test, return_inverse=True)
copies = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=500)[:, code]  # (500, n_rows)


def interval(probability):
    """Return the 5 and 95 % quantiles, over draws of households, of the share that was redeemed in each bin."""
    edges = np.quantile(probability, np.linspace(0, 1, n_bins + 1))
    inside = np.searchsorted(edges[1:-1], probability)
    drawn = [(copies[:, inside == k] @ y_test[inside == k]) / copies[:, inside == k].sum(axis=1) for k in range(n_bins)]
    return np.quantile(drawn, [0.05, 0.95], axis=1)


figure, axes = plt.subplots(1, 2, figsize=(8.5, 4.8), sharex=True, sharey=True, layout="constrained")
for k, (ax, (name, probability)) in enumerate(zip(axes, probabilities.items(), strict=True)):
    display = CalibrationDisplay.from_predictions(
        y_test, probability, n_bins=n_bins, strategy="quantile", ax=ax, color=f"C{k}", name=name
    )
    ax.vlines(display.prob_pred, *interval(probability), color=f"C{k}")
    ax.set(title=name, xlabel="mean probability of the bin", ylabel="", aspect="equal")
    ax.get_legend().remove()
largest = max(axes[0].lines[-1].get_xdata().max(), 0.04) * 1.15
axes[0].set(ylabel="share that was redeemed", xlim=(0, largest), ylim=(0, largest))
plt.show()

# %%
# As trained, the curve is flatter than the line: low probabilities are too low, high ones too high. Calibrated, the
# bins lie nearer to it. The order of the coupons stays as it was, and so does the AUC. The bars say how little that
# many positives can prove: most of them reach the line on both sides. Compare the log losses, too: the best of the
# three is not far from the same probability for all.
#
# Calibration takes over the share of positives of its rows. Mailings of other months have another share, and need it
# done anew.
