"""Raw values back from a table."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import MinMaxScaler

from sklearn_din.preprocessing import BehaviorEncoder

DATA = {
    "item": [1, 2, 3],
    "hist": [[2, 3, 1], [], [1]],
    "prices": [[1.0, 2.0, 4.0], [], [8.0]],
    "shop": ["s", "t", None],
    "tags": [["a", "b", "c"], ["b"], []],
    "age": [1.0, 2.0, 4.0],
}
BEHAVIORS = {"hist": "item", "prices": None}
EXPECTED = DATA | {"hist": [[3, 1], [], [1]], "tags": [["a", "b"], ["b"], []]}


def encode(make):
    encoder = BehaviorEncoder(BEHAVIORS, max_length=2)
    return encoder.inverse_transform(encoder.fit_transform(make(DATA)))


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "dict"])
def test_every_frame_comes_back_in_its_kind(kind):
    make, frame_type = {
        "pandas": (pd.DataFrame, pd.DataFrame),
        "polars": (pl.DataFrame, pl.DataFrame),
        "pyarrow": (pa.table, pa.Table),
        "dict": (dict, dict),
    }[kind]

    frame = encode(make)

    columns = frame.to_pydict() if kind == "pyarrow" else frame
    assert type(frame) is frame_type
    assert list(columns if kind in ("dict", "pyarrow") else columns.columns) == list(DATA)
    for name in ("item", "hist", "shop", "tags"):
        assert list(map(as_python, columns[name])) == EXPECTED[name]
    np.testing.assert_allclose(np.array(columns["age"]), DATA["age"], rtol=1e-6)
    assert [len(cell) for cell in columns["prices"]] == [2, 0, 1]
    np.testing.assert_allclose(np.concatenate(list(columns["prices"])), [2, 4, 8], rtol=1e-6)


def as_python(cell):
    return cell.to_list() if isinstance(cell, pl.Series) else cell


def test_integers_without_unknown_keep_their_type():
    frame = encode(pd.DataFrame)

    assert frame["item"].dtype == np.int64
    assert encode(pa.table).schema.field("hist").type == pa.large_list(pa.int64())


def test_unknown_values_are_none():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=2)
    for make in (pd.DataFrame, pl.DataFrame):
        encoder.fit(make({"item": [1, 2], "hist": [[1], [2]]}))

        frame = encoder.inverse_transform(encoder.transform(make({"item": [1, 7], "hist": [[7, 1], []]})))

        assert frame["item"].to_list() == [1, None]
        assert frame["hist"].to_list() == [[None, 1], []]


def test_an_array_comes_back_as_an_array():
    X = np.array([[1.0, np.nan], [2.0, 6.0], [4.0, 7.0]])
    encoder = BehaviorEncoder().fit(X)

    np.testing.assert_allclose(encoder.inverse_transform(encoder.transform(X)), X, rtol=1e-6)


def test_mixed_values_come_back_from_objects():
    X = {"item": [1, "1", True, 2**63, -1], "hist": [["1", 1], [True], [], [2.5], []]}
    encoder = BehaviorEncoder({"hist": "item"}).fit(X)

    frame = encoder.inverse_transform(encoder.transform(X))

    assert [(type(value), value) for value in frame["item"]] == [(type(value), value) for value in X["item"]]
    assert frame["hist"].tolist() == X["hist"]


def test_integers_of_both_ends_stay_exact():
    X = {"item": [-1, 2**63]}
    encoder = BehaviorEncoder(categorical_features=["item"]).fit(X)

    assert encoder.inverse_transform(encoder.transform(X))["item"].tolist() == [-1, 2**63]


def test_frames_without_names_and_ignored_columns_come_back():
    X = pd.DataFrame([[1.0, 2.0], [3.0, 5.0]])
    encoder = BehaviorEncoder().fit(X)
    partial = BehaviorEncoder(categorical_features=["x1"], numeric_features=[], bag_features=[]).fit(X.to_numpy())

    assert encoder.inverse_transform(encoder.transform(X)).columns.tolist() == [0, 1]
    assert partial.inverse_transform(partial.transform(X.to_numpy())).tolist() == [[2], [5]]


def test_no_rows_come_back_as_no_rows():
    encoder = BehaviorEncoder(BEHAVIORS).fit(DATA)

    frame = encoder.inverse_transform(encoder.transform(DATA)[:0])

    assert {name: len(column) for name, column in frame.items()} == dict.fromkeys(DATA, 0)


def test_what_is_no_table_of_the_encoder_raises():
    encoder = BehaviorEncoder(BEHAVIORS).fit(DATA)
    other = BehaviorEncoder(BEHAVIORS, max_length=1).fit_transform(DATA)

    with pytest.raises(TypeError, match="takes an EncodedTable; it got a ndarray"):
        encoder.inverse_transform(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="has another layout than this encoder"):
        encoder.inverse_transform(other)


def test_a_transformer_without_inverse_raises():
    transformer = ColumnTransformer([("a", MinMaxScaler(), [0])])
    encoder = BehaviorEncoder(BEHAVIORS, numeric_transformer=transformer).fit(DATA)

    with pytest.raises(AttributeError, match="has no inverse_transform"):
        encoder.inverse_transform(encoder.transform(DATA))
