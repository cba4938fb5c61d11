"""From a raw frame: everything that the encoder can say reaches the network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline

from sklearn_din import BehaviorEncoder, DINClassifier

BEHAVIORS = [
    {"click_item": "item", "click_shop": "shop", "click_action": None, "click_price": None},
    {"bought_item": "item"},
]
N_ROWS, CHANGED = 90, 7


def other(cell, values):
    """Return another value than the cell's; of a list, the same list with its last element changed."""
    if isinstance(cell, list):
        return [*cell[:-1], other(cell[-1], values)]
    return next(value for value in values if value != cell)


VALUES = {
    "item": ["tea", "milk", "rice"],
    "shop": ["s1", "s2"],
    "city": ["Ulm", "Bonn"],
    "age": [0.0, 50.0],
    "click_item": ["tea", "milk", "rice"],
    "click_shop": ["s1", "s2"],
    "click_action": ["view", "like"],
    "click_price": [0.0, 9.0],
    "bought_item": ["tea", "milk", "rice"],
    "tags": ["new", "old"],
}


@pytest.fixture(scope="module")
def raw():
    """Rows of every kind of column, as a dict of lists; row ``CHANGED`` has behaviors and tags."""
    rng = np.random.default_rng(0)
    n_clicks, n_bought, n_tags = (rng.integers(0, 4, N_ROWS) for _ in range(3))
    n_clicks[CHANGED], n_bought[CHANGED], n_tags[CHANGED] = 3, 2, 2

    def draw(name, size):
        return rng.choice(VALUES[name], size).tolist()

    X = {name: draw(name, N_ROWS) for name in ("item", "shop", "city")}
    X["age"] = rng.normal(40, 10, N_ROWS).tolist()
    X |= {name: [draw(name, n) for n in n_clicks] for name in ("click_item", "click_shop", "click_action")}
    X["click_price"] = [rng.normal(5, 2, n).tolist() for n in n_clicks]
    X["bought_item"] = [draw("bought_item", n) for n in n_bought]
    X["tags"] = [draw("tags", n) for n in n_tags]
    X["click_item"][CHANGED] = ["tea", "milk", "rice"]  # the order can change
    X["bought_item"][CHANGED] = ["milk", "tea"]
    return X


@pytest.fixture(scope="module", params=["attention", "mean", "sum"])
def fitted(raw, request):
    """Return a model that has seen a few steps, with vectors as long as those of a trained one."""
    network = DINClassifier(
        pooling=request.param,
        embedding_dim=4,
        attention_hidden_layer_sizes=(8,),
        hidden_layer_sizes=(8,),
        embedding_init_std=1.0,
        max_epochs=2,
        batch_size=32,
        device="cpu",
        random_state=0,
    )
    return make_pipeline(BehaviorEncoder(BEHAVIORS), network).fit(raw, np.arange(N_ROWS) % 2)


def assert_only_one_row_changes(fitted, raw, changed):
    before = fitted.decision_function(raw)
    after = fitted.decision_function(raw | changed)

    is_changed = np.arange(N_ROWS) == CHANGED
    assert abs(after[CHANGED] - before[CHANGED]) > 1e-4
    assert_allclose(after[~is_changed], before[~is_changed], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_a_changed_cell_changes_the_prediction_of_its_row_alone(fitted, raw, name):
    cells = list(raw[name])
    cells[CHANGED] = other(cells[CHANGED], VALUES[name])

    assert_only_one_row_changes(fitted, raw, {name: cells})


@pytest.mark.parametrize("name", ["city", "shop", "item"])
def test_a_value_that_fit_has_not_seen_is_another_value(fitted, raw, name):
    cells = list(raw[name])
    cells[CHANGED] = "never seen"

    assert_only_one_row_changes(fitted, raw, {name: cells})


@pytest.mark.parametrize("names", [list(BEHAVIORS[0]), ["bought_item"]], ids=["clicks", "purchases"])
def test_the_order_of_the_behaviors_reaches_attention_and_neither_their_mean_nor_their_sum(fitted, raw, names):
    cells = {name: list(raw[name]) for name in names}
    for column in cells.values():
        column[CHANGED] = column[CHANGED][::-1]

    if fitted[-1].pooling == "attention":
        assert_only_one_row_changes(fitted, raw, cells)
    else:
        assert_allclose(fitted.decision_function(raw | cells), fitted.decision_function(raw), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("names", [list(BEHAVIORS[0]), ["bought_item"], ["tags"]], ids=["clicks", "purchases", "tags"])
def test_an_emptied_list_changes_the_prediction_of_its_row_alone(fitted, raw, names):
    cells = {name: list(raw[name]) for name in names}
    for column in cells.values():
        column[CHANGED] = []

    assert_only_one_row_changes(fitted, raw, cells)


def permuted(column, rng):
    """Return the values of a column in random order; lists stay as long as they were."""
    lengths = [len(cell) if isinstance(cell, list) else 1 for cell in column]
    values = [value for cell in column for value in (cell if isinstance(cell, list) else [cell])]
    values = iter([values[position] for position in rng.permutation(len(values))])
    parts = [[next(values) for _ in range(length)] for length in lengths]
    return parts if isinstance(column[0], list) else [part[0] for part in parts]


@pytest.mark.parametrize("name", VALUES)
def test_a_permuted_column_changes_predictions(fitted, raw, name):
    cells = permuted(raw[name], np.random.default_rng(1))

    difference = fitted.decision_function(raw | {name: cells}) - fitted.decision_function(raw)
    assert np.abs(difference).max() > 1e-2


def test_a_missing_number_is_not_the_same_as_the_mean(raw):
    ages = [None if row % 3 == 0 else age for row, age in enumerate(raw["age"])]
    network = DINClassifier(embedding_dim=4, hidden_layer_sizes=(8,), max_epochs=2, device="cpu", random_state=0)
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), network).fit(raw | {"age": ages}, np.arange(N_ROWS) % 2)
    known = [age for age in ages if age is not None]

    mean = model.decision_function(raw | {"age": [float(np.mean(known))] * N_ROWS})
    missing = model.decision_function(raw | {"age": [None, *known[:1]] * (N_ROWS // 2)})[::2]
    assert np.abs(missing - mean[::2]).min() > 1e-5
