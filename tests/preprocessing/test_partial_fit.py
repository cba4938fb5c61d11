"""Chunk by chunk the encoder learns what ``fit`` learns from all rows at once."""

import copy
import pickle
import re
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_selector
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from sklearn_din.preprocessing import BehaviorEncoder

BEHAVIORS = [{"hist": "item", "acts": None}, {"stars": None}]
ROWS = {
    "item": ["a", "b", "a", "c", "b", "d"],
    "hist": [["b", "a"], [], None, ["d", "d", "e"], ["a", None], ["e"]],
    "acts": [[1, 2], [], None, [2, 2, 9], [1, None], [9]],
    "stars": [[4.5], [1.0, None, 3.0], [], None, [2.0], [5.0, 0.5]],
    "city": ["Rome", None, "Oslo", "Rome", "Rome", None],
    "age": [30.0, None, 50.0, 20.0, 41.0, 33.5],
    "height": [1.5, 1.5, 1.5, 1.5, 1.5, 1.5],
    "tags": [["x"], ["y", "x"], [], None, ["z"], ["x"]],
}
ENCODER = BehaviorEncoder(BEHAVIORS, max_length=2)


def as_objects(columns):
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


FORMS = {"dict": dict, "pandas": as_objects, "polars": pl.DataFrame, "pyarrow": pa.table}


def cut(columns, edges):
    """Return the rows between the edges as columns."""
    n_rows = len(next(iter(columns.values())))
    return [
        {name: cells[start:stop] for name, cells in columns.items()}
        for start, stop in zip([0, *edges], [*edges, n_rows], strict=True)
    ]


def join(chunks):
    return {name: [cell for chunk in chunks for cell in chunk[name]] for name in chunks[0]}


def learn(encoder, chunks):
    encoder = clone(encoder)
    for chunk in chunks:
        assert encoder.partial_fit(chunk) is encoder
    return encoder


def assert_equal(one, other, X):
    """Raise unless two encoders have learnt the same."""
    assert one.layout_ == other.layout_  # with the fingerprint
    assert one.n_features_in_ == other.n_features_in_
    assert_array_equal(getattr(one, "feature_names_in_", None), getattr(other, "feature_names_in_", None))
    assert list(one.vocabularies_) == list(other.vocabularies_)
    for name, vocabulary in one.vocabularies_.items():
        expected = other.vocabularies_[name]
        assert list(map(repr, vocabulary.values)) == list(map(repr, expected.values))
        assert (vocabulary.missing_id, vocabulary.families) == (expected.missing_id, expected.families)
        assert vocabulary.digest == expected.digest
    table, expected = one.transform(X), other.transform(X)
    for name in expected.keys():  # noqa: SIM118 (a table is no dict)
        if expected[name].dtype.kind == "i":
            assert_array_equal(table[name], expected[name])
        else:
            assert_allclose(table[name], expected[name], rtol=1e-6, atol=1e-6)
    scaler, expected_scaler = last_step(one.numeric_transformer_), last_step(other.numeric_transformer_)
    for attribute in ("mean_", "var_", "scale_", "data_min_", "data_max_", "n_samples_seen_"):
        if hasattr(expected_scaler, attribute):
            assert_allclose(getattr(scaler, attribute), getattr(expected_scaler, attribute), rtol=1e-9)


def last_step(transformer):
    return transformer[-1] if hasattr(transformer, "steps") else transformer


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"min_frequency": 2},
        {"min_frequency": 0.4},
        {"max_categories": 2},
        {"numeric_transformer": StandardScaler()},
        {"numeric_features": ["age", "height"], "bag_features": [], "categorical_features": ["city"]},
        {"categorical_features": ["item", "city"], "bag_features": ["tags"]},
    ],
)
@pytest.mark.parametrize("edges", [[1], [2, 4], [1, 2, 3, 4, 5]])
def test_chunks_give_the_encoder_of_all_rows(form, parameters, edges):
    columns = ROWS | ({"age": [1.0, 2.0, 4.0, 3.5, 6.0, 1.0]} if "numeric_transformer" in parameters else {})
    make = FORMS[form]
    if form in ("polars", "pyarrow"):  # a chunk has the types of the whole
        make = partial(make, schema=make(columns).schema)
    encoder, chunks = clone(ENCODER).set_params(**parameters), [make(chunk) for chunk in cut(columns, edges)]

    assert_equal(learn(encoder, chunks), clone(encoder).fit(make(columns)), make(columns))


def test_the_order_of_the_chunks_changes_nothing():
    chunks = cut(ROWS, [1, 3])

    assert_equal(learn(ENCODER, chunks), learn(ENCODER, chunks[::-1]), ROWS)


def test_plain_arrays_come_in_chunks():
    X = np.array([[1.0, 2.0], [np.nan, 5.0], [4.0, 1e6], [2.5, 0.0]])

    assert_equal(learn(BehaviorEncoder(), [X[:1], X[1:]]), BehaviorEncoder().fit(X), X)


VALUES = {
    "texts": st.sampled_from(["a", "b", "", "c d"]),
    "integers": st.integers(-3, 3) | st.sampled_from([2**53 + 1, 2**64 - 1]),
    "mixed": st.sampled_from(["a", "1", 1, True, b"1", 2.5, 3.0, 3, 2**63]),
}
NUMBERS = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 0.1, 1e6])


@st.composite
def chunks_of_rows(draw):
    """Draw chunks of rows, in which columns may lack values, or have some of other types."""
    items = VALUES[draw(st.sampled_from(sorted(VALUES)))] | st.none()
    acts = draw(
        st.sampled_from([VALUES["integers"], NUMBERS, VALUES["integers"] | NUMBERS, VALUES["texts"], VALUES["mixed"]])
    )
    rows = []
    for _ in range(draw(st.integers(2, 8))):
        hist = draw(st.none() | st.lists(items, max_size=4))
        rows.append(
            {
                "item": draw(items),
                "hist": hist,
                "acts": hist and draw(st.lists(acts | st.none(), min_size=len(hist), max_size=len(hist))),
                "age": draw(NUMBERS | st.none()),
                "city": draw(VALUES["texts"] | st.none()),
                "tags": draw(st.none() | st.lists(VALUES["mixed"], max_size=3)),
            }
        )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    edges = sorted(draw(st.sets(st.integers(1, len(rows) - 1), max_size=4)))
    return draw(st.permutations(cut(columns, edges)))


ENCODERS = st.builds(
    BehaviorEncoder,
    st.just({"hist": "item", "acts": None}),
    categorical_features=st.just(["item", "city"]),
    numeric_features=st.just(["age"]),
    bag_features=st.just(["tags"]),
    max_length=st.integers(1, 3),
    min_frequency=st.sampled_from([1, 2, 0.3]),
    max_categories=st.sampled_from([None, 2]),
)
FLOATS_FIRST = "which are ids, and in some of them floats only"
REFUSED = {"partial_fit": f"can never match|{FLOATS_FIRST}", "_fit_chunks": FLOATS_FIRST}


def check_chunks(make_frame, encoder, chunks):
    """Check that all ways to learn from chunks give what ``fit`` gives, or say that they can't."""
    X = make_frame(join(chunks))
    try:
        whole = clone(encoder).fit(X)
    except TypeError as error:
        event("fit refuses")
        with pytest.raises(TypeError, match=re.escape(str(error).split(":")[0])):
            clone(encoder)._fit_chunks(map(make_frame, chunks))
        return
    frames = [make_frame(chunk) for chunk in chunks]
    for name, learnt in {
        "partial_fit": learn,
        "_fit_chunks": lambda encoder, each: clone(encoder)._fit_chunks(each),
    }.items():
        refusal, chunked = None, None
        try:
            chunked = learnt(encoder, frames)
        except TypeError as error:
            refusal = str(error)
        if refusal is None:
            event(f"{name} is equal")
            assert_equal(chunked, whole, X)
        else:
            event(f"{name} refuses")
            assert re.search(REFUSED[name], refusal)


@pytest.mark.parametrize("form", ["dict", "pandas"])
@settings(max_examples=150)
@given(encoder=ENCODERS, chunks=chunks_of_rows())
def test_random_chunks_give_the_encoder_of_all_rows(form, encoder, chunks):
    check_chunks(FORMS[form], encoder, chunks)


@pytest.mark.nightly
@pytest.mark.parametrize("form", ["dict", "pandas"])
@settings(max_examples=2_000, derandomize=False, print_blob=True)
@given(encoder=ENCODERS, chunks=chunks_of_rows())
def test_many_random_chunks_give_the_encoder_of_all_rows(form, encoder, chunks):
    check_chunks(FORMS[form], encoder, chunks)


def test_values_that_were_cut_come_back_when_they_are_frequent():
    encoder = BehaviorEncoder(min_frequency=2, max_categories=2)

    assert encoder.partial_fit({"item": ["a", "a", "b"]}).vocabularies_["item"].values.tolist() == ["a"]
    assert encoder.partial_fit({"item": ["c", "b"]}).vocabularies_["item"].values.tolist() == ["a", "b"]
    assert encoder.partial_fit({"item": ["c", "c"]}).vocabularies_["item"].values.tolist() == ["c", "a"]


def test_a_fraction_of_min_frequency_is_one_of_all_rows_so_far():
    encoder = BehaviorEncoder(min_frequency=0.5).partial_fit({"item": ["a", "a", "b", "b"]})

    assert encoder.partial_fit({"item": ["b"]}).vocabularies_["item"].values.tolist() == ["b"]


def test_rows_after_fit_are_added_to_those_of_fit():
    encoder = clone(ENCODER).set_params(min_frequency=2).fit(cut(ROWS, [3])[0])

    assert_equal(encoder.partial_fit(cut(ROWS, [3])[1]), clone(encoder).fit(ROWS), ROWS)


def test_rows_after_fit_transform_are_added_to_its_rows():
    encoder = clone(ENCODER)
    encoder.fit_transform(cut(ROWS, [3])[0])

    assert_equal(encoder.partial_fit(cut(ROWS, [3])[1]), clone(encoder).fit(ROWS), ROWS)


def test_fit_starts_anew():
    first, second = cut(ROWS, [3])
    encoder = learn(ENCODER, [first]).fit(second)

    assert_equal(encoder, clone(ENCODER).fit(second), second)


def test_a_clone_starts_anew():
    first, second = cut(ROWS, [3])

    assert_equal(clone(learn(ENCODER, [first])).partial_fit(second), clone(ENCODER).fit(second), second)


def test_rows_after_a_fit_that_failed_are_the_first_ones():
    encoder = clone(ENCODER).fit(ROWS)
    with pytest.raises(ValueError, match="behavior_features names the column"):
        encoder.fit({"item": ["a"]})

    assert_equal(encoder.partial_fit(cut(ROWS, [3])[1]), clone(ENCODER).fit(cut(ROWS, [3])[1]), ROWS)


def test_min_frequency_and_max_categories_may_change_between_chunks():
    encoder = BehaviorEncoder(max_categories=1).partial_fit({"item": ["a", "b", "b"]})

    encoder.set_params(max_categories=None).partial_fit({"item": ["a"]})

    assert encoder.vocabularies_["item"].values.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"max_length": 3}, "max_length is not what it was for the rows before: now it is 3. Set it back, or call fit"),
        ({"behavior_features": {"hist": "item"}}, "behavior_features is not what it was"),
        ({"bag_features": []}, r"bag_features is not what it was for the rows before: now it is \[\]"),
        ({"numeric_transformer": StandardScaler()}, r"numeric_transformer is not.*was None, and is StandardScaler\(\)"),
    ],
)
def test_other_parameters_must_not_change_between_chunks(change, match):
    encoder = learn(ENCODER, [ROWS])

    with pytest.raises(ValueError, match=match):
        encoder.set_params(**change).partial_fit(ROWS)


def test_lists_of_columns_must_not_change_between_chunks():
    encoder = BehaviorEncoder(categorical_features=["item", "shop"], numeric_features=["age"], bag_features=[])
    X = {"item": [1], "shop": [2], "age": [3]}

    match = "column 'shop' was one of the categorical_features, and is not named now. Name columns in lists"
    with pytest.raises(ValueError, match=match):
        encoder.partial_fit(X).set_params(categorical_features=["item"]).partial_fit(X)


def test_parameters_are_checked_in_each_call():
    encoder = BehaviorEncoder().partial_fit({"item": ["a"]}).set_params(max_categories=0)

    with pytest.raises(ValueError, match="The 'max_categories' parameter of BehaviorEncoder must be"):
        encoder.partial_fit({"item": ["a"]})
    with config_context(skip_parameter_validation=True):
        assert encoder.partial_fit({"item": ["a"]}).vocabularies_["item"].values.tolist() == []


BAD_CHUNKS = {
    "a bad value": ({"item": ["a", float("inf")], "hist": [[], []], "age": [1.0, 2.0]}, "row 1 has inf"),
    "a bad number": ({"item": ["z"], "hist": [["z"]], "age": [1e39]}, "Column 'age' holds infinity or a number too"),
    "a missing column": ({"item": ["z"], "hist": [["z"]]}, "feature names should match those that were passed during"),
    "another column": ({"item": ["z"], "hist": [["z"]], "old": [1.0]}, "feature names should match"),
    "no rows": ({"item": [], "hist": [], "age": []}, r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\)"),
    "other families": ({"item": ["z", 3], "hist": [[], []], "age": ["1", "2"]}, "Column 'age' cannot be one of"),
}


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_an_error_leaves_the_encoder_as_it_was(case):
    X = {"item": ["a", "b"], "hist": [["a"], []], "age": [1.0, None]}
    chunk, match = BAD_CHUNKS[case]
    encoder = BehaviorEncoder({"hist": "item"}).partial_fit(X)
    before = pickle.dumps(encoder)

    with pytest.raises(ValueError, match=match):
        encoder.partial_fit(chunk)

    assert pickle.dumps(encoder) == before
    assert_equal(encoder.partial_fit(X), BehaviorEncoder({"hist": "item"}).fit(join([X, X])), X)


def test_an_error_in_the_first_chunk_leaves_the_encoder_unfitted():
    encoder = BehaviorEncoder()
    with pytest.raises(ValueError, match="Column 'item' has no role: it holds integers"):
        encoder.partial_fit({"item": [1]})

    assert not hasattr(encoder, "n_features_in_")
    with pytest.raises(NotFittedError):
        encoder.transform({"item": ["a"]})


def test_plain_arrays_of_no_rows_raise_in_each_call():
    encoder = BehaviorEncoder()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\) \(shape=\(0, 2\)\) while a minimum of 1"):
            encoder.partial_fit(np.empty((0, 2)))
        encoder.partial_fit(np.ones((2, 2)))


def test_chunks_are_not_written_to():
    X = np.array([[1.0, np.nan], [3.0, 4.0]])
    X.flags.writeable = False
    chunk = copy.deepcopy(ROWS)

    assert_equal(learn(BehaviorEncoder(), [X, X]), BehaviorEncoder().fit(np.vstack([X, X])), X)
    learn(ENCODER, [chunk, chunk])
    assert chunk == ROWS


def test_a_frame_without_names_after_one_with_names_warns_as_in_transform():
    encoder = BehaviorEncoder().partial_fit(pd.DataFrame({"a": [1.0], "b": [2.0]}))

    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        encoder.partial_fit(np.array([[3.0, 4.0]]))
    assert encoder.feature_names_in_.tolist() == ["a", "b"]
    assert encoder.numeric_transformer_[-1].mean_.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("first", "second", "match"),
    [
        (
            [1.5],
            ["a"],
            r"'x' cannot be one of the numeric_features.*floats and strings or bytes \(row 0 of these .*'a'",
        ),
        (
            [1.5],
            [True],
            "'x' cannot be one of the numeric_features, which the rows before made it.*booleans and floats",
        ),
        (["a"], [["a"]], "Column 'x' cannot be one of the categorical_features.*holds lists"),
        ([[1]], [1], "Column 'x' must hold a list in each row"),
        (
            [float("nan")],
            [3],
            r"'x' cannot be one of the numeric_features.*it holds integers \(row 0 of these rows has 3",
        ),
        (pd.Series([1.5], dtype="category"), [1.5], None),
        ([1.5], pd.Series([1.5], dtype="category"), "cannot be one of the numeric_features.*holds categories"),
        (["a"], [1.5], None),
        ([True], [2], None),
        ([1.5], [None], None),
        ([1.5], [2], None),
        ([[]], [None], None),
    ],
)
def test_a_column_whose_types_would_give_it_another_role_raises(first, second, match):
    encoder = BehaviorEncoder().partial_fit({"x": first})

    if match is None:
        before = encoder.layout_
        after = encoder.partial_fit({"x": second}).layout_
        for role in ("categorical", "numeric", "bags"):
            assert bool(getattr(after, role)) == bool(getattr(before, role))
    else:
        with pytest.raises((TypeError, ValueError), match=match):
            encoder.partial_fit({"x": second})


def test_arrays_of_booleans_and_numbers_raise_since_together_they_would_be_numbers():
    encoder = BehaviorEncoder().partial_fit(np.array([[True], [False]]))

    with pytest.raises(ValueError, match="'x0' cannot be one of the categorical_features.*holds floats"):
        encoder.partial_fit(np.array([[1.5]]))


def test_a_column_of_missing_values_only_has_no_role_until_it_is_named():
    chunks = [{"x": [None]}, {"x": ["a"]}]
    with pytest.raises(ValueError, match="Column 'x' has no role: it holds only missing values"):
        BehaviorEncoder().partial_fit(chunks[0])

    named = BehaviorEncoder(categorical_features=["x"])
    assert_equal(learn(named, chunks), clone(named).fit(join(chunks)), chunks[1])


def test_a_selector_chooses_the_same_columns_in_each_chunk():
    encoder = BehaviorEncoder(numeric_features=make_column_selector(dtype_include="int64"))
    chunks = [pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [4]})]

    assert_equal(learn(encoder, chunks), clone(encoder).fit(pd.concat(chunks)), chunks[0])
    with pytest.raises(ValueError, match="column 'x' was one of the numeric_features, and is not named now"):
        learn(encoder, [*chunks, pd.DataFrame({"x": [1.5]})])


def test_a_selector_need_not_find_a_column_of_missing_values():
    encoder = BehaviorEncoder(numeric_features=make_column_selector(dtype_include="int64"))
    missing = pd.DataFrame({"x": pd.Series([None], dtype=object)})

    assert learn(encoder, [pd.DataFrame({"x": [1, 3]}), missing]).numeric_transformer_[0].statistics_.tolist() == [2.0]


@pytest.mark.parametrize(
    ("chunks", "values"),
    [
        ([[[1]], [[2, 1]]], [1, 2]),
        ([[[1]], [[]], [["a"]]], [1, "a"]),
        ([[["a"]], [[1.5]]], [1.5, "a"]),
        ([[[float("nan")]], [["a"]]], ["a"]),
        ([[[float("nan")]], [[4]]], [4]),
        ([[[True]], [[0.5]]], [True, 0.5]),
        ([[None], [[]]], []),
    ],
)
def test_a_behavior_only_field_whose_values_are_not_all_numbers_with_floats_has_ids(chunks, values):
    frames = [{"item": ["i"], "acts": cells} for cells in chunks]
    encoder = BehaviorEncoder({"acts": None})
    learnt = learn(encoder, frames)

    assert sorted(map(repr, learnt.vocabularies_["acts"].values)) == sorted(map(repr, values))
    assert_equal(learnt, clone(encoder).fit(join(frames)), frames[0])


@pytest.mark.parametrize(
    ("chunks", "mean", "deviation"),
    [
        ([[[1, 3]], [[2.0]]], 2.0, np.sqrt(2 / 3)),
        ([[[1.5]], [[None]], [[3, 0.0]]], 1.5, np.sqrt(1.5)),
        ([[[float("nan")]], [None]], 0.0, 1.0),
        ([[[]], [[0.1, 0.1]], [[0.1]]], 0.1, 1.0),
    ],
)
def test_a_behavior_only_field_of_floats_is_standardised_whatever_came_first(chunks, mean, deviation):
    frames = [{"item": ["i"], "marks": cells} for cells in chunks]
    encoder = BehaviorEncoder({"marks": None})
    learnt = learn(encoder, frames)

    given = {"item": ["i"], "marks": [[mean, mean + 2 * deviation]]}
    assert "marks" not in learnt.vocabularies_
    assert_allclose(learnt.transform(given)["marks"][0, :2], [0, 2], atol=1e-6)
    assert_equal(learnt, clone(encoder).fit(join(frames)), given)


def test_floats_that_turn_out_to_be_ids_raise():
    encoder = BehaviorEncoder({"acts": None}).partial_fit({"item": ["i"], "acts": [[1.5]]})

    with pytest.raises(
        TypeError, match="Column 'acts' holds floats and strings or bytes in all rows.*Convert the column"
    ):
        encoder.partial_fit({"item": ["i"], "acts": [["a"]]})


def test_columns_that_never_match_raise_with_an_example_where_there_is_one():
    encoder = BehaviorEncoder({"hist": "item"}, categorical_features=["item"])
    encoder.partial_fit({"item": [1], "hist": [[]]})

    match = r"'hist' holds strings \(row 0 has 'a'\) and 'item' holds numbers. Convert both"
    with pytest.raises(TypeError, match=match):
        encoder.partial_fit({"item": [None], "hist": [["a"]]})
    assert encoder.partial_fit({"item": ["a"], "hist": [["a", 1]]}).vocabularies_["item"].values.tolist() == [1, "a"]


@pytest.mark.parametrize("transformer", [StandardScaler(), MinMaxScaler()])
def test_a_transformer_with_partial_fit_goes_on(transformer):
    X = np.array([[1.0, 5.0], [2.0, 5.5], [9.0, 0.0], [-4.0, 1.0]])
    encoder = BehaviorEncoder(numeric_transformer=transformer)
    learnt = learn(encoder, [X[:1], X[1:3], X[3:]])

    assert_equal(learnt, clone(encoder).fit(X), X)
    assert_equal(clone(encoder).fit(X[:2]).partial_fit(X[2:]), clone(encoder).fit(X), X)
    assert not hasattr(transformer, "scale_")


def test_the_target_reaches_the_transformer():
    class Residual(TransformerMixin, BaseEstimator):
        def fit(self, X, y):
            raise NotImplementedError

        def partial_fit(self, X, y):
            self.targets_ = [*getattr(self, "targets_", []), *y]
            return self

        def transform(self, X):
            return X - sum(self.targets_)

    encoder = BehaviorEncoder(numeric_transformer=Residual())
    encoder.partial_fit(np.array([[1.0]]), [3]).partial_fit(np.array([[1.0], [2.0]]), [4, 5])

    assert encoder.numeric_transformer_.targets_ == [3, 4, 5]
    assert encoder.transform(np.array([[13.0]]))["x0"].tolist() == [1.0]


@pytest.mark.parametrize("transformer", [RobustScaler(), make_pipeline(StandardScaler())])
def test_a_transformer_without_partial_fit_raises(transformer):
    encoder = BehaviorEncoder(numeric_transformer=transformer)

    name = type(transformer).__name__
    match = f"numeric_transformer cannot learn from chunks: {name} has no partial_fit. Give one that has it.*None for"
    with pytest.raises(TypeError, match=match):
        encoder.partial_fit(np.ones((2, 1)))
    with pytest.raises(TypeError, match=match):
        encoder.fit(np.ones((2, 1))).partial_fit(np.ones((2, 1)))


def test_a_transformer_without_partial_fit_is_not_asked_where_there_are_no_numbers():
    encoder = BehaviorEncoder(numeric_transformer=RobustScaler())

    assert encoder.partial_fit({"item": ["a"]}).partial_fit({"item": ["b"]}).vocabularies_["item"].n_ids == 4


def test_names_of_a_former_fit_are_gone_where_the_columns_have_none():
    encoder = BehaviorEncoder().fit(pd.DataFrame({"a": [1.0, 2.0]})).fit(np.ones((2, 3)))

    assert encoder.n_features_in_ == 3
    assert not hasattr(encoder, "feature_names_in_")
