"""What an estimator takes, and what it refuses with which words."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from sklearn.preprocessing import FunctionTransformer

from sklearn_din import BehaviorEncoder
from sklearn_din.preprocessing import EncodedTable

FRAMES = {
    "pandas": lambda data: pd.DataFrame(data),
    "polars": lambda data: pl.DataFrame(data),
    "pyarrow": lambda data: pa.table(data),
    "dict": lambda data: data,
}


@pytest.mark.parametrize("make_frame", FRAMES.values(), ids=FRAMES)
def test_a_frame_with_lists_raises_and_shows_the_pipeline(make_classifier, make_frame):
    X = make_frame({"item": [1, 2], "hist_item": [[1, 2], [2]]})

    with pytest.raises(TypeError, match=r"(?s)Pipeline\(\[.*BehaviorEncoder.*DINClassifier"):
        make_classifier().fit(X, [0, 1])


def test_the_column_of_lists_is_named_even_if_its_first_cell_is_missing(make_classifier):
    X = pd.DataFrame({"item": [1, 2], "hist_item": [None, [2]]})

    with pytest.raises(TypeError, match="column of lists: 'hist_item'"):
        make_classifier().fit(X, [0, 1])


def test_a_column_of_strings_is_named(make_classifier):
    with pytest.raises(TypeError, match="column of strings: 'city'"):
        make_classifier().fit(pd.DataFrame({"city": ["a", "b"]}), [0, 1])


def test_a_frame_of_numbers_is_the_base_model(make_classifier):
    X = pd.DataFrame({"age": [0.0, 1.0] * 20, "price": [1.0, 0.0] * 20})
    model = make_classifier(max_epochs=200).fit(X, [0, 1] * 20)

    assert model.layout_.numeric == ("age", "price")
    assert model.layout_.sequences == ()
    assert list(model.feature_names_in_) == ["age", "price"]
    assert model.score(X, [0, 1] * 20) == 1


def test_another_encoding_is_refused(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1])
    other = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(clicks[0][:100])

    with pytest.raises(ValueError, match="same names, but other vocabularies"):
        model.predict(other)
    with pytest.raises(ValueError, match="its columns are item, hist_item, those of fit were item, category, hist"):
        model.predict(BehaviorEncoder({"hist_item": "item"}).fit_transform(clicks[0][["item", "hist_item"]]))
    with pytest.raises(TypeError, match="X is not encoded.*item, category.*got a ndarray"):
        model.predict(np.zeros((3, 2)))
    plain = make_classifier().fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="those of fit were x0, x1, x2, x3"):
        plain.predict(table)


def test_padded_arrays_of_other_libraries_are_enough(make_classifier, clicks):
    rng = np.random.default_rng(0)
    arrays = {"item": rng.integers(1, 9, 60), "hist_item": rng.integers(0, 9, (60, 5))}
    arrays["hist_item"].sort(axis=1)  # zeros pad on the left
    table = EncodedTable.from_padded(arrays, behavior_features={"hist_item": "item"})
    model = make_classifier().fit(table, rng.integers(0, 2, 60))

    wider = {"item": arrays["item"], "hist_item": np.pad(arrays["hist_item"], ((0, 0), (7, 0)))}
    padded = EncodedTable.from_padded(wider, layout=table.layout)
    assert_array_equal(model.predict_proba(padded), model.predict_proba(table))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_numbers_too_large_for_the_network_raise_and_give_no_nan(make_classifier, n_classes):
    rows = {"item": ["a", "b", "c"], "hist": [["a"], [], ["c", "a"]], "age": [0.0, 1.0, -1.0]}
    as_they_are = FunctionTransformer(feature_names_out="one-to-one")
    encoder = BehaviorEncoder({"hist": "item"}, numeric_transformer=as_they_are).fit(rows)
    model = make_classifier(activation="relu").fit(encoder.transform(rows)[[0, 1, 2] * 9], np.arange(27) % n_classes)
    model.module_.mlp.hidden[0].weight.data.fill_(10.0)

    with pytest.raises(ValueError, match="prediction for row 2 is not finite: numbers in X, or weights"):
        model.predict_proba(encoder.transform(rows | {"age": [0.0, 1.0, 3e38]}))


def test_validation_rows_that_are_not_encoded_are_named(make_classifier, table, clicks):
    X, y = clicks

    with pytest.raises(TypeError, match='X_val has a column of lists: .*transform_input=."X_val".'):
        make_classifier().fit(table, y, X_val=X, y_val=y)
