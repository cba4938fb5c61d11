"""Frames of all libraries taken apart and put together."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from sklearn_din.utils._frames import build_frame, is_frame, read_array, read_frame


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=[7, 7]), "pandas"),
        (pl.DataFrame({"a": [1, 2], "b": [3, 4]}), "polars"),
        (pa.table({"a": [1, 2], "b": [3, 4]}), "pyarrow"),
        ({"a": [1, 2], "b": np.array([3, 4])}, "dict"),
    ],
)
def test_a_frame_has_the_same_columns_in_every_library(X, kind):
    frame = read_frame(X)

    assert (frame.names, frame.n_samples, frame.kind, frame.is_named) == (["a", "b"], 2, kind, True)
    assert frame["b"].pieces[0].values.to_pylist() == [3, 4]


def test_columns_without_names_are_called_as_scikit_learn_does():
    frame = read_frame(pd.DataFrame([[1, 2], [3, 4]]))

    assert frame.names == ["x0", "x1"]
    assert not frame.is_named
    assert read_array(np.array([[1, 2], [3, 4]]))["x1"].pieces[0].values.to_pylist() == [2, 4]


def test_a_sparse_matrix_is_no_frame():
    assert not is_frame(sparse.dok_array((2, 2)))
    assert is_frame({})


def test_columns_of_a_dict_are_put_in_another_order_only_if_they_are_the_same():
    frame = read_frame({"a": [1], "b": [2]})

    assert frame.reordered(["b", "a"]).names == ["b", "a"]
    assert frame.reordered(["b", "c"]).names == ["a", "b"]


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ({"a": [1], 3: [2]}, TypeError, "Names of columns must be strings; 3 is a int"),
        ({"a": [1], "b": [2, 3]}, ValueError, "the same number of rows: 'a' has 1 and 'b' has 2"),
        (
            {"a": 1},
            TypeError,
            "Column 'a' must be a list or an array: got 1. Give a list with a value per row, of length 1 for one row",
        ),
        ({"a": "text"}, TypeError, "Column 'a' must be a list or an array: got 'text'"),
        (pl.LazyFrame({"a": [1]}), TypeError, r"lazy LazyFrame. Call \.collect\(\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "unique column names"),
    ],
)
def test_what_is_no_frame_raises(X, error, message):
    with pytest.raises(error, match=message):
        read_frame(X)


def test_frames_are_built_in_the_kind_asked_for():
    values = np.array([1, 2])
    objects = np.array(["a", None], dtype=object)

    frame = build_frame("pandas", {"a": values, "b": objects})

    assert frame["a"].dtype == np.int64
    assert frame["b"].tolist() == ["a", None]
    assert build_frame("pandas", {"x0": values}, is_named=False).columns.tolist() == [0]
    assert build_frame("polars", {"a": pa.array([1])}).equals(pl.DataFrame({"a": [1]}))
    assert build_frame("pyarrow", {"a": pa.array([1])}) == pa.table({"a": [1]})
    assert build_frame("array", {"x0": values, "x1": values}).tolist() == [[1, 1], [2, 2]]
