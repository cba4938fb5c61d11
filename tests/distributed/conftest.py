"""Rows in Parquet files, and a model for them that trains in a moment."""

import pytest
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8,),
    "hidden_layer_sizes": (8,),
    "max_epochs": 2,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def clicks():
    """120 rows with list columns, and their labels; not to be changed."""
    return make_clicks(120, n_items=30, n_categories=6, max_length=8, random_state=0)


@pytest.fixture
def folder(clicks, tmp_path):
    """The rows and labels in three files of groups of 25 rows at most."""
    X, y = clicks
    path = tmp_path / "rows"
    path.mkdir()
    for i, (start, stop) in enumerate([(0, 60), (60, 70), (70, 120)]):
        X[start:stop].assign(click=y[start:stop]).to_parquet(path / f"{i}.parquet", row_group_size=25)
    return path


@pytest.fixture
def make_model():
    """Return a pipeline; parameters are those of the estimator."""

    def make(estimator=DINClassifier, **parameters):
        encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
        return Pipeline([("encode", encoder), ("din", estimator(**SMALL | parameters))])

    return make
