"""The vectors of the values of a column."""

import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.inspection import embedding_vectors

X = pd.DataFrame(
    {
        "item": ["tea", "milk", "rice", "tea"],
        "user": ["u", "v", None, "u"],
        "age": [1.0, 2.0, 3.0, 4.0],
        "tags": [["x"], [], ["x", "y"], ["y", "x"]],
        "hist_item": [["milk", "rice", "tea"], [], ["milk", "milk"], ["rice"]],
        "hist_price": [[1.0, 2.5, 3.0], [], [1.5, 9.0], [2.0]],
    }
)


@pytest.fixture(scope="module")
def model():
    encoder = BehaviorEncoder({"hist_item": "item", "hist_price": None})
    sizes = {"item": 4, "user": 2, "tags": 3}
    network = DINClassifier(embedding_dim=sizes, embedding_init_std=1.0, max_epochs=1, random_state=0)
    return make_pipeline(encoder, network).fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("column", "width", "expected"),
    [
        ("item", 4, {"tea", "milk", "rice"}),
        ("hist_item", 4, {"tea", "milk", "rice"}),
        ("user", 2, {"u", "v", None}),
        ("tags", 3, {"x", "y"}),
    ],
)
def test_each_value_has_the_vector_that_the_network_looks_up(model, column, width, expected):
    values, vectors = embedding_vectors(model, column)

    assert set(values) == expected
    assert vectors.dtype == "float32"
    assert vectors.shape == (len(expected), width)
    table = model[0].transform(X)
    cells = table[column]
    weight = model[-1].module_.embedding.weight("item" if column == "hist_item" else column)
    for row, cell in enumerate(X[column]):
        for position, value in enumerate(cell if isinstance(cell, list) else [cell]):
            key = cells[row, position] if cells.ndim == 2 else cells[row]
            where = next(i for i, known in enumerate(values) if known == value or (known is None and pd.isna(value)))
            assert_array_equal(vectors[where], weight[int(key)].detach().numpy())


def test_a_candidate_and_its_behaviors_share_their_vectors(model):
    of_candidate, of_behaviors = embedding_vectors(model, "item"), embedding_vectors(model, "hist_item")

    assert of_candidate[0].tolist() == of_behaviors[0].tolist()
    assert_array_equal(of_candidate[1], of_behaviors[1])


def test_an_estimator_alone_gives_ids(model):
    values, vectors = embedding_vectors(model[-1], "item")

    assert values.tolist() == [2, 3, 4]
    assert_array_equal(vectors, embedding_vectors(model, "item")[1])


def test_the_vectors_are_a_copy(model):
    before = model.predict_proba(X)
    embedding_vectors(model, "item")[1][:] = 100.0
    embedding_vectors(model[-1], "item")[1][:] = 100.0

    assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize("column", ["hist_price", "age", "nothing"])
def test_a_column_without_vectors_raises_and_names_those_that_have_some(model, column):
    with pytest.raises(ValueError, match=rf"column '{column}'. Columns .*: 'item', 'hist_item', 'user', 'tags'\."):
        embedding_vectors(model, column)


def test_a_model_of_numbers_alone_has_no_vectors():
    model = DINClassifier(max_epochs=1, random_state=0).fit([[0.0], [1.0]], [0, 1])

    with pytest.raises(ValueError, match=r"Columns that have vectors: none\."):
        embedding_vectors(model, "x0")


def test_what_is_no_fitted_model_raises(model):
    with pytest.raises(NotFittedError):
        embedding_vectors(make_pipeline(BehaviorEncoder(), DINClassifier()), "item")
    with pytest.raises(TypeError, match="must begin with a BehaviorEncoder"):
        embedding_vectors(make_pipeline(FunctionTransformer(), model[-1]), "item")
    with pytest.raises(TypeError, match="got BehaviorEncoder"):
        embedding_vectors(model[0], "item")
