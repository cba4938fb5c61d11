"""
When should training stop?
==========================

With every epoch the network fits its training rows better. From some epoch on it learns them by heart, and does worse
on others. Early stopping watches rows that it holds out, and keeps the weights that were best on them.
"""

# %%
# A network that learns by heart
# ------------------------------
# Few rows and a fifth of the answers turned round: there is something to learn, and noise that should not be learnt.
# What guards against learning by heart by default is switched off, and a patience of all epochs lets training go on
# after it should have stopped.

from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

X, y = make_clicks(4_000, n_items=400, n_categories=40, max_length=10, noise=0.2, random_state=0)
unguarded = {"behavior_dropout": 0.0, "dropout": 0.0, "unknown_rate": 0.0, "embedding_regularization": None}
patience = {"max_epochs": 20, "n_iter_no_change": 20, "learning_rate_schedule": "constant", "learning_rate": 3e-4}
encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
network = DINClassifier(**unguarded, **patience, validation_fraction=0.25, random_state=0)
model = Pipeline([("encode", encoder), ("din", network)]).fit(X, y)

# %%
# The answer
# ----------

import matplotlib.pyplot as plt

from sklearn_din.inspection import TrainingCurveDisplay

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
display = TrainingCurveDisplay.from_estimator(model, ax=ax)
plt.show()

# %%
# The training loss falls to the end. The validation loss falls first, then rises: the network becomes ever surer of
# noise. The estimator has kept the weights of the best epoch, so that the long training did no harm but time.

losses = {record["epoch"]: record["valid_loss"] for record in model["din"].history_}
for epoch in [1, model["din"].best_epoch_, model["din"].n_epochs_]:
    print(f"validation loss after epoch {epoch:2}: {losses[epoch]:.3f}")
