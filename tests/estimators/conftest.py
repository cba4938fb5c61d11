"""Clicks as a frame, encoded, and estimators that train in a moment."""

import pytest

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.datasets import make_clicks

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}


@pytest.fixture(scope="session")
def clicks():
    """300 rows with list columns, and their labels; not to be changed."""
    return make_clicks(300, n_items=50, n_categories=10, max_length=8, random_state=0)


@pytest.fixture(scope="session")
def table(clicks):
    """The same, encoded."""
    return BehaviorEncoder(BEHAVIORS).fit_transform(clicks[0])


SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8,),
    "hidden_layer_sizes": (8,),
    "max_epochs": 2,
    "batch_size": 64,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture
def make_classifier():
    """A small network; parameters can be overridden."""
    return lambda **parameters: DINClassifier(**(SMALL | parameters))


@pytest.fixture
def make_regressor():
    """The same for a target of numbers."""
    return lambda **parameters: DINRegressor(**(SMALL | parameters))


@pytest.fixture
def exact():
    """Parameters with which a weight of 2 is a repeated row to 1e-6: full batches, and nothing that counts rows."""
    return {
        "batch_size": 10_000,
        "max_epochs": 5,
        "dropout": 0.0,
        "activation": "relu",
        "attention_activation": "relu",
        "embedding_regularization": None,
        "unknown_rate": 0.0,
        "behavior_dropout": 0.0,
        "early_stopping": False,
    }
