"""Padded arrays of other libraries as tables."""

import numpy as np
import pytest

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.preprocessing import EncodedTable

BEHAVIORS = {"items": "item", "shops": None, "prices": None}


def make_arrays():
    return {
        "item": np.array([3, 0, 1]),
        "age": np.array([0.5, -1.5, 2.0]),
        "items": np.array([[1, 2, 0], [0, 0, 0], [9, 0, 0]]),
        "shops": np.array([[4, 5, 0], [0, 0, 0], [4, 0, 0]]),
        "prices": np.array([[1.5, 2.5, 7.0], [7.0, 7.0, 7.0], [3.5, 7.0, 7.0]]),
        "tags": np.array([[6, 0], [6, 7], [0, 0]]),
    }


def test_ids_are_shifted_and_padding_is_zero():
    table = EncodedTable.from_padded(make_arrays(), behavior_features=BEHAVIORS)

    assert table["item"].tolist() == [5, 1, 3]
    assert table["age"].tolist() == [0.5, -1.5, 2.0]
    assert table["items"].tolist() == [[3, 4, 0], [0, 0, 0], [11, 0, 0]]
    assert table["shops"].tolist() == [[6, 7, 0], [0, 0, 0], [6, 0, 0]]
    assert table["prices"].tolist() == [[1.5, 2.5, 0], [0, 0, 0], [3.5, 0, 0]]
    assert table["tags"].tolist() == [[8, 0, 0], [8, 9, 0], [0, 0, 0]]
    assert {table[name].dtype for name in ("item", "items", "tags")} == {np.dtype(np.int32)}
    assert {table[name].dtype for name in ("age", "prices")} == {np.dtype(np.float32)}


def test_a_candidate_and_its_histories_share_a_table_of_the_size_they_need():
    table = EncodedTable.from_padded(make_arrays(), behavior_features=BEHAVIORS)

    assert table.layout == FeatureLayout(
        categorical=(IdColumn("item", 12),),
        numeric=("age",),
        sequences=(
            BehaviorSequence(
                (
                    BehaviorField("items", "item", 12),
                    BehaviorField("shops", None, 8),
                    BehaviorField("prices", None, None),
                )
            ),
        ),
        bags=(IdColumn("tags", 10),),
        max_length=3,
    )


def test_padding_before_and_after_give_the_same_table():
    arrays = make_arrays()
    before = arrays | {
        "items": np.array([[0, 1, 2], [0, 0, 0], [0, 0, 9]]),
        "shops": np.array([[0, 4, 5], [0, 0, 0], [0, 0, 4]]),
        "prices": np.array([[7.0, 1.5, 2.5], [7.0, 7.0, 7.0], [7.0, 7.0, 3.5]]),
    }

    tables = [EncodedTable.from_padded(given, behavior_features=BEHAVIORS) for given in (arrays, before)]

    np.testing.assert_array_equal(*(table.to_numpy() for table in tables))


def test_another_pad_leaves_zero_an_id():
    table = EncodedTable.from_padded(
        {"item": [0, -1], "items": [[0, 1], [2, -1]]}, behavior_features={"items": "item"}, pad=-1
    )

    assert table["item"].tolist() == [2, 1]
    assert table["items"].tolist() == [[2, 3], [4, 0]]


def test_rows_to_predict_take_the_layout_of_training():
    train = EncodedTable.from_padded(make_arrays(), behavior_features=BEHAVIORS)
    rows = {
        "item": [100, 9],
        "age": [0.0, 0.0],
        "items": [[1, 100, 3, 4], [0, 0, 0, 0]],
        "shops": [[4, 100, 1, 2], [0, 0, 0, 0]],
        "prices": [[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]],
        "tags": [[1, 2, 3, 4], [100, 7, 0, 0]],
    }

    table = EncodedTable.from_padded(rows, layout=train.layout)

    assert table.layout == train.layout
    assert table["item"].tolist() == [1, 11]
    assert table["items"].tolist() == [[1, 5, 6], [0, 0, 0]]
    assert table["shops"].tolist() == [[1, 3, 4], [0, 0, 0]]
    assert table["prices"].tolist() == [[2, 3, 4], [0, 0, 0]]
    assert table["tags"].tolist() == [[3, 4, 5], [1, 9, 0]]


def test_several_sequences_have_paddings_of_their_own():
    table = EncodedTable.from_padded(
        {"item": [1], "clicks": [[1, 0]], "buys": [[2, 3]]}, behavior_features=[{"clicks": "item"}, {"buys": "item"}]
    )

    assert [sequence.name for sequence in table.layout.sequences] == ["clicks", "buys"]
    assert (table.lengths("clicks").tolist(), table.lengths("buys").tolist()) == ([1], [2])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"items": np.array([[1, 0, 2], [0, 0, 0], [9, 0, 0]])},
            ValueError,
            r"'items' has padding \(0\) between.*row 0",
        ),
        ({"shops": np.array([[4, 5, 0], [1, 0, 0], [4, 0, 0]])}, ValueError, "same places: row 1 has 0 and 1 values"),
        ({"shops": np.array([[4, 5], [0, 0], [4, 0]])}, ValueError, r"same shape; they have \(3, 3\) and \(3, 2\)"),
        ({"item": np.array([3, -4, 1])}, ValueError, "'item' holds an id that is negative.*row 1 has -4"),
        ({"item": np.array([3, 2**31, 1])}, ValueError, "larger than 2147483645: row 1 has 2147483648"),
        ({"tags": np.array([[6, 0], [6, -7], [0, 0]])}, ValueError, "'tags' holds an id .*row 1 has -7"),
        ({"age": np.array([0.0, np.nan, 1.0])}, ValueError, "'age' must hold finite numbers.*row 1 has nan"),
        ({"age": np.array([0.0, 1.0, 1e300])}, ValueError, r"'age' must hold finite numbers.*row 2 has 1e\+300"),
        ({"prices": np.full((3, 3), np.inf)}, ValueError, "'prices' must hold finite numbers.*row 0 has inf"),
        ({"items": np.array([1, 2, 3])}, TypeError, r"'items' must be two-dimensional.*shape is \(3,\)"),
        ({"item": np.zeros((3, 2), int)}, TypeError, "'item' must have one id per row"),
        ({"item": np.zeros(3)}, TypeError, "'item' must hold integer ids; its type is float64"),
        ({"items": np.zeros((3, 3))}, TypeError, "'items' must hold integer ids"),
        ({"tags": np.zeros((3, 2))}, TypeError, "'tags' must hold integer ids"),
        ({"tags": np.array(["a", "b", "c"])}, TypeError, "'tags' must hold integers or floats.*<U1.*BehaviorEncoder"),
        ({"tags": np.zeros((3, 2, 2), int)}, TypeError, r"shape \(3, 2, 2\)"),
        ({"age": np.zeros(2)}, ValueError, "the same number of rows"),
    ],
)
def test_arrays_that_do_not_fit_raise(changes, error, message):
    with pytest.raises(error, match=message):
        EncodedTable.from_padded(make_arrays() | changes, behavior_features=BEHAVIORS)


def test_a_sequence_of_numbers_alone_raises():
    with pytest.raises(ValueError, match="The sequence of 'prices' has no field of ids"):
        EncodedTable.from_padded({"prices": [[1.0]]}, behavior_features={"prices": None})


def test_an_array_that_is_named_but_not_given_raises():
    with pytest.raises(ValueError, match="behavior_features names the column 'items'"):
        EncodedTable.from_padded({"item": [1]}, behavior_features={"items": "item"})


def test_arrays_of_another_structure_than_the_layout_raise():
    train = EncodedTable.from_padded(make_arrays(), behavior_features=BEHAVIORS)
    arrays = make_arrays()

    with pytest.raises(
        ValueError, match="'age' does not fit the layout: it is a category, the layout has it as a number"
    ):
        EncodedTable.from_padded(arrays | {"age": [1, 2, 3]}, layout=train.layout)
    with pytest.raises(ValueError, match="'tags' does not fit the layout: it is not given, the layout has it as a bag"):
        EncodedTable.from_padded({name: arrays[name] for name in arrays if name != "tags"}, layout=train.layout)
    with pytest.raises(ValueError, match="behavior_features does not fit the layout"):
        EncodedTable.from_padded(arrays, behavior_features={"items": "item"}, layout=train.layout)
