"""Ids of values, against counting by hand and by Python."""

import copy
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from sklearn_din import BehaviorEncoder
from sklearn_din.preprocessing import _vocabulary
from sklearn_din.preprocessing._items import items_of
from sklearn_din.preprocessing._value_counts import ValueCounts
from sklearn_din.preprocessing._vocabulary import Vocabulary
from sklearn_din.utils._columns import read_column


def column(data):
    return items_of(read_column("c", data))


def learn(*data, **parameters):
    counts = ValueCounts()
    counts.add([column(values) for values in data])
    return Vocabulary.learn(counts, **parameters)


def test_ids_begin_at_two_in_order_of_frequency_then_value():
    vocabulary = learn(["b", "c", "a", "c", "b", "c"])

    assert vocabulary.values.tolist() == ["c", "b", "a"]
    assert vocabulary.encode(column(["a", "b", "c", "z"])).tolist() == [4, 3, 2, 1]
    assert vocabulary.n_ids == 5


def test_a_value_counts_once_per_row_in_all_columns_together():
    rng = np.random.default_rng(0)
    candidates = rng.integers(0, 9, 30).tolist()
    histories = [rng.integers(0, 9, length).tolist() for length in rng.integers(0, 7, 30)]
    counts = Counter(value for row in zip(candidates, histories, strict=True) for value in {row[0], *row[1]})

    vocabulary = learn(candidates, histories)

    assert vocabulary.values.tolist() == sorted(counts, key=lambda value: (-counts[value], value))


def test_ids_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(1)
    pool = [1, "1", True, b"1", 2.5, -3, 2**63, None, "a"]
    values = [pool[i] for i in rng.integers(0, len(pool), 40)]

    once = learn(values)
    again = learn([values[i] for i in rng.permutation(40)])

    assert [(type(value), value) for value in once.values] == [(type(value), value) for value in again.values]


def test_fractions_that_differ_by_less_than_their_distance_to_a_whole_number_are_in_order_of_value():
    values = [-1e-275, -1e-36, -1e-300, 1e-300, 1e-275, -0.5]
    encoders = [BehaviorEncoder(categorical_features=["x"]).fit({"x": order}) for order in (values, values[::-1])]

    for encoder in encoders:
        assert encoder.vocabularies_["x"].values.tolist() == sorted(values)


def test_ties_are_in_order_of_family_and_then_of_value():
    values = ["b", "a", 2.5, 2, -1, 2**64 - 1, 2**63, 3, False, True, b"x", 2**53 + 1, 2**53, None]

    assert learn(values).values.tolist() == [
        *(b"x", False, True, None),
        *(-1, 2, 2.5, 3, 2**53, 2**53 + 1, 2**63, 2**64 - 1),
        *("a", "b"),
    ]


def test_rare_values_are_unknown():
    vocabulary = learn([[1, 1, 1], [2], [2, 3], [3, 2]], min_count=2)

    assert vocabulary.values.tolist() == [2, 3]
    assert vocabulary.encode(column([1, 2, 3])).tolist() == [1, 2, 3]


def test_only_the_most_frequent_values_are_kept():
    vocabulary = learn([5, 5, 4, 4, 3], max_categories=2)

    assert vocabulary.values.tolist() == [4, 5]
    assert vocabulary.n_ids == 4


def test_a_missing_scalar_is_a_value_only_if_it_was_seen():
    assert learn(["a", "a", None]).encode(column([None, "a"])).tolist() == [3, 2]
    assert learn(["a"]).encode(column([None, "a"])).tolist() == [1, 2]
    assert learn(["a", None], min_count=1, max_categories=1).encode(column([None, "a"])).tolist() == [2, 1]


def test_a_missing_element_is_unknown_even_if_missing_scalars_were_seen():
    vocabulary = learn(["a", None], [["a", None], [None]])

    assert vocabulary.encode(column([["a", None]])).tolist() == [3, 1]
    assert vocabulary.encode(column([None])).tolist() == [2]


def test_a_vocabulary_without_values_knows_nothing():
    vocabulary = learn([[], None])

    assert vocabulary.n_ids == 2
    assert vocabulary.values.tolist() == []
    assert vocabulary.encode(column([[1, "a"]])).tolist() == [1, 1]
    assert vocabulary.decode_arrow(np.array([1, 0])).to_pylist() == [None, None]


def test_ids_are_decoded_to_their_values():
    vocabulary = learn(["b", "b", None])

    assert vocabulary.decode(np.array([2, 1, 0, 3])).tolist() == ["b", None, None, None]
    assert vocabulary.decode_arrow(np.array([2, 1, 0, 3])).to_pylist() == ["b", None, None, None]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2**63], pa.uint64()),
        ([1, 2.5], pa.float64()),
        ([True], pa.bool_()),
        ([b"a"], pa.large_binary()),
    ],
)
def test_numbers_are_decoded_to_one_arrow_type(values, kind):
    vocabulary = learn(values)

    decoded = vocabulary.decode_arrow(vocabulary.encode(column(values)))

    assert decoded.type == kind
    assert decoded.to_pylist() == values


def test_values_that_no_arrow_type_holds_raise():
    with pytest.raises(TypeError, match=r"No Arrow type holds all values.*\['integer', 'string'\].*pandas"):
        learn([1, "a"]).decode_arrow(np.array([2]))


def test_a_pickled_vocabulary_holds_no_value_that_was_cut():
    vocabulary = learn(["kept", "kept", "a secret that is rare"], min_count=2)

    content = pickle.dumps(vocabulary)

    assert b"kept" in content
    assert b"secret" not in content
    assert pickle.loads(content).encode(column(["kept"])).tolist() == [2]


KINDS = {
    "integers": [7, -3, 2**40, 2**53, 2**53 + 1, 0],
    "large integers": [2**63, 2**64 - 1, 2**63 + 5],
    "fractions": [0.5, -1.25, 1e-30],
    "texts": ["b", "a", "", "ä"],
    "bytes": [b"b", b"a", b""],
    "booleans": [True, False],
    "all": [1, "1", True, b"1", 2.5, -3, 2**63, None, "a", "True"],
}


@pytest.mark.parametrize("max_categories", [None, 2])
@pytest.mark.parametrize("kind", list(KINDS))
def test_few_values_have_the_ids_that_they_have_among_many(monkeypatch, kind, max_categories):
    pool = KINDS[kind]
    vocabulary = learn(pool, max_categories=max_categories)
    asked = [*pool, *pool[::-1], None, 99, "99", b"99", 0.125, 2**63 + 9]
    expected = vocabulary.encode(column(asked)).tolist()

    monkeypatch.setattr(_vocabulary, "_FEW", 0)  # any number of values is few
    ids = vocabulary.encode(column(asked)).tolist()

    assert vocabulary._sorted
    assert ids == expected
    assert set(range(2, vocabulary.n_ids)) <= set(ids)


def test_a_history_among_many_known_values_is_looked_up_without_hashing_these():
    known = np.random.default_rng(0).permutation(1000).tolist()
    vocabulary = learn(known)

    ids = vocabulary.encode(column([[known[3], -1, known[3]], [None, known[7]]]))

    assert list(vocabulary._sorted) == ["integer"]
    values = vocabulary.values.tolist()
    assert ids.tolist() == [2 + values.index(known[3]), 1, 2 + values.index(known[3]), 1, 2 + values.index(known[7])]


def test_many_values_leave_nothing_behind():
    vocabulary = learn(list(range(100)))

    vocabulary.encode(column(list(range(100))))

    assert vocabulary._sorted == {}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_what_speeds_up_lookups_is_not_copied(duplicate):
    vocabulary = learn([f"item {number}" for number in range(100)])
    before = pickle.dumps(vocabulary)
    few = column(["item 5", "none"])
    ids = vocabulary.encode(few).tolist()

    again = duplicate(vocabulary)

    assert vocabulary._sorted
    assert again._sorted == {}
    assert again.encode(few).tolist() == ids
    assert pickle.dumps(vocabulary) == before


def test_the_first_lookups_may_be_those_of_many_threads():
    values = [f"item {number}" for number in range(2000)]
    vocabulary = learn(values)
    asked = [column([values[place], "none"]) for place in range(0, 2000, 50)]

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(vocabulary.encode, asked))

    assert [vocabulary.decode(each).tolist() for each in ids] == [[values[i], None] for i in range(0, 2000, 50)]
