"""gauc_score with random and hostile input: scikit-learn's area user by user, or an error that names the parameter."""

import datetime
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from sklearn_din.metrics import gauc_score

LABELS = st.sampled_from([(0, 1), (-1, 1), (False, True), ("no", "yes"), (0.0, 0.5), (b"a", b"b"), (2, 2)])
SCORES = st.sampled_from(
    [
        st.integers(-2, 2),
        st.sampled_from([0.0, -0.0, 0.1, np.nextafter(0.1, 1).item(), 1e300, -1e300, 5e-324]),
        st.floats(allow_nan=False, allow_infinity=False),
    ]
)
GROUPS = st.sampled_from(
    [
        st.integers(-1, 2),
        st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63)]),
        st.sampled_from(["a", "b", "", "é"]),
        st.sampled_from([b"a", b"b"]),
        st.sampled_from([0.5, -0.0, 0.0, float("inf")]),
        st.booleans(),
        st.dates(datetime.date(2024, 1, 1), datetime.date(2024, 1, 3)),
    ]
)
WEIGHTS = st.sampled_from([st.sampled_from([0.0, 0.25, 1.0, 3.0]), st.integers(0, 2), st.just(1e-300), st.just(1e15)])
BAD = {
    "y_score": [float("nan"), float("inf"), None, "high", [1], 1j, {}, datetime.date(2024, 1, 1)],
    "sample_weight": [float("nan"), float("inf"), -1, None, "heavy", [1], {}],
    "y_true": [None, float("nan"), pd.NA, [1], {1}, object(), "\ud800", 2**70, 1j],
    "groups": [None, float("nan"), pd.NA, pd.NaT, [1], {1}, {}, object(), "\ud800", 2**70, 1j],
}
FORMS = {
    "lists": list,
    "objects": lambda values: pd.Series(values, dtype=object, index=[3] * len(values)),
    "pandas": lambda values: pandas_series(values),
    "polars": lambda values: polars_series(values),
}


def pandas_series(values):
    try:
        return pd.Series(values)
    except UnicodeEncodeError:  # pandas 3 makes Arrow strings of them
        return pd.Series(values, dtype=object)


def polars_series(values):
    try:
        series = pl.Series(values)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(values, dtype=pl.Object)
    try:
        np.asarray(series)
    except pl.exceptions.PanicException:  # polars 1.20, of empty lists
        return pl.Series(values, dtype=pl.Object)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        pass  # for the library to say
    return series


@st.composite
def calls(draw):
    """Draw arguments, and what is wrong with them: None, or a pattern of the message."""
    labels, scores, groups, weights = draw(LABELS), draw(SCORES), draw(GROUPS), draw(WEIGHTS)
    rows = draw(st.lists(st.tuples(st.sampled_from(labels), scores, groups, weights), max_size=30))
    names = ["y_true", "y_score", "groups", "sample_weight"]
    arguments = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    if draw(st.booleans()):
        del arguments["sample_weight"]
    if not rows:
        return arguments, "y_score has none"
    kind = draw(st.sampled_from(["sound"] * 6 + ["cell", "cell", "mixed", "classes", "lengths"]))
    name = draw(st.sampled_from(sorted(arguments)))
    if kind == "cell":
        arguments[name][draw(st.integers(0, len(rows) - 1))] = draw(st.sampled_from(BAD[name]))
        return arguments, name
    if kind == "mixed":
        values = arguments["groups"]
        values.append("one" if isinstance(values[0], bytes | bool | datetime.date) else True)
        for other in set(arguments) - {"groups"}:
            arguments[other].append(arguments[other][0])
        return arguments, f"groups must be .* one type: row 0 has .* and row {len(rows)} "
    if kind == "classes" and len(rows) > 2:
        arguments["y_true"][:3] = ["a", "b", "c"] if isinstance(labels[0], str) else [b"a", b"b", b"c"]
        arguments["y_true"][3:] = [arguments["y_true"][0]] * (len(rows) - 3)
        return arguments, "y_true must be labels of at most two classes: got 3"
    if kind == "lengths":
        arguments[name] = arguments[name][1:]
        return arguments, "inconsistent numbers of samples"
    return arguments, None


def areas_user_by_user(y_true, y_score, groups, sample_weight=None):
    """Return the areas in the order of the users, and the weights of the users."""
    y_true, y_score = np.array([label == max(y_true) for label in y_true]), np.array(y_score, dtype=float)
    weight = np.ones(len(y_true)) if sample_weight is None else np.array(sample_weight, dtype=float)
    ranks = np.unique(y_score, return_inverse=True)[1]  # whose differences do not overflow
    areas, totals = [], []
    for user in sorted(set(groups)):
        rows = np.array([other == user for other in groups]) & (weight > 0)
        both = len(np.unique(y_true[rows])) == 2
        # The area has no unit: sums of tiny weights are nothing to fear then.
        scaled = weight[rows] / weight[rows].max(initial=1e-300)
        areas.append(roc_auc_score(y_true[rows], ranks[rows], sample_weight=scaled) if both else np.nan)
        totals.append(weight[rows].sum())
    return np.array(areas), np.array(totals)


def check_call(form, arguments, wrong):
    """Assert scikit-learn's area of each user and their average, or an error of ours that names what is wrong."""
    given_arguments = {name: FORMS[form](values) for name, values in arguments.items()}
    error = None
    try:
        areas = gauc_score(**given_arguments, average=None)
    except (TypeError, ValueError) as raised:
        error = raised
    event("areas" if error is None else "error")

    if wrong is not None and error is None:
        # A frame's column holds one type: what is mixed in a list has become that type.
        assert form in ("pandas", "polars")
        return
    if error is not None:
        assert wrong is not None, error
        assert type(error) in (TypeError, ValueError)
        assert re.search(wrong if form in ("lists", "objects") else wrong.split(" ")[0], str(error))
        with pytest.raises(type(error), match=re.escape(str(error))):
            gauc_score(**given_arguments)
        return
    expected, totals = areas_user_by_user(**arguments)
    np.testing.assert_allclose(areas, expected, rtol=0, atol=1e-12)
    is_defined = ~np.isnan(expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if is_defined.any() else "ignore", UndefinedMetricWarning)
        average = gauc_score(**given_arguments, average="weighted")
    if is_defined.any():
        shares = totals[is_defined] / totals[is_defined].sum()
        assert average == pytest.approx((expected[is_defined] * shares).sum(), abs=1e-12)
    else:
        assert np.isnan(average)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=250)
@given(call=calls())
def test_any_input_gives_the_area_of_each_user_or_an_error_with_the_parameter(form, call):
    check_call(form, *call)


@pytest.mark.nightly
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20_000, derandomize=False, print_blob=True)
@given(call=calls())
def test_random_input_gives_the_area_of_each_user_or_an_error_with_the_parameter(form, call):
    check_call(form, *call)


@pytest.mark.parametrize(
    "groups",
    [
        np.array([1, 1], dtype=np.float16),
        pa.array(["a", "a"], pa.string_view()),
        pa.array([b"a", b"a"], pa.binary_view()),
        pa.RunEndEncodedArray.from_arrays([2], [1]),
        pl.Series([("a")] * 2, dtype=pl.Object),
    ],
    ids=["float16", "string view", "binary view", "runs", "polars objects"],
)
def test_groups_of_rare_types_are_compared_by_value(groups):
    assert gauc_score([0, 1], [0.1, 0.9], groups=groups) == 1.0


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"groups": ["a", "\ud800"]}, ValueError, r"groups cannot be read: row 1 has '\\ud800'"),
        ({"groups": np.array(["a", "\ud800"])}, ValueError, r"groups cannot be read: row 1 has '\\ud800'"),
        ({"groups": ["a", b"a"]}, TypeError, "groups must be .* of one type: row 0 has 'a' and row 1 b'a'"),
        ({"groups": np.ma.array([1, 1], mask=[False, True])}, ValueError, "groups must not be missing: row 1"),
        (
            {"y_score": np.ma.array([0.1, 0.2], mask=[False, True])},
            ValueError,
            "y_score must be finite.* row 1 has nan",
        ),
        ({"y_score": np.array([1, 2], dtype="m8[s]")}, TypeError, r"y_score must be numbers: got timedelta64\[s\]"),
        ({"y_score": [{}, {}]}, TypeError, "y_score must be numbers: float"),
        ({"y_score": ["low", "high"]}, ValueError, "y_score must be numbers: dtype='numeric'"),
        (
            {"sample_weight": np.array([1, 2], dtype="M8[s]")},
            TypeError,
            r"sample_weight must be numbers: got datetime64",
        ),
    ],
)
def test_bad_values_are_refused_under_the_name_of_the_parameter(changed, error, match):
    arguments = {"y_true": [0, 1], "y_score": [0.1, 0.9], "groups": [1, 1]} | changed

    with pytest.raises(error, match=match):
        gauc_score(**arguments)
