"""The encoder as a whole: ids, lengths, edges and scikit-learn's ways."""

import copy
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.preprocessing import BehaviorEncoder, EncodedTable

BEHAVIORS = {"items": "item", "shops": "shop", "prices": None, "acts": None}


def make_data():
    return {
        "item": [1, 2, 1, 3],
        "shop": ["s", "t", "s", None],
        "age": [1.0, None, 3.0, 5.0],
        "items": [[1, 2, 3], [], None, [4, None, 1]],
        "shops": [["s", "t", "u"], [], None, ["s", "s", "t"]],
        "prices": [[9.0, 1.0, 2.0], [], None, [9.0, None, 6.0]],
        "acts": [["c", "d", "c"], [], None, ["c", "c", None]],
        "tags": [["x"], ["y", "x", "z"], [], None],
    }


def objects(values):
    return pd.Series(values, dtype=object)


FRAMES = {
    "pandas": lambda data: pd.DataFrame(
        {name: objects(cells) if isinstance(cells[0], list) else cells for name, cells in data.items()}
    ),
    "pandas objects": lambda data: pd.DataFrame({name: objects(cells) for name, cells in data.items()}),
    "pandas arrow": lambda data: pd.DataFrame(
        {name: pd.arrays.ArrowExtensionArray(pa.array(cells)) for name, cells in data.items()}
    ),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "dict": dict,
}


@pytest.fixture(params=FRAMES)
def make_frame(request):
    return FRAMES[request.param]


def test_every_frame_gives_the_table_worked_by_hand(make_frame):
    encoder = BehaviorEncoder(BEHAVIORS, max_length=2, numeric_transformer=MinMaxScaler())
    data = make_data() | {"age": [1.0, 2.0, 3.0, 5.0]}

    table = encoder.fit(make_frame(data)).transform(make_frame(data))

    # Rows that hold each item, as candidate or among the two newest: 1 is in 0, 2 and 3; 2 in 0 and 1; 3 in 0 and 3.
    # Rows that hold each shop: s is in 0, 2 and 3; t in 0, 1 and 3; missing in 3; u in 0.
    assert encoder.vocabularies_["item"].values.tolist() == [1, 2, 3]
    assert encoder.vocabularies_["shop"].values.tolist() == ["s", "t", None, "u"]
    assert table["item"].tolist() == [2, 3, 2, 4]
    assert table["shop"].tolist() == [2, 3, 2, 4]
    assert table["items"].tolist() == [[3, 4], [0, 0], [0, 0], [1, 2]]
    assert table["shops"].tolist() == [[3, 5], [0, 0], [0, 0], [2, 3]]
    assert table["acts"].tolist() == [[3, 2], [0, 0], [0, 0], [2, 1]]
    assert table["tags"].tolist() == [[2, 0], [3, 2], [0, 0], [0, 0]]
    assert table["age"].tolist() == [0, 0.25, 0.5, 1]
    z = (np.array([1, 2, 6]) - 3) / np.std([1, 2, 6])
    np.testing.assert_allclose(table["prices"], [z[:2], [0, 0], [0, 0], [0, z[2]]], rtol=1e-6)
    assert table.lengths("items").tolist() == [2, 0, 0, 2]


def test_the_layout_tells_kinds_and_sizes():
    layout = BehaviorEncoder(BEHAVIORS, max_length=2).fit(make_data()).layout_

    assert replace(layout, fingerprint="") == FeatureLayout(
        categorical=(IdColumn("item", 5), IdColumn("shop", 6)),
        numeric=("age", "missingindicator_age"),
        sequences=(
            BehaviorSequence(
                (
                    BehaviorField("items", "item", 5),
                    BehaviorField("shops", "shop", 6),
                    BehaviorField("prices", None, None),
                    BehaviorField("acts", None, 4),
                )
            ),
        ),
        bags=(IdColumn("tags", 4),),
        max_length=2,
    )


def test_every_frame_gives_the_same_bits(make_frame):
    expected = BehaviorEncoder(BEHAVIORS).fit_transform(make_data()).to_numpy()

    encoder = BehaviorEncoder(BEHAVIORS).fit(make_frame(make_data()))

    np.testing.assert_array_equal(encoder.transform(make_frame(make_data())).to_numpy(), expected)
    np.testing.assert_array_equal(encoder.fit_transform(make_frame(make_data())).to_numpy(), expected)


def test_the_input_is_left_as_it_was(make_frame):
    X = make_frame(make_data())
    before = copy.deepcopy(X)

    BehaviorEncoder(BEHAVIORS, max_length=1).fit_transform(X)

    assert pickle.dumps(X) == pickle.dumps(before)


def test_permuted_rows_give_the_same_ids():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"item": rng.integers(0, 9, 40), "hist": [rng.integers(0, 9, n) for n in rng.integers(0, 5, 40)]})
    rows = rng.permutation(40)

    one = BehaviorEncoder({"hist": "item"}).fit(X)
    other = BehaviorEncoder({"hist": "item"}).fit(X.iloc[rows])

    np.testing.assert_array_equal(one.transform(X).to_numpy()[rows], other.transform(X.iloc[rows]).to_numpy())


def test_a_refit_has_the_same_fingerprint_and_another_vocabulary_of_the_same_size_has_not():
    layouts = [
        BehaviorEncoder({"hist": "item"}).fit({"item": items, "hist": [[1], []]}).layout_
        for items in ([1, 2], [1, 2], [1, 3])
    ]

    assert layouts[0] == layouts[1]
    assert layouts[0].tables == layouts[2].tables
    assert layouts[0].fingerprint != layouts[2].fingerprint


def test_the_newest_behaviors_and_the_first_of_a_bag_are_kept():
    X = {"item": [9], "hist": [[1, 2, 3]], "bag": [[1, 2, 3]]}

    encoder = BehaviorEncoder({"hist": "item"}, max_length=2).fit(X)

    assert encoder.inverse_transform(encoder.transform(X))["hist"].tolist() == [[2, 3]]
    assert encoder.inverse_transform(encoder.transform(X))["bag"].tolist() == [[1, 2]]


def test_what_is_cut_off_is_not_learnt():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=1).fit({"item": [9], "hist": [[1, 2]]})

    assert encoder.vocabularies_["item"].values.tolist() == [2, 9]
    assert encoder.transform({"item": [1], "hist": [[9, 1]]})["hist"].tolist() == [[1]]


def test_truncation_follows_the_fitted_length():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=3).fit({"item": [1], "hist": [[1]]})

    table = encoder.set_params(max_length=1).transform({"item": [1], "hist": [[1, 1, 1, 1]]})

    assert table["hist"].tolist() == [[2, 2, 2]]


def test_several_sequences_share_the_vocabulary_of_their_candidate():
    X = {"item": [1, 2], "clicks": [[3, 4], []], "buys": [[3], [4, 1]]}

    encoder = BehaviorEncoder([{"clicks": "item"}, {"buys": "item"}]).fit(X)

    assert encoder.vocabularies_["item"].values.tolist() == [1, 4, 2, 3]
    assert [sequence.name for sequence in encoder.layout_.sequences] == ["clicks", "buys"]
    assert set(encoder.vocabularies_) == {"item"}


def test_rare_values_are_unknown_by_count_and_by_fraction():
    X = {"item": ["a", "b", "a", "c"], "hist": [["c", "c"], ["d", "d"], [], ["b"]]}

    by_count = BehaviorEncoder({"hist": "item"}, min_frequency=2).fit(X)
    by_fraction = BehaviorEncoder({"hist": "item"}, min_frequency=0.5).fit(X)
    by_number = BehaviorEncoder({"hist": "item"}, max_categories=1).fit(X)

    assert by_count.vocabularies_["item"].values.tolist() == ["a", "b", "c"]
    assert by_fraction.vocabularies_["item"].values.tolist() == ["a", "b", "c"]
    assert by_number.vocabularies_["item"].values.tolist() == ["a"]
    assert by_number.transform(X)["hist"][:, :2].tolist() == [[1, 1], [1, 1], [0, 0], [1, 0]]


def test_unseen_values_are_unknown_and_keep_their_place():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=3).fit({"item": [1], "hist": [[2]]})

    table = encoder.transform({"item": [7], "hist": [[2, 7, 1]]})

    assert table["item"].tolist() == [1]
    assert table["hist"].tolist() == [[3, 1, 2]]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_histories_that_are_all_missing_are_empty(missing):
    encoder = BehaviorEncoder({"hist": "item"}, max_length=2).fit({"item": [1], "hist": [[2]]})

    for cells in ([missing, missing], objects([missing, missing]), np.full(2, np.nan)):
        assert encoder.transform({"item": [1, 1], "hist": cells})["hist"].tolist() == [[0, 0], [0, 0]]


def test_a_fit_on_empty_histories_knows_nothing():
    encoder = BehaviorEncoder({"hist": "item", "acts": None}, max_length=2)

    encoder.fit({"item": [1, 2], "hist": [None, []], "acts": [None, []]})

    assert encoder.layout_.fields[1] == BehaviorField("acts", None, 2)


def test_integers_that_pandas_made_floats_are_the_same_items():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=2).fit({"item": [1, 2], "hist": [[3, 1], [2]]})

    X = pd.DataFrame({"item": [1.0, np.nan], "hist": objects([np.array([3.0, np.nan]), [2]])})

    assert (
        encoder.transform(X).to_numpy().tolist()
        == encoder.transform({"item": [1, 77], "hist": [[3, None], [2]]}).to_numpy().tolist()
    )


def test_neighbouring_ids_beyond_2_to_the_53_differ(make_frame):
    X = make_frame({"item": [2**53, 2**53 + 1, -(2**63)], "hist": [[2**53 + 1], [2**53], [2**63 - 1]]})

    table = BehaviorEncoder({"hist": "item"}, max_length=1).fit_transform(X)

    assert table["hist"][:2, 0].tolist() == [table["item"][1], table["item"][0]]
    assert len(set(table["item"])) == 3


def test_a_behavior_only_field_of_integers_is_ids():
    layout = BehaviorEncoder({"hist": "item", "stars": None}).fit({"item": [1], "hist": [[2]], "stars": [[5]]}).layout_

    assert layout.fields[1] == BehaviorField("stars", None, 3)


def test_a_field_of_numbers_takes_integers_later():
    encoder = BehaviorEncoder({"hist": "item", "prices": None}, max_length=2)
    encoder.fit({"item": [1], "hist": [[2, 2]], "prices": [[1.0, 3.0]]})

    assert encoder.transform({"item": [1], "hist": [[2, 2]], "prices": [[3, 1]]})["prices"].tolist() == [[1, -1]]


def test_a_transform_of_no_rows_has_no_rows(make_frame):
    X = make_frame(make_data())
    encoder = BehaviorEncoder(BEHAVIORS).fit(X)
    empty = {name: cells[:0] for name, cells in X.items()} if isinstance(X, dict) else X[:0]

    table = encoder.transform(empty)

    assert len(table) == 0
    assert table.to_numpy().shape == (0, len(encoder.get_feature_names_out()))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame({"a": pd.Series([], dtype=float)}), r"Found array with 0 sample\(s\) \(shape=\(0, 1\)\)"),
        ({"a": []}, r"0 sample\(s\).*minimum of 1 is required by BehaviorEncoder"),
        (pd.DataFrame(index=[0, 1]), r"0 feature\(s\) \(shape=\(2, 0\)\)"),
        (np.empty((0, 2)), r"0 sample\(s\)"),
    ],
)
def test_a_fit_on_nothing_raises(X, message):
    with pytest.raises(ValueError, match=message):
        BehaviorEncoder().fit(X)


def test_fields_of_different_length_raise_although_both_are_cut():
    X = {"item": [1, 1], "shop": [1, 1], "items": [[1], [1, 2, 3]], "shops": [[1], [1, 2]]}

    with pytest.raises(
        ValueError, match="'items' and 'shops' must have the same length in each row: row 1 has 3 and 2"
    ):
        BehaviorEncoder({"items": "item", "shops": "shop"}, max_length=1).fit(X)


def test_a_list_column_that_can_never_match_its_candidate_raises():
    with pytest.raises(TypeError, match=r"'hist' and 'item' can never match: 'hist' holds strings \(row 1 has '2'\)"):
        BehaviorEncoder({"hist": "item"}).fit({"item": [1, 2], "hist": [[], ["2"]]})


def test_values_of_a_new_type_warn_that_all_are_unknown():
    encoder = BehaviorEncoder({"hist": "item"}).fit({"item": [1, 2], "hist": [[1], [2]]})

    with pytest.warns(
        UserWarning, match=r"All values of column 'hist' are unknown: fit saw numbers.*strings \(row 1 has"
    ):
        table = encoder.transform({"item": [1, 2], "hist": [[], ["2", "1"]]})

    assert table["hist"][1, :2].tolist() == [1, 1]


def test_columns_of_the_same_name_raise():
    with pytest.raises(ValueError, match="Two columns of the encoded table would be called 'missingindicator_a'"):
        BehaviorEncoder().fit({"a": [1.0, None], "missingindicator_a": ["x", "y"]})
    with pytest.raises(ValueError, match="Two columns of its padded matrix of the encoded table would be called 'a_0'"):
        BehaviorEncoder().fit({"a": [[1]], "a_0": ["x"]})


def test_columns_in_another_order_raise_in_a_frame_but_not_in_a_dict():
    X = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})
    encoder = BehaviorEncoder().fit(X)

    with pytest.raises(ValueError, match="order"):
        encoder.transform(X[["b", "a"]])
    assert encoder.transform({"b": [1.0], "a": ["y"]})["a"].tolist() == [3]
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
        encoder.transform(X[["a"]])
    with pytest.raises(ValueError, match="unseen at fit time"):
        encoder.transform(dict(X) | {"c": [1, 2]})


def test_features_are_recorded():
    encoder = BehaviorEncoder().fit({"a": ["x", "y"], "b": [1.0, 2.0]})

    assert encoder.n_features_in_ == 2
    assert encoder.feature_names_in_.tolist() == ["a", "b"]
    assert not hasattr(BehaviorEncoder().fit([[1.0], [2.0]]), "feature_names_in_")


def test_names_out_are_those_of_the_matrix():
    encoder = BehaviorEncoder({"hist": "item"}, max_length=2)
    table = encoder.fit_transform({"item": [1], "age": [0.5], "hist": [[2]]})

    assert encoder.get_feature_names_out().tolist() == ["item", "age", "hist_0", "hist_1"]
    assert table.to_numpy().shape == (1, 4)
    with pytest.raises(ValueError, match="input_features is not equal"):
        encoder.get_feature_names_out(["a", "b", "c"])


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_the_output_setting_of_scikit_learn_changes_nothing(output):
    expected = BehaviorEncoder(BEHAVIORS).fit_transform(make_data()).to_numpy()

    with config_context(transform_output=output):
        table = BehaviorEncoder(BEHAVIORS).fit_transform(make_data())
        again = BehaviorEncoder(BEHAVIORS).fit(make_data()).transform(make_data())

    assert type(table) is EncodedTable
    np.testing.assert_array_equal(table.to_numpy(), expected)
    np.testing.assert_array_equal(again.to_numpy(), expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_length": 0}, "'max_length' parameter"),
        ({"min_frequency": 0}, "'min_frequency' parameter"),
        ({"min_frequency": 1.5}, "'min_frequency' parameter"),
        ({"max_categories": 0}, "'max_categories' parameter"),
        ({"numeric_transformer": 3}, "'numeric_transformer' parameter"),
        ({"bag_features": "tags"}, "'bag_features' parameter"),
        ({"behavior_features": "hist"}, "'behavior_features' parameter"),
    ],
)
def test_parameters_are_checked_in_fit(parameters, message):
    with pytest.raises(ValueError, match=message):
        BehaviorEncoder(**parameters).fit([[1.0]])
    with pytest.raises(ValueError, match=message):
        BehaviorEncoder(**parameters).fit_transform([[1.0]])


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "get_feature_names_out"])
def test_an_unfitted_encoder_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(BehaviorEncoder(), method)(*([[1.0]] if method != "get_feature_names_out" else []))


def test_an_encoder_is_cloned_and_pickled_without_training_rows():
    data = make_data() | {"tags": [["x"], ["x"], ["x", "a marker"], []]}
    encoder = BehaviorEncoder(BEHAVIORS, min_frequency=2).fit(data)

    content = pickle.dumps(encoder)

    assert b"a marker" not in content
    np.testing.assert_array_equal(pickle.loads(content).transform(data).to_numpy(), encoder.transform(data).to_numpy())
    assert clone(encoder).get_params() == encoder.get_params()


def test_a_search_over_raw_frames_runs():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"item": rng.integers(0, 4, 48), "hist": [rng.integers(0, 4, n) for n in rng.integers(0, 5, 48)]})
    y = (X["item"] > 1).astype(int)
    padded = FunctionTransformer(EncodedTable.to_numpy)
    model = make_pipeline(BehaviorEncoder({"hist": "item"}), padded, DecisionTreeClassifier(random_state=0))

    search = GridSearchCV(model, {"behaviorencoder__max_length": [1, 3]}, cv=3, error_score="raise").fit(X, y)

    assert search.score(X, y) == 1.0


def test_an_array_of_numbers_without_names_is_standardised():
    X = np.array([[1, 10], [3, 30]])

    np.testing.assert_allclose(BehaviorEncoder().fit_transform(X).to_numpy(), [[-1, -1], [1, 1]])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.array([["1", "x"]]), TypeError, "Column 'x0' must hold numbers: row 0 has '1'"),
        ([[1.0, 2.0], [3.0, "x"]], TypeError, "Column 'x1' must hold numbers: row 1 has 'x'"),
        ([[1.0], [1.0, 2.0]], ValueError, "inhomogeneous"),
        (
            pd.DataFrame({"item": [1, 2], "hist": [[1], [1, 2]]}).to_numpy(),
            TypeError,
            r"Column 'x1' of X holds lists.*no names.*the frame itself.*set_output\(transform=\"pandas\"\)",
        ),
        ([1.0, 2.0], ValueError, "Expected 2D array, got 1D array"),
        (np.array([1.0, 2.0], dtype=object), ValueError, "Expected 2D array, got 1D array"),
        (np.array([[1.0], [np.inf]]), ValueError, "Column 'x0' holds infinity.*row 1 has inf"),
    ],
)
def test_a_bad_cell_of_an_array_is_named(X, error, message):
    with pytest.raises(error, match=message):
        BehaviorEncoder().fit(X)


def test_a_table_of_frames_fitted_with_names_takes_columns_by_position():
    encoder = BehaviorEncoder().fit({"a": [1.0, 3.0]})

    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert encoder.transform(np.array([[3.0]])).to_numpy().tolist() == [[1.0]]


def test_no_warning_for_data_like_those_of_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BehaviorEncoder(BEHAVIORS).fit(make_data()).transform(make_data())


def test_a_failed_refit_leaves_the_encoder_unfitted():
    good = {"i": [1, 2], "j": [2, 1], "h": [[1], [2]]}
    bad = {"j": [2, 1], "i": [1, 2], "h": [["1"], ["2"]]}
    encoder = BehaviorEncoder({"h": "i"}, categorical_features=["j"]).fit(pd.DataFrame(good))
    with pytest.raises(TypeError, match="can never match"):
        encoder.fit(pd.DataFrame(bad))

    with pytest.raises(NotFittedError):
        encoder.transform(pd.DataFrame(bad | {"h": good["h"]}))


def test_a_fit_on_other_numbers_has_another_fingerprint():
    layouts = [BehaviorEncoder().fit({"age": ages}).layout_ for ages in ([1.0, 2.0], [2.0, 1.0], [11.0, 12.0])]

    assert layouts[0] == layouts[1]
    assert layouts[0] != layouts[2]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([{"item": 1, "hist_item": [1]}], r"it is a list of dicts.*'item': 1.*Give pandas\.DataFrame\(X\)"),
        (
            pd.Series({"item": 1, "hist_item": [1]}),
            r"it is a Series, a single row or column\. Give a frame: frame\.iloc",
        ),
    ],
)
def test_rows_that_are_no_frame_are_named(X, message):
    encoder = BehaviorEncoder({"hist_item": "item"}).fit(pd.DataFrame({"item": [1, 2], "hist_item": [[1], [2]]}))

    for method in (encoder.transform, encoder.fit):
        with pytest.raises(TypeError, match=message):
            method(X)
