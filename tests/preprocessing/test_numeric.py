"""Numbers: imputed and standardised, and back."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MinMaxScaler, StandardScaler

from sklearn_din.preprocessing._number_scale import NumberScale
from sklearn_din.preprocessing._numeric import NumericColumns
from sklearn_din.utils._columns import read_column

NAN = np.nan
MATRIX = np.array([[1.0, NAN, NAN], [2.0, 4.0, NAN], [6.0, 8.0, NAN]])


def test_missing_numbers_get_the_mean_and_an_indicator():
    numeric = NumericColumns.learn(None, MATRIX, ["a", "b", "c"])
    sd = np.std([1, 2, 6])
    sd_b, sd_indicator = np.std([6, 4, 8]), np.std([1, 0, 0])

    out = numeric.transform(MATRIX)

    assert numeric.names == ("a", "b", "c", "missingindicator_b", "missingindicator_c")
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[:, 0], [(1 - 3) / sd, (2 - 3) / sd, (6 - 3) / sd], rtol=1e-6)
    np.testing.assert_allclose(out[:, 1], [0, -2 / sd_b, 2 / sd_b], rtol=1e-6)
    np.testing.assert_allclose(out[:, 3], [(2 / 3) / sd_indicator, *[(-1 / 3) / sd_indicator] * 2], rtol=1e-6)
    assert not out[:, [2, 4]].any()


def test_the_default_turns_numbers_back_with_nan_where_they_were_missing():
    numeric = NumericColumns.learn(None, MATRIX, ["a", "b", "c"])

    np.testing.assert_allclose(numeric.inverse_transform(numeric.transform(MATRIX)), MATRIX, rtol=1e-6)


def test_another_transformer_is_cloned_and_used():
    scaler = MinMaxScaler()

    numeric = NumericColumns.learn(scaler, MATRIX[:, :1], ["a"])

    np.testing.assert_allclose(numeric.transform(MATRIX[:, :1])[:, 0], [0, 0.2, 1])
    np.testing.assert_allclose(numeric.inverse_transform(np.float32([[0.5]])), [[3.5]])
    assert not hasattr(scaler, "scale_")


def test_a_transformer_may_change_the_columns_and_give_sparse_output():
    numeric = NumericColumns.learn(KBinsDiscretizer(3, strategy="uniform"), MATRIX[:, :1], ["a"])

    assert numeric.names == ("a_0.0", "a_1.0", "a_2.0")
    assert numeric.transform(MATRIX[:, :1]).tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_a_transformer_without_names_keeps_those_of_its_input():
    numeric = NumericColumns.learn(FunctionTransformer(np.log1p), MATRIX[:, :1], ["a"])

    assert numeric.names == ("a",)


def test_the_target_reaches_the_transformer():
    class Residual(TransformerMixin, BaseEstimator):
        def fit(self, X, y):
            self.mean_ = np.mean(y)
            return self

        def transform(self, X):
            return X - self.mean_

    numeric = NumericColumns.learn(Residual(), MATRIX[:, :1], ["a"], y=[10, 20, 30])

    assert numeric.transform(MATRIX[:, :1]).tolist() == [[-19], [-18], [-14]]


@pytest.mark.parametrize("output", ["pandas", "polars"])
@pytest.mark.parametrize(
    "transformer", [None, make_pipeline(SimpleImputer(), StandardScaler()).set_output(transform="pandas")]
)
def test_the_output_setting_of_scikit_learn_changes_nothing(output, transformer):
    expected = NumericColumns.learn(transformer, MATRIX[:, :2], ["a", "b"]).transform(MATRIX[:, :2])

    with config_context(transform_output=output):
        numeric = NumericColumns.learn(transformer, MATRIX[:, :2], ["a", "b"])
        out = numeric.transform(MATRIX[:, :2])

    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(numeric.transform(MATRIX[:, :2]), expected)
    assert type(out) is np.ndarray


def test_no_rows_give_no_rows():
    numeric = NumericColumns.learn(None, MATRIX, ["a", "b", "c"])

    assert numeric.transform(np.empty((0, 3))).shape == (0, 5)


def test_a_transformer_that_leaves_nan_raises_with_column_and_row():
    numeric = NumericColumns.learn(StandardScaler(), MATRIX[:, :2], ["a", "b"])

    with pytest.raises(ValueError, match=r"numeric_transformer must give finite numbers.*'b' has nan in row 0.*impute"):
        numeric.transform(MATRIX[:, :2])


def test_a_transformer_that_cannot_name_its_columns_raises():
    double = FunctionTransformer(lambda X: np.hstack([X, X]))

    with pytest.raises(ValueError, match="FunctionTransformer turns 1 columns into 2 and has no get_feature_names_out"):
        NumericColumns.learn(double, MATRIX[:, :1], ["a"])


def test_a_transformer_of_another_shape_raises():
    drop = FunctionTransformer(lambda X: X[:1], feature_names_out="one-to-one")

    with pytest.raises(ValueError, match=r"must give 1 columns for 3 rows; it gave the shape \(1, 1\)"):
        NumericColumns.learn(drop, MATRIX[:, :1], ["a"]).transform(MATRIX[:, :1])


def test_a_transformer_without_inverse_raises():
    numeric = NumericColumns.learn(ColumnTransformer([("a", MinMaxScaler(), [0])]), MATRIX[:, :1], ["a"])

    with pytest.raises(AttributeError, match="numeric_transformer ColumnTransformer has no inverse_transform"):
        numeric.inverse_transform(np.float32([[0.5]]))


def test_behavior_numbers_are_standardised_by_their_mean_and_deviation():
    values = np.array([1.0, 2.0, 6.0, NAN])
    scale = NumberScale.learn(values)

    out = scale.transform(read_column("h", [values]), values)

    np.testing.assert_allclose(
        out, [-2 / np.std([1, 2, 6]), -1 / np.std([1, 2, 6]), 3 / np.std([1, 2, 6]), 0], rtol=1e-6
    )
    assert out.dtype == np.float32
    np.testing.assert_allclose(scale.inverse_transform(out), [1, 2, 6, 3], rtol=1e-6)


@pytest.mark.parametrize(("values", "mean"), [([], 0.0), ([NAN], 0.0), ([0.1, 0.1, 0.1], 0.1)])
def test_behavior_numbers_without_spread_are_left_at_their_scale(values, mean):
    scale = NumberScale.learn(np.array(values, dtype=float))

    assert scale.mean == pytest.approx(mean)
    assert scale.scale == 1.0


def test_a_behavior_number_that_is_too_large_raises_with_column_row_and_value():
    scale = NumberScale.learn(np.array([0.0, 1e-9]))
    values = np.array([0.0, 1e35])

    with pytest.raises(ValueError, match=r"Column 'h' holds a number that is too large.*row 1 has 1e\+35.*Clip"):
        scale.transform(read_column("h", [[0.0], [1e35]]), values)
