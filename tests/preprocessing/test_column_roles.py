"""Which column gets which role, as seen from the fitted layout."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_selector

from sklearn_din.preprocessing import BehaviorEncoder

COLUMNS = {
    "name": ["a", "b"],
    "ok": [True, False],
    "kind": pd.Categorical([7, 8]),
    "price": [1.5, 2.5],
    "tags": [[1], [2]],
    "hist": [[4], [5]],
    "item": [4, 5],
}


def make_frame(**changes):
    return pd.DataFrame(COLUMNS | changes)


def roles(X, *args, **parameters):
    layout = BehaviorEncoder(*args, **parameters).fit(X).layout_
    return (
        [column.name for column in layout.categorical],
        list(layout.numeric),
        [field.name for field in layout.fields],
        [column.name for column in layout.bags],
    )


def test_roles_are_told_by_type():
    assert roles(make_frame(), {"hist": "item"}) == (["name", "ok", "kind", "item"], ["price"], ["hist"], ["tags"])


def test_categoricals_of_polars_are_categories():
    X = pl.DataFrame({"a": pl.Series(["x"], dtype=pl.Categorical), "b": pl.Series(["x"], dtype=pl.Enum(["x"]))})

    assert roles(X)[0] == ["a", "b"]


def test_bytes_and_mixed_objects_are_categories():
    assert roles({"a": [b"x", b"y"], "b": [1, "x"]})[0] == ["a", "b"]


def test_an_integer_column_of_a_named_frame_must_be_named():
    with pytest.raises(
        ValueError, match=r"Column 'item' has no role: it holds integers \(row 0 has 4\).*categorical_feat"
    ):
        BehaviorEncoder().fit(make_frame())

    assert "item" in roles(make_frame(), categorical_features=["name", "ok", "kind", "item"])[0]
    assert "item" in roles(make_frame(), numeric_features=["price", "item"])[1]


def test_objects_that_are_integers_and_nan_are_an_integer_column():
    with pytest.raises(ValueError, match=r"Column 'a' has no role: it holds integers \(row 1 has 3\)"):
        BehaviorEncoder().fit({"a": [None, 3, float("nan")]})


def test_columns_without_names_are_numbers_throughout():
    X = np.array([[1, 2], [3, 4]])

    assert roles(X)[1] == ["x0", "x1"]
    assert roles(pd.DataFrame(X))[1] == ["x0", "x1"]
    assert roles(X, categorical_features=["x1"])[:2] == (["x1"], ["x0"])


def test_a_column_of_missing_values_alone_must_be_named():
    X = {"a": ["x", "y"], "b": [None, None]}

    with pytest.raises(ValueError, match="Column 'b' has no role: it holds only missing values.*or drop it"):
        BehaviorEncoder().fit(X)
    assert roles(X, categorical_features=["a", "b"])[0] == ["a", "b"]
    assert roles(X, bag_features=["b"])[3] == ["b"]
    assert roles(pl.DataFrame({"a": pl.Series([None], dtype=pl.String)}))[0] == ["a"]


def test_a_column_that_nothing_names_is_ignored_if_all_three_are_given():
    X = make_frame(item=[4, 5], odd=[{1}, {2}])

    encoder = BehaviorEncoder({"hist": "item"}, categorical_features=["name"], numeric_features=[], bag_features=[])

    assert encoder.fit_transform(X).keys() == ("name", "item", "hist")
    assert encoder.n_features_in_ == 8


def test_a_column_whose_role_is_given_as_a_list_without_it_raises():
    with pytest.raises(ValueError, match=r"Column 'ok' has no role: it holds booleans \(row 0 has True\)"):
        BehaviorEncoder({"hist": "item"}, categorical_features=["name"]).fit(make_frame())
    with pytest.raises(ValueError, match=r"Column 'price' has no role: it holds floats \(row 0 has 1.5\).*all three"):
        BehaviorEncoder({"hist": "item"}, numeric_features=[]).fit(make_frame())
    with pytest.raises(ValueError, match="Column 'tags' has no role: it holds lists"):
        BehaviorEncoder({"hist": "item"}, bag_features=[]).fit(make_frame())


def test_parameters_that_name_no_column_at_all_raise():
    with pytest.raises(ValueError, match="No column has a role: X has 'a', and the parameters name none"):
        BehaviorEncoder(categorical_features=[], numeric_features=[], bag_features=[]).fit({"a": ["x"]})


def test_selectors_do_not_reach_behaviors_and_candidates():
    encoder = BehaviorEncoder(
        {"hist": "item"},
        categorical_features=make_column_selector(pattern="^name$|^ok$|^kind$|^item$|^hist$"),
        numeric_features=make_column_selector(dtype_include="number"),
        bag_features=make_column_selector(pattern="tags|hist"),
    )

    layout = encoder.fit(make_frame()).layout_

    assert [column.name for column in layout.categorical] == ["name", "ok", "kind", "item"]
    assert layout.numeric == ("price",)
    assert [column.name for column in layout.bags] == ["tags"]


def test_a_candidate_may_be_named_as_a_category():
    assert roles(make_frame(), {"hist": "item"}, categorical_features=["item", "name", "ok", "kind"])[0][-1] == "item"


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"numeric_features": ["item"]}, ValueError, "'item' is named in numeric_features and in behavior_features"),
        ({"bag_features": ["hist"]}, ValueError, "'hist' is named in bag_features and in behavior_features"),
        (
            {"categorical_features": ["price"], "numeric_features": ["price"]},
            ValueError,
            "'price' is named in numeric_features and in categorical_features. A column has one role",
        ),
        ({"categorical_features": ["tags"]}, TypeError, "'tags' cannot be categorical, because it holds lists.*bag_f"),
        ({"numeric_features": ["tags"]}, TypeError, "'tags' cannot be numeric, because it holds lists"),
        ({"bag_features": ["price"]}, TypeError, r"'price' must hold a list in each row: row 0 has 1\.5"),
        ({"behavior_features": {"hist": "tags"}}, TypeError, "'tags' cannot be categorical"),
        (
            {"behavior_features": {"item": "tags"}},
            TypeError,
            "maps list columns to candidate columns.*'tags' is the one with lists. Turn it round: {'tags': 'item'}",
        ),
        ({"behavior_features": {"item": "name"}}, TypeError, "'item' must hold a list in each row: row 0 has 4"),
        (
            {"behavior_features": {"hist_item": "item"}},
            ValueError,
            "names the column 'hist_item', which X does not have",
        ),
        ({"behavior_features": {"hist": "itm"}}, ValueError, "names the column 'itm', .* 'tags', 'hist', 'item'"),
        ({"bag_features": ["tag"]}, ValueError, "bag_features names the column 'tag', which X does not have"),
        ({"numeric_features": ["name", "price"]}, TypeError, "'name' must hold numbers: row 0 has 'a'"),
    ],
)
def test_roles_that_do_not_fit_raise(parameters, error, message):
    with pytest.raises(error, match=message):
        BehaviorEncoder(**{"behavior_features": {"hist": "item"}} | parameters).fit(make_frame())
