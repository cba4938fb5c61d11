"""Clicks as a frame with list columns, and the pipeline that scikit-learn's tools are given."""

import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8,),
    "hidden_layer_sizes": (8,),
    "match_counts": False,  # which would leave no mistake to score
    "max_epochs": 2,
    "batch_size": 64,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def clicks():
    """200 rows with list columns, and their labels; not to be changed."""
    return make_clicks(200, n_items=30, n_categories=5, max_length=6, random_state=0)


@pytest.fixture(scope="session")
def table(clicks):
    """The same, encoded."""
    return BehaviorEncoder(BEHAVIORS).fit_transform(clicks[0])


@pytest.fixture(scope="session")
def make_model():
    """A pipeline with a small network of some class; its parameters can be overridden."""

    def make(kind=DINClassifier, **parameters):
        return Pipeline([("encode", BehaviorEncoder(BEHAVIORS)), ("din", kind(**(SMALL | parameters)))])

    return make


@pytest.fixture
def model(make_model):
    """A pipeline to fit."""
    return make_model()


@pytest.fixture(scope="session")
def fitted(make_model, clicks):
    """A fitted pipeline; not to be changed."""
    return make_model().fit(*clicks)


@pytest.fixture(scope="session")
def fit_on():
    """Fit a copy of a model on the rows at some positions."""
    return lambda model, X, y, rows: clone(model).fit(X.iloc[rows], y[rows])
