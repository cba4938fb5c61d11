"""A pickle of an estimator is small, and holds nothing of the rows."""

import gc
import io
import pickle

import joblib
import numpy as np
import pytest

from sklearn_din.training import TensorTable

N_ROWS = 700


def pickled(model):
    return pickle.dumps(model)


def dumped(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def size_of_weights(model):
    return sum(value.numel() * value.element_size() for value in model.module_.state_dict().values())


@pytest.mark.parametrize("write", [pickled, dumped])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_pickle_is_hardly_larger_than_the_weights(make_classifier, make_regressor, table, clicks, write, kind):
    make = make_classifier if kind == "classifier" else make_regressor
    model = make(hidden_layer_sizes=(200, 80), attention_hidden_layer_sizes=(80, 40), max_epochs=5)
    model.fit(table, clicks[1])

    assert size_of_weights(model) > 80_000
    assert len(write(model)) < 1.2 * size_of_weights(model)


@pytest.fixture
def marked():
    """Rows to train on and to validate with, whose numbers, targets and weights no network has by itself."""
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(N_ROWS, 3)), rng.normal(size=(N_ROWS // 2, 3))
    y, y_val = rng.normal(size=N_ROWS), rng.normal(size=N_ROWS // 2)
    return {
        "X": X,
        "y": y,
        "sample_weight": rng.random(N_ROWS),
        "X_val": X_val,
        "y_val": y_val,
        "sample_weight_val": rng.random(N_ROWS // 2),
    }


def neighbors(values):
    """Return the bytes of two neighbors in every form that training may keep them in."""
    scaled = values, values / values.max(), values / values.mean(), (values - values.mean()) / values.std()
    rounded = [form.astype(np.float32) for form in scaled]
    forms = [*scaled, *rounded, *(form.astype(np.float64) for form in rounded)]
    return {form[at : at + 2].tobytes() for form in forms for at in (0, len(values) // 2)}


@pytest.mark.parametrize("write", [pickled, dumped])
@pytest.mark.parametrize("name", ["X", "y", "sample_weight", "X_val", "y_val", "sample_weight_val"])
@pytest.mark.parametrize("parameters", [{}, {"learning_rate_schedule": "plateau"}, {"scoring": "r2"}])
def test_no_value_of_the_rows_is_in_a_pickle(make_regressor, marked, write, name, parameters):
    data = write(make_regressor(**parameters).fit(**marked))

    values = marked[name]
    columns = values.T if values.ndim == 2 else [values]
    for marker in set().union(*map(neighbors, [*columns, values.ravel()])):  # by columns and by rows
        assert marker not in data


def test_no_value_of_encoded_rows_is_in_a_pickle(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1], X_val=table[:50], y_val=clicks[1][:50])

    for data in (pickled(model), dumped(model)):
        for values in (table["item"], table.ragged("hist_item").values, table.ragged("hist_item").offsets, clicks[1]):
            for dtype in (values.dtype, np.int32, np.int64, np.float32):
                assert values[20:30].astype(dtype).tobytes() not in data


def test_the_model_itself_lets_go_of_the_rows(make_classifier, marked):
    y = np.arange(N_ROWS) % 2
    model = make_classifier().fit(marked["X"], y, X_val=marked["X_val"], y_val=y[: N_ROWS // 2])

    gc.collect()
    held = [thing for thing in gc.get_objects() if type(thing) is TensorTable and thing.n_rows >= N_ROWS // 2]
    assert model.n_epochs_ == 2
    assert not held
