"""GAUC against scikit-learn's area user by user."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from sklearn_din.metrics import gauc_score

LABELS = [0, 1, 1, 0, 1, 0, 1]
SCORES = [0.1, 0.4, 0.2, 0.2, 0.9, 0.5, 0.5]
USERS = ["b", "b", "a", "a", "c", "b", "a"]
# user a: rows 2, 3, 6: positives 0.2 and 0.5 against 0.2: (0.5 + 1) / 2; user b: 0.4 against 0.1 and 0.5: 1 / 2
AREAS = [0.75, 0.5, np.nan]
AVERAGE = (3 * 0.75 + 3 * 0.5) / 6


def area_user_by_user(y_true, y_score, groups, weight):
    """Areas in the order of np.unique(groups), and the weights of the users."""
    areas, totals = [], []
    for user in np.unique(groups):
        rows = (groups == user) & (weight > 0)
        totals.append(weight[rows].sum())
        both = len(np.unique(y_true[rows])) == 2
        areas.append(roc_auc_score(y_true[rows], y_score[rows], sample_weight=weight[rows]) if both else np.nan)
    return np.array(areas), np.array(totals)


rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(-2, 3), st.sampled_from([0.0, 0.25, 1.0, 3.0])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rows, st.booleans())
def test_gauc_is_the_area_of_each_user_averaged_by_its_weight(rows, weighted):
    y_true, y_score, groups, weight = (np.array(column) for column in zip(*rows, strict=True))
    areas, totals = area_user_by_user(y_true, y_score, groups, weight if weighted else np.ones(len(rows)))
    options = {"groups": groups, "sample_weight": weight if weighted else None}

    np.testing.assert_allclose(gauc_score(y_true, y_score, average=None, **options), areas, atol=1e-12)
    defined = ~np.isnan(areas)
    if defined.any():
        expected = (areas * totals)[defined].sum() / totals[defined].sum()
        assert gauc_score(y_true, y_score, **options) == pytest.approx(expected, abs=1e-12)
    else:
        with pytest.warns(UndefinedMetricWarning):
            assert np.isnan(gauc_score(y_true, y_score, **options))


def test_hand_worked_areas_come_in_sorted_order_of_the_users():
    np.testing.assert_array_equal(gauc_score(LABELS, SCORES, groups=USERS, average=None), AREAS)
    assert gauc_score(LABELS, SCORES, groups=USERS) == AVERAGE


def test_users_with_one_class_have_no_say():
    with_singles = gauc_score([*LABELS, 1, 1, 0], [*SCORES, 0.0, 0.1, 0.9], groups=[*USERS, "x", "x", "y"])

    assert with_singles == AVERAGE


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(tuple(USERS), id="tuple"),
        pytest.param(np.array(USERS), id="str"),
        pytest.param(np.array(USERS, dtype=object), id="object"),
        pytest.param(pd.Series(USERS, index=[5, 5, 1, 0, 2, 7, 9]), id="pandas"),
        pytest.param(pd.Series(USERS, dtype="category"), id="pandas-category"),
        pytest.param(pd.Categorical(USERS, categories=["z", "c", "b", "a"]), id="Categorical"),
        pytest.param(pd.Series(USERS, dtype="string"), id="pandas-string"),
        pytest.param(pd.Series(USERS, dtype=pd.ArrowDtype(pa.string())), id="pandas-arrow"),
        pytest.param(pl.Series(USERS), id="polars"),
        pytest.param(pl.Series(USERS, dtype=pl.Categorical), id="polars-categorical"),
        pytest.param(pa.array(USERS), id="arrow"),
        pytest.param(pa.chunked_array([USERS[:3], USERS[3:]]), id="arrow-chunks"),
        pytest.param(
            pa.chunked_array([pa.array(USERS[:3]).dictionary_encode(), pa.array(USERS[3:]).dictionary_encode()]),
            id="arrow-dictionaries",
        ),
    ],
)
def test_any_column_of_strings_gives_the_same_areas(groups):
    np.testing.assert_array_equal(gauc_score(LABELS, SCORES, groups=groups, average=None), AREAS)


@pytest.mark.parametrize("dtype", ["int8", "uint64", ">i4", "float32", "datetime64[ns]", "bool"])
def test_groups_of_any_numeric_dtype_give_the_same_areas(dtype):
    groups = np.array([1, 1, 0, 0, 1, 1, 0]).astype(dtype)

    expected = [0.75, roc_auc_score([0, 1, 1, 0], [0.1, 0.4, 0.9, 0.5])]
    np.testing.assert_array_equal(gauc_score(LABELS, SCORES, groups=groups, average=None), expected)


def test_negative_zero_is_the_same_group_as_zero():
    assert gauc_score([0, 1], [0.1, 0.9], groups=[-0.0, 0.0]) == 1.0


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1], [False, True], [2.0, 5.0], np.array(["A", "B"], object)])
def test_the_greater_label_is_the_positive_class(labels):
    y_true = np.array(labels)[np.array(LABELS)]

    assert gauc_score(y_true, SCORES, groups=USERS) == AVERAGE


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_columns_of_any_frame_are_taken(frame):
    columns = frame({"y": LABELS, "score": SCORES, "user": USERS, "weight": [1] * 7})

    assert gauc_score(columns["y"], columns["score"], groups=columns["user"]) == AVERAGE
    assert (
        gauc_score(columns["y"], columns["score"], groups=columns["user"], sample_weight=columns["weight"]) == AVERAGE
    )


def test_weights_of_one_user_do_not_blur_the_area_of_another():
    y_true, y_score = [0, 1, 0, 1, 1, 0], [0.3, 0.2, 0.1, 0.9, 0.2, 0.4]
    groups, weight = [1, 1, 1, 2, 2, 2], [1e15, 1, 1e15, 1e-9, 3e-9, 1e-12]

    areas = gauc_score(y_true, y_score, groups=groups, sample_weight=weight, average=None)

    np.testing.assert_allclose(areas, [0.5, 0.25], rtol=1e-14)


def test_users_of_weight_zero_have_no_area():
    areas = gauc_score([0, 1, 0, 1], [0, 1, 0, 1], groups=[1, 1, 2, 2], sample_weight=[0, 0, 1, 1], average=None)

    np.testing.assert_array_equal(areas, [np.nan, 1.0])


def test_an_area_for_each_user_of_one_class_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(gauc_score([1, 1], [0.1, 0.2], groups=[1, 2], average=None), [np.nan, np.nan])


def test_no_user_with_two_classes_gives_nan_and_warns():
    with pytest.warns(UndefinedMetricWarning, match="none of the 2 groups has rows of both classes"):
        assert np.isnan(gauc_score([1, 1, 0], [0.1, 0.2, 0.3], groups=[1, 1, 2]))


def test_inputs_stay_as_they_were():
    y_true, y_score, groups, weight = np.array(LABELS), np.array(SCORES), np.array(USERS), np.arange(7.0)
    before = [array.copy() for array in (y_true, y_score, groups, weight)]
    for array in (y_true, y_score, groups, weight):
        array.flags.writeable = False

    gauc_score(y_true, y_score, groups=groups, sample_weight=weight)
    for array, copy in zip((y_true, y_score, groups, weight), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"groups": USERS[:-1]}, ValueError, "inconsistent numbers of samples"),
        ({"y_score": [*SCORES[:-1], np.nan]}, ValueError, "y_score must be finite numbers: row 6 has nan"),
        ({"y_score": [-np.inf, *SCORES[1:]]}, ValueError, "y_score must be finite numbers: row 0 has -inf"),
        ({"y_score": np.zeros((7, 2))}, ValueError, r"y_score must be 1-D: got shape \(7, 2\).*predict_proba"),
        ({"y_score": ["x"] * 7}, ValueError, "dtype='numeric' is not compatible"),
        ({"y_true": [0, 1, 2, 0, 1, 0, 1]}, ValueError, "at most two classes: got 3 different values"),
        ({"y_true": [0.5, 1, 0, 0, 1, 0, 1]}, ValueError, "at most two classes: got 3 different"),
        ({"y_true": [np.nan, 1, 0, 0, 1, 0, 1]}, ValueError, "y_true must not be missing: row 0 has None"),
        ({"y_true": np.zeros((7, 2))}, TypeError, "y_true must be a 1-D array of values of one type"),
        ({"groups": [*USERS[:3], None, *USERS[4:]]}, ValueError, "groups must not be missing: row 3 has None"),
        ({"groups": [1.0, np.nan, 1, 2, 1, 2, 1]}, ValueError, "groups must not be missing: row 1 has None"),
        ({"groups": pl.Series([1.0, np.nan, 1, 2, 1, 2, 1])}, ValueError, "groups must not be missing: row 1"),
        ({"groups": pd.Series([1, pd.NA] * 3 + [1], dtype="Int64")}, ValueError, "groups must not be missing: row 1"),
        ({"y_true": ["no", "yes", None, "no", "yes", "no", "yes"]}, ValueError, "missing: row 2 has None"),
        ({"groups": ["1", 1, 1, 1, 1, 1, 1]}, TypeError, "groups must be a 1-D array of values of one type"),
        ({"groups": [[1]] * 7}, TypeError, "groups must be a 1-D array of values of one type"),
        ({"groups": np.zeros((7, 2))}, TypeError, "groups must be a 1-D array of values of one type"),
        ({"groups": [2**70] * 7}, TypeError, "groups must be a 1-D array of values of one type"),
        ({"sample_weight": [1, 1, -2, 1, 1, 1, 1]}, ValueError, "must not be negative: row 2 has -2"),
        ({"sample_weight": [1, 1, np.inf, 1, 1, 1, 1]}, ValueError, "sample_weight must be finite numbers: row 2"),
        ({"sample_weight": np.ones((7, 1))}, ValueError, "sample_weight must be 1-D"),
        ({"average": "macro"}, ValueError, "'average' parameter of gauc_score must be"),
        ({"groups": "user"}, ValueError, "'groups' parameter of gauc_score must be an array-like"),
    ],
)
def test_bad_input_is_refused(changed, error, match):
    arguments = {"y_true": LABELS, "y_score": SCORES, "groups": USERS} | changed

    with pytest.raises(error, match=match):
        gauc_score(**arguments)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="GAUC needs rows to rank"):
        gauc_score([], [], groups=[])
