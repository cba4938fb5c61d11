"""A trained network of the usual size gives the same probabilities in ONNX Runtime, whatever the shape of the rows."""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

COLUMNS = {"hist_item": "item", "hist_category": "category"}
N_ROWS = [1, 2, 33, 256, 1000]
WIDTHS = [0, 1, 20, 100, 137]
HISTORIES = ["random", "empty", "full"]
NOT_IN_THE_VOCABULARY = [-1, -5, -(2**63), 10**9, 2**63 - 1]


@pytest.fixture(scope="module")
def model():
    """Of the default sizes; it tells the classes apart."""
    X, y = make_clicks(600, n_items=300, n_categories=10, max_length=30, random_state=0)
    encoder = BehaviorEncoder(COLUMNS, max_length=100)
    network = DINClassifier(max_epochs=20, early_stopping=False, device="cpu", n_threads=1, random_state=0)
    return Pipeline([("encode", encoder), ("din", network)]).fit(X, y)


@pytest.fixture
def exported(model, export):
    return export(model)


def draw_rows(model, n_rows, width, histories):
    """Return rows whose values are known, unknown and negative."""
    rng = np.random.default_rng(n_rows * 1000 + width)
    vocabularies = model["encode"].vocabularies_
    lengths = {
        "random": rng.integers(0, width + 1, n_rows),
        "empty": np.zeros(n_rows, dtype=int),
        "full": np.full(n_rows, width),
    }[histories]
    X = {}
    for column, candidate in COLUMNS.items():
        values = np.array([*vocabularies[candidate].values.tolist(), *NOT_IN_THE_VOCABULARY])
        X[candidate] = rng.choice(values, n_rows)
        X[column] = [rng.choice(values, length) for length in lengths]
    return X


@pytest.mark.parametrize("histories", HISTORIES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n_rows", N_ROWS)
def test_probabilities_of_any_shape_are_those_of_torch(exported, model, n_rows, width, histories):
    X = draw_rows(model, n_rows, width, histories)

    found = exported.run(X, width=width)

    expected = model.predict_proba(X)
    assert found.shape == (n_rows, 2)
    assert np.abs(found - expected).max() <= 1e-6


def test_the_network_of_these_tests_tells_rows_apart(model):
    X = draw_rows(model, 256, 20, "random")

    assert np.ptp(model.predict_proba(X)[:, 1]) > 0.5


@pytest.mark.parametrize("unknown", NOT_IN_THE_VOCABULARY)
def test_unknown_and_negative_ids_are_the_same_in_both(exported, model, unknown):
    X = draw_rows(model, 33, 20, "random")
    X["item"][:] = unknown
    X["hist_item"] = [np.full(len(row), unknown) for row in X["hist_item"]]
    other = X | {"item": np.full(33, 10**12), "hist_item": [np.full(len(row), 10**12) for row in X["hist_item"]]}

    found = exported.run(X)

    assert np.array_equal(found, exported.run(other))
    assert np.abs(found - model.predict_proba(X)).max() <= 1e-6
