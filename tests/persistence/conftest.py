"""A pipeline of all kinds of columns, as small as it can be: its file is cut and damaged at every byte."""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor

BEHAVIORS = {"hist_item": "item", "prices": None}
TINY = {
    "embedding_dim": 2,
    "attention_hidden_layer_sizes": (2,),
    "hidden_layer_sizes": (2,),
    "max_epochs": 2,
    "batch_size": 16,
    "early_stopping": False,
    "device": "cpu",
    "random_state": 0,
}


def make_rows(n_samples=40):
    """Columns of each kind: strings with candidates in a history, numbers with a missing one, booleans, a bag."""
    rng = np.random.default_rng(0)
    items = [f"item {number}" for number in rng.integers(0, 6, n_samples)]
    lengths = rng.integers(0, 4, n_samples)
    histories = [[f"item {number}" for number in rng.integers(0, 6, length)] for length in lengths]
    return {
        "item": items,
        "is_new": [bool(number) for number in rng.integers(0, 2, n_samples)],
        "age": [None if row == 3 else float(row % 7) for row in range(n_samples)],
        "hist_item": histories,
        "prices": [[float(len(text) + row % 3) for text in history] for row, history in enumerate(histories)],
        "tags": [[int(number) for number in rng.integers(0, 4, length)] for length in lengths],
    }


@pytest.fixture(scope="session")
def rows():
    """40 rows; not to be changed."""
    return make_rows()


@pytest.fixture(scope="session")
def labels(rows):
    """Whether the candidate is in the history."""
    pairs = zip(rows["item"], rows["hist_item"], strict=True)
    return np.array(["no", "yes"])[[int(item in history) for item, history in pairs]]


@pytest.fixture
def make_model():
    """An unfitted pipeline; parameters of the network can be overridden."""

    def make(network=DINClassifier, encoder=None, **parameters):
        encoder = BehaviorEncoder(BEHAVIORS, max_length=3) if encoder is None else encoder
        return Pipeline([("encode", encoder), ("din", network(**(TINY | parameters)))])

    return make


@pytest.fixture(scope="session")
def fitted(rows, labels):
    """A fitted classifier; not to be changed."""
    encoder = BehaviorEncoder(BEHAVIORS, max_length=3)
    return Pipeline([("encode", encoder), ("din", DINClassifier(**TINY))]).fit(rows, labels)


@pytest.fixture(scope="session")
def fitted_regressor(rows):
    """A fitted regressor; not to be changed."""
    encoder = BehaviorEncoder(BEHAVIORS, max_length=3)
    prices = [sum(prices) for prices in rows["prices"]]
    return Pipeline([("encode", encoder), ("din", DINRegressor(**TINY))]).fit(rows, prices)
