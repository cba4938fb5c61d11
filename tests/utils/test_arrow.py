"""Columns of any kind as Arrow arrays."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sklearn_din.utils._arrow import arrow_array


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3],
        (1, 2, 3),
        np.array([1, 2, 3], dtype=">i8"),
        np.array([3, 2, 1])[::-1],
        pd.Series([1, 2, 3], index=[9, 9, 9]),
        pd.Series([1, 2, 3], dtype="category"),
        pl.Series([1, 2, 3]),
        pa.chunked_array([[1], [2, 3]]),
    ],
)
def test_the_same_values_give_the_same_array(values):
    assert arrow_array(values).equals(pa.array([1, 2, 3]))


def test_missing_values_are_null():
    assert arrow_array(["a", None, float("nan")]).to_pylist() == ["a", None, None]
    assert arrow_array(pd.Series(["a", pd.NA], dtype=object)).null_count == 1


def test_one_and_the_text_one_do_not_become_the_same():
    with pytest.raises(pa.ArrowException):
        arrow_array([1, "1"])
