"""Clicks as a frame, encoded, and a classifier that trains in a moment."""

import pytest

from sklearn_din import BehaviorEncoder, DINClassifier
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


@pytest.fixture
def make_classifier():
    """A small network; parameters can be overridden."""

    def make(**parameters):
        small = {
            "embedding_dim": 4,
            "attention_hidden_layer_sizes": (8,),
            "hidden_layer_sizes": (8,),
            "max_epochs": 2,
            "batch_size": 64,
            "device": "cpu",
            "random_state": 0,
        }
        return DINClassifier(**(small | parameters))

    return make
