"""Tables of encoded rows: to the eye, by rows, and inside scikit-learn."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_validate
from sklearn.pipeline import FeatureUnion
from sklearn.utils import check_array

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.utils._ragged import Ragged

LAYOUT = FeatureLayout(
    categorical=(IdColumn("item", 9),),
    numeric=("age",),
    sequences=(BehaviorSequence((BehaviorField("items", "item", 9), BehaviorField("prices", None, None))),),
    bags=(IdColumn("tags", 5),),
    max_length=3,
)
OFFSETS = np.array([0, 2, 2, 5, 6])


def make_table():
    return EncodedTable(
        LAYOUT,
        {
            "tags": Ragged(np.array([2, 3, 4], dtype=np.int32), np.array([0, 0, 1, 1, 3])),
            "item": np.array([2, 3, 4, 5], dtype=np.int32),
            "age": np.array([0.5, -0.5, 1.5, 0.0], dtype=np.float32),
            "items": Ragged(np.array([2, 3, 4, 5, 6, 7], dtype=np.int32), OFFSETS),
            "prices": Ragged(np.array([1, 2, 3, 4, 5, 6], dtype=np.float32), OFFSETS.copy()),
        },
    )


MATRIX = np.array(
    [
        [2, 0.5, 2, 3, 0, 1, 2, 0, 0, 0, 0],
        [3, -0.5, 0, 0, 0, 0, 0, 0, 2, 0, 0],
        [4, 1.5, 4, 5, 6, 3, 4, 5, 0, 0, 0],
        [5, 0.0, 7, 0, 0, 6, 0, 0, 3, 4, 0],
    ]
)


def test_columns_look_padded():
    table = make_table()

    assert table["item"].dtype == np.int32
    assert table["age"].dtype == np.float32
    assert table["items"].dtype == np.int32
    assert table["items"].tolist() == [[2, 3, 0], [0, 0, 0], [4, 5, 6], [7, 0, 0]]
    assert table["tags"].tolist() == [[0, 0, 0], [2, 0, 0], [0, 0, 0], [3, 4, 0]]
    assert table.lengths("items").tolist() == [2, 0, 3, 1]


def test_the_matrix_holds_all_columns_under_the_names_of_the_layout():
    table = make_table()

    np.testing.assert_array_equal(table.to_numpy(), MATRIX)
    assert (table.shape, table.ndim, len(table)) == (MATRIX.shape, 2, 4)
    assert len(LAYOUT.padded_names) == MATRIX.shape[1]


@pytest.mark.parametrize("convert", [np.asarray, np.array, np.ravel, np.isfinite, check_array])
def test_ids_never_become_an_array_of_numbers_unasked(convert):
    with pytest.raises(
        TypeError, match=r"EncodedTable\(4 rows.*does not become an array by itself.*table.to_numpy\(\)"
    ):
        convert(make_table())


@pytest.mark.parametrize(
    "layout",
    [
        FeatureLayout(categorical=(IdColumn("item", 9),), numeric=("age",)),
        FeatureLayout(bags=(IdColumn("tags", 9),), numeric=("age",), max_length=3),
        FeatureLayout(
            sequences=(BehaviorSequence((BehaviorField("items", None, 9),)),), numeric=("age",), max_length=3
        ),
    ],
    ids=["category", "bag", "sequence"],
)
def test_a_single_column_of_ids_is_enough_to_refuse_an_array(layout):
    values = np.array([2, 3], dtype=np.int32)
    ids = {name: Ragged(values, np.array([0, 1, 2])) for name in layout.list_columns}
    columns = {"age": np.zeros(2, dtype=np.float32), "item": values} | ids
    table = EncodedTable(layout, {name: columns[name] for name in layout.columns})

    with pytest.raises(TypeError, match="would take its ids for numbers"):
        np.asarray(table)


def make_numbers():
    layout = FeatureLayout(numeric=("age", "price"))
    ages, prices = np.array([[0.5, -0.5], [2, 3]], dtype=np.float32)
    return EncodedTable(layout, {"age": ages, "price": prices})


def test_a_table_of_nothing_but_numbers_is_an_array_to_numpy():
    matrix = np.array([[0.5, 2], [-0.5, 3]])

    np.testing.assert_array_equal(np.asarray(make_numbers()), matrix)
    assert np.asarray(make_numbers(), dtype=np.float32).dtype == np.float32
    assert np.array_equal(np.ravel(make_numbers()), matrix.ravel())
    assert np.sum(make_numbers(), axis=0).tolist() == [0, 5]
    assert np.isfinite(make_numbers()).all()


def test_an_array_without_a_copy_is_refused():
    with pytest.raises(ValueError, match="cannot become an array without a copy"):
        np.array(make_numbers(), copy=False)


@pytest.mark.parametrize(
    "rows",
    [
        slice(1, 3),
        slice(None, None, -1),
        slice(2, 2),
        [3, 0, 0],
        [-1],
        [],
        np.array([True, False, True, False]),
        [False, False, False, True],
        np.array([2, 1], dtype=np.uint8),
    ],
)
def test_rows_are_those_of_the_matrix(rows):
    part = make_table()[rows]

    np.testing.assert_array_equal(part.to_numpy(), MATRIX[rows])
    np.testing.assert_array_equal(make_table()[rows, ...].to_numpy(), part.to_numpy())
    assert part.ragged("items").offsets is part.ragged("prices").offsets


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (2, TypeError, r"by slice, mask or array; 2 was given.*table\[\[2\]\]"),
        (np.int64(2), TypeError, "by slice, mask or array"),
        (["item", "age"], TypeError, r"an array of <U4 of 1 dimensions.*table\['item'\]"),
        ((slice(None), 0), TypeError, r"columns by name: \(slice\(None, None, None\), 0\) was given"),
        ([1.0], TypeError, "an array of float64"),
        ([[1]], TypeError, "of 2 dimensions"),
        ([4], IndexError, "out of bounds"),
        ([True], IndexError, "boolean index did not match"),
        ("price", KeyError, "no column 'price'. Its columns are 'item', 'age', 'items', 'prices', 'tags'"),
    ],
)
def test_other_keys_raise(key, error, message):
    with pytest.raises(error, match=message):
        make_table()[key]


def test_a_table_reads_as_a_mapping_but_does_not_iterate():
    table = make_table()

    assert table.keys() == ("item", "age", "items", "prices", "tags")
    assert "items" in table
    assert "price" not in table
    assert set(dict(table)) == set(table.keys())
    with pytest.raises(TypeError, match="not iterable"):
        list(table)


def test_a_column_of_single_values_is_not_ragged():
    with pytest.raises(TypeError, match=r"'item' is no list column.*table\['item'\]"):
        make_table().ragged("item")


def test_columns_that_do_not_fit_the_layout_raise():
    columns = dict.fromkeys(LAYOUT.columns, np.zeros(4))

    with pytest.raises(ValueError, match=r"The columns \['age', 'item'\] are not those of the layout"):
        EncodedTable(LAYOUT, {"item": columns["item"], "age": columns["age"]})
    with pytest.raises(ValueError, match="the same number of rows; they have {'item': 4, 'age': 3"):
        EncodedTable(LAYOUT, columns | {"age": np.zeros(3)})


def test_fields_of_different_length_raise_with_the_row():
    table = make_table()
    columns = {name: table._columns[name] for name in LAYOUT.columns}
    columns["prices"] = Ragged(np.zeros(6, dtype=np.float32), np.array([0, 2, 3, 5, 6]))

    with pytest.raises(ValueError, match=r"'items' and 'prices' must have the same length.*row 1 has 0 and 1"):
        EncodedTable(LAYOUT, columns)


def test_the_parts_of_a_table_concatenate_to_it():
    table = make_table()

    whole = EncodedTable.concatenate([table[:1], table[1:1], table[1:]])

    np.testing.assert_array_equal(whole.to_numpy(), MATRIX)
    assert whole.ragged("items").values.dtype == np.int32


def test_tables_of_different_layout_do_not_concatenate():
    other = EncodedTable.from_padded({"item": [1]})

    with pytest.raises(ValueError, match="tables 0 and 2 differ"):
        EncodedTable.concatenate([make_table(), make_table(), other])
    with pytest.raises(ValueError, match="no table to concatenate"):
        EncodedTable.concatenate([])


@pytest.mark.parametrize("join", [np.hstack, np.vstack, np.concatenate, np.column_stack, np.stack, np.dstack])
def test_joining_with_other_columns_raises(join):
    with pytest.raises(TypeError, match=rf"np\.{join.__name__} cannot join.*numeric_transformer"):
        join([make_table(), np.zeros((4, 1))])


class PassTable(TransformerMixin, BaseEstimator):
    """Give a table, whatever comes in."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return make_table()

    def get_feature_names_out(self, input_features=None):
        return np.array(LAYOUT.padded_names, dtype=object)


def test_a_column_transformer_and_a_feature_union_raise():
    X = np.zeros((4, 2))

    with pytest.raises(TypeError, match="numeric_transformer"):
        ColumnTransformer([("a", PassTable(), [0]), ("b", "passthrough", [1])]).fit_transform(X)
    with pytest.raises(TypeError, match="numeric_transformer"):
        FeatureUnion([("a", PassTable()), ("b", PassTable())]).fit_transform(X)


def test_a_pickle_of_a_part_holds_the_rows_of_the_part():
    part = make_table()[2:3]

    again = pickle.loads(pickle.dumps(part))

    np.testing.assert_array_equal(again.to_numpy(), MATRIX[2:3])
    assert again.ragged("items").values.base is None
    assert len(again.ragged("items").values) == 3


def test_the_representation_names_rows_and_columns():
    assert repr(make_table()) == "EncodedTable(4 rows: item, age, items[≤3], prices[≤3], tags[≤3])"


class CountBehaviors(ClassifierMixin, BaseEstimator):
    """Predict 1 where the history is at least ``least`` long."""

    def __init__(self, least=0):
        self.least = least

    def fit(self, X, y):
        assert isinstance(X, EncodedTable)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X.lengths("hist") >= self.least).astype(int)


def test_searches_and_splitters_of_scikit_learn_take_a_table():
    lengths = np.arange(40) % 5
    hist = (np.arange(4) < lengths[:, None]).astype(int)
    table = EncodedTable.from_padded({"item": np.arange(40), "hist": hist}, behavior_features={"hist": "item"})
    y = (lengths >= 3).astype(int)

    search = GridSearchCV(CountBehaviors(), {"least": [1, 3]}, cv=4, n_jobs=2, error_score="raise").fit(table, y)
    scores = cross_validate(
        CountBehaviors(3), table, y, cv=GroupKFold(4), groups=np.arange(40) // 5, error_score="raise"
    )

    assert search.best_params_ == {"least": 3}
    assert scores["test_score"].tolist() == [1.0] * 4
    assert cross_val_predict(CountBehaviors(3), table, y, cv=4).tolist() == y.tolist()


def test_a_column_cannot_be_written_to_by_accident():
    table = EncodedTable.from_padded({"item": [7, 8], "price": [0.5, 1.5]})

    for name in ("item", "price"):
        with pytest.raises(ValueError, match="read-only"):
            table[name][0] = 2
    np.testing.assert_array_equal(table["item"], [9, 10])


def test_numpy_measures_a_table_without_looking_at_its_ids():
    table = EncodedTable.from_padded(
        {"item": [1, 2], "hist": [[1, 2, 3], [2, 0, 0]]}, behavior_features={"hist": "item"}
    )

    assert (np.shape(table), np.ndim(table), np.size(table)) == ((2, 4), 2, 8)
    assert np.size(table, 1) == np.size(a=table, axis=1) == 4
