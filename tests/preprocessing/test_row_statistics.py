"""Statistics of chunks, merged in any order and sent between processes, give the encoder of all rows."""

import pickle
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_din.preprocessing import BehaviorEncoder
from sklearn_din.preprocessing._row_statistics import RowStatistics

ENCODER = BehaviorEncoder([{"hist": "item", "acts": None}, {"stars": None}], min_frequency=2, max_length=2)
CHUNKS = [
    {
        "item": ["a", "b", "a"],
        "hist": [["b", "a"], [], None],
        "acts": [[1, 2], [], None],
        "stars": [[4, 3], [], None],
        "age": [1.0, None, 7.5],
        "tags": [["x"], ["y"], []],
    },
    {
        "item": [None, "c"],
        "hist": [["c", "c", "b"], ["a"]],
        "acts": [["z", 1, 2], [2]],
        "stars": [[2.5], []],
        "age": [0.1, 0.2],
        "tags": [None, ["x", "y"]],
    },
    {"item": ["c"], "hist": [["d"]], "acts": [[3]], "stars": [[1, None]], "age": [float("nan")], "tags": [["w"]]},
]
WHOLE = {name: [cell for chunk in CHUNKS for cell in chunk[name]] for name in CHUNKS[0]}


def statistics_of(*chunks, encoder=ENCODER):
    statistics = RowStatistics(encoder)
    for chunk in chunks:
        statistics.add(chunk)
    return statistics


def send(statistics):
    return pickle.loads(pickle.dumps(statistics))


def assert_equal(encoder, expected, X):
    assert encoder.layout_ == expected.layout_
    assert encoder.feature_names_in_.tolist() == expected.feature_names_in_.tolist()
    for name, vocabulary in expected.vocabularies_.items():
        assert encoder.vocabularies_[name].digest == vocabulary.digest
    assert_allclose(encoder.transform(X).to_numpy(), expected.transform(X).to_numpy(), rtol=1e-6)
    for step in (0, 1):
        learnt, other = (vars(each.numeric_transformer_[step]) for each in (encoder, expected))
        for name in {"statistics_", "mean_", "var_", "scale_"} & set(other):
            assert_allclose(learnt[name], other[name], rtol=1e-12)


@pytest.mark.parametrize("order", permutations(range(3)))
@pytest.mark.parametrize("is_first_pair_merged_first", [True, False])
def test_statistics_of_several_processes_give_the_encoder_of_all_rows(order, is_first_pair_merged_first):
    first, second, third = (send(statistics_of(CHUNKS[place])) for place in order)

    def combine(mine):
        if is_first_pair_merged_first:
            return mine.merge(first).merge(second).merge(third)
        return first.merge(second.merge(third))

    encoder = clone(ENCODER)._fit_chunks([], combine)
    assert_equal(encoder, clone(ENCODER).fit(WHOLE), WHOLE)


def test_merging_leaves_the_other_statistics_as_they_were():
    first, second = statistics_of(CHUNKS[0]), statistics_of(CHUNKS[1])
    encoder = clone(ENCODER)._fit_chunks([], lambda mine: mine.merge(second))

    first.merge(second).merge(second)

    again = clone(ENCODER)._fit_chunks([], lambda mine: mine.merge(second))
    assert_equal(again, encoder, CHUNKS[1])
    assert second.n_samples == 2


def test_merging_with_a_process_without_rows_changes_nothing():
    statistics = statistics_of(*CHUNKS)

    assert statistics.merge(RowStatistics(ENCODER)) is statistics
    assert_equal(clone(ENCODER)._fit_chunks([], lambda _: statistics), clone(ENCODER).fit(WHOLE), WHOLE)


def test_chunks_are_learnt_from_as_by_fit():
    encoder = clone(ENCODER)

    assert encoder._fit_chunks(iter(CHUNKS)) is encoder
    assert_equal(encoder, clone(ENCODER).fit(WHOLE), WHOLE)


def test_chunks_start_anew():
    encoder = clone(ENCODER).fit(CHUNKS[0])

    assert_equal(encoder._fit_chunks(CHUNKS[1:2]), clone(ENCODER).fit(CHUNKS[1]), CHUNKS[1])


def test_rows_can_be_added_to_an_encoder_that_learnt_from_chunks():
    encoder = clone(ENCODER)._fit_chunks([], lambda _: send(statistics_of(*CHUNKS[:2])))

    assert_equal(encoder.partial_fit(CHUNKS[2]), clone(ENCODER).fit(WHOLE), WHOLE)


def test_chunks_without_rows_are_left_out():
    empty = {name: [] for name in CHUNKS[0]}
    chunks = [pd.DataFrame(empty), empty, CHUNKS[0], empty, CHUNKS[1], CHUNKS[2]]

    assert_equal(clone(ENCODER)._fit_chunks(chunks), clone(ENCODER).fit(WHOLE), WHOLE)


def test_arrays_are_chunks():
    X = np.array([[1.0, np.nan], [3.0, 5.0]])
    encoder = BehaviorEncoder()._fit_chunks([X[:0], X[:1], X[1:]])

    assert_array_equal(encoder.transform(X).to_numpy(), BehaviorEncoder().fit_transform(X).to_numpy())
    assert not hasattr(encoder, "feature_names_in_")


@pytest.mark.parametrize("chunks", [[], [{"item": []}]])
def test_no_rows_at_all_raise_and_leave_the_encoder_as_it_was(chunks):
    encoder = BehaviorEncoder().fit({"item": ["a"]})

    with pytest.raises(ValueError, match="There are no rows to learn from: no chunk has any. Give at least one row"):
        encoder._fit_chunks(chunks)
    assert encoder.transform({"item": ["a"]})["item"].tolist() == [2]


def test_columns_that_match_only_in_all_chunks_together_are_no_error():
    chunks = [{"item": [1], "hist": [["a"]]}, {"item": ["a"], "hist": [[1]]}]
    encoder = BehaviorEncoder({"hist": "item"})

    assert encoder._fit_chunks(chunks).vocabularies_["item"].values.tolist() == [1, "a"]


def test_columns_that_never_match_in_any_chunk_raise():
    with pytest.raises(TypeError, match="'hist' holds strings and 'item' holds numbers. Convert both"):
        BehaviorEncoder({"hist": "item"})._fit_chunks([{"item": [1], "hist": [["a"]]}] * 2)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="The 'max_length' parameter of BehaviorEncoder must be"):
        BehaviorEncoder(max_length=0)._fit_chunks(CHUNKS)


def test_what_a_transformer_of_the_user_has_learnt_cannot_be_merged():
    encoder = BehaviorEncoder(numeric_transformer=StandardScaler())
    first, second = (statistics_of(np.full((1, 1), value), encoder=encoder) for value in (1.0, 3.0))

    assert RowStatistics(encoder).merge(second).numeric.transformer.mean_.tolist() == [3.0]
    with pytest.raises(TypeError, match="can't be merged: StandardScaler learns from one chunk after another. Use the"):
        first.merge(second)


@pytest.mark.parametrize(
    ("first", "second", "match"),
    [
        ({"a": ["x"]}, {"b": ["x"]}, r"Chunks of different columns can't be merged: their names are \('a',\) and"),
        ({"a": ["x"]}, {"a": [1.5]}, "can't be merged: their roles are"),
        ({"a": [1.5]}, {"a": [1.5, "x"]}, "can't be merged: their roles are"),
        ({"a": [float("nan")]}, {"a": [1.5]}, None),
    ],
)
def test_statistics_of_different_columns_raise(first, second, match):
    one, other = (statistics_of(chunk, encoder=BehaviorEncoder()) for chunk in (first, second))

    if match is None:
        assert one.merge(other).n_samples == 2
    else:
        with pytest.raises(ValueError, match=match):
            one.merge(other)


def test_merged_statistics_have_the_types_of_both():
    one = statistics_of({"a": [True]}, encoder=BehaviorEncoder())
    other = statistics_of({"a": [True]}, {"a": ["x"]}, encoder=BehaviorEncoder())
    assert one.merge(other).columns.kinds["a"].types == {"boolean", "text"}


def test_statistics_of_other_lengths_raise():
    longer = statistics_of(CHUNKS[0], encoder=clone(ENCODER).set_params(max_length=3))

    with pytest.raises(ValueError, match="their max_length are 2 and 3. Give all processes the same columns"):
        statistics_of(CHUNKS[0]).merge(longer)


def test_merged_floats_that_turn_out_to_be_ids_raise():
    encoder = BehaviorEncoder({"acts": None})
    floats, texts = (statistics_of({"item": ["i"], "acts": [acts]}, encoder=encoder) for acts in ([1.5], ["a"]))

    for one, other in ((floats, texts), (texts, floats)):
        with pytest.raises(TypeError, match="Column 'acts' holds floats and strings or bytes in all rows"):
            one.copy(encoder).merge(other)


def test_a_pickle_of_statistics_holds_neither_the_encoder_nor_rows():
    encoder = clone(ENCODER).set_params(bag_features=lambda X: ["tags"])  # which can't be pickled
    sizes = [len(pickle.dumps(statistics_of(*CHUNKS * n, encoder=encoder))) for n in (2, 200)]

    assert sizes[1] - sizes[0] < 100


def test_many_small_chunks_are_merged_in_few_steps():
    statistics = RowStatistics(BehaviorEncoder(categorical_features=["item"]))
    statistics.add({"item": list(range(1000))})
    for start in range(0, 900, 10):
        statistics.add({"item": list(range(start, start + 10))})

    (parts,) = statistics.tables["item"]._counted.values()
    assert len(parts) == 91
    statistics.add({"item": list(range(100))})
    assert [len(counts) for _, counts in statistics.tables["item"]._counted["integer"]] == [1000]
    assert sorted(statistics.tables["item"].of("integer")[1].tolist()) == [1] * 100 + [2] * 800 + [3] * 100


def test_a_copy_before_the_first_row_takes_rows():
    statistics = RowStatistics(ENCODER)
    copied = statistics.copy(ENCODER)
    copied.add(CHUNKS[0])

    assert (statistics.n_samples, copied.n_samples) == (0, 3)
