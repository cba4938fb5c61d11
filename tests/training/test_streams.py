"""Rows that are read a part at a time are, over an epoch, the rows that are all in memory."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import Part, StreamedRows, TensorTable
from sklearn_din.training._batches import Rows
from sklearn_din.utils._ragged import Ragged

CPU = torch.device("cpu")
HISTORY = BehaviorSequence((BehaviorField("history", "item", 8),))
LAYOUT = FeatureLayout(categorical=(IdColumn("item", 8),), numeric=("age",), sequences=(HISTORY,), max_length=3)


def make_table(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    offsets = np.array([0, *rng.integers(0, 4, n_rows).cumsum()])
    columns = {
        "item": rng.integers(1, 8, n_rows, dtype=np.int32),
        "age": rng.normal(size=n_rows).astype(np.float32),
        "history": Ragged(rng.integers(1, 8, offsets[-1], dtype=np.int32), offsets),
    }
    return EncodedTable(LAYOUT, columns)


class Stream:
    """Parts whose targets are the numbers of their rows, and a record of what was read."""

    def __init__(self, sizes, has_weights=False, table=None):
        self.table = make_table(sum(sizes)) if table is None else table
        self.starts = np.cumsum([0, *sizes])
        self.has_weights = has_weights
        self.read = []

    def load(self, part):
        self.read.append(part)
        rows = np.arange(self.starts[part], self.starts[part + 1])
        weight = (rows * 10).astype(np.float32) if self.has_weights else None
        return Part(self.table[rows], rows.astype(np.float32), weight)

    def rows(self, buffer_size):
        behaviors = int(self.table.lengths("history").sum())
        return StreamedRows(self.load, np.diff(self.starts), behaviors, buffer_size, CPU)


def batches_of(rows, batch_size, unknown_rate=0.0, seed=0):
    generators = [torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)]
    return rows.batches(batch_size=batch_size, unknown_rate=unknown_rate, shuffling=generators[0], noise=generators[1])


def in_memory(table, positions=None):
    positions = torch.arange(len(table)) if positions is None else positions
    return Rows(TensorTable(table, CPU), positions, positions.float(), None)


SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any)


@given(sizes=SIZES, batch_size=st.integers(1, 12), buffer_size=st.integers(1, 40))
def test_an_epoch_has_each_row_once_in_batches_of_the_sizes_of_those_in_memory(sizes, batch_size, buffer_size):
    stream = Stream(sizes)
    batches = batches_of(stream.rows(buffer_size), batch_size)
    targets = [batch.target.tolist() for batch in batches]

    n_rows = sum(sizes)
    assert sorted(row for each in targets for row in each) == list(range(n_rows))
    assert [len(each) for each in targets] == [len(batch) for batch in batches_of(in_memory(stream.table), batch_size)]
    assert len(targets) == len(batches)
    assert sorted(stream.read) == [part for part, size in enumerate(sizes) if size]
    if n_rows > 1 and batch_size > 1:
        assert min(map(len, targets)) > 1


@given(sizes=SIZES, batch_size=st.integers(1, 12), buffer_size=st.integers(1, 40))
def test_no_more_rows_are_held_than_the_buffer_and_one_part(sizes, batch_size, buffer_size):
    stream = Stream(sizes)
    loaded = yielded = most = 0
    for batch in batches_of(stream.rows(buffer_size), batch_size):
        loaded = sum(sizes[part] for part in stream.read)
        most = max(most, loaded - yielded)
        yielded += len(batch)

    assert loaded == yielded == sum(sizes)
    # Two batches stay where a buffer is smaller than that, or the last one could be of a single row.
    assert most <= max(buffer_size, 2 * batch_size) + max(sizes)


def test_features_and_weights_follow_their_rows():
    stream = Stream([5, 0, 9, 3, 8], has_weights=True)
    for batch in batches_of(stream.rows(buffer_size=8), batch_size=4):
        rows = batch.target.long()
        expected = TensorTable(stream.table, CPU).batch(rows)
        assert batch.weight.tolist() == (rows * 10).tolist()
        assert batch.features["item"].equal(expected["item"])
        assert batch.features["age"].equal(expected["age"])
        assert all(map(torch.equal, batch.features["history"], expected["history"]))
        assert batch.share is None


def test_rows_without_weights_have_none():
    assert next(iter(batches_of(Stream([3, 4]).rows(10), 4))).weight is None


def test_a_part_of_one_row_that_is_read_last_is_no_batch_of_its_own():
    rows = Stream([20] * 6 + [1]).rows(buffer_size=1)
    sizes = [[len(batch) for batch in batches_of(rows, 20, seed=seed)] for seed in range(40)]

    assert sizes == [[20] * 5 + [21]] * 40


def order_of(batches):
    return [row for batch in batches for row in batch.target.tolist()]


@pytest.mark.parametrize("buffer_size", [1, 12, 100])
def test_two_epochs_have_different_orders_and_the_same_seed_the_same(buffer_size):
    rows = Stream([10] * 5).rows(buffer_size)
    batches = batches_of(rows, 4)
    first, second = order_of(batches), order_of(batches)

    assert first != second
    assert order_of(batches_of(rows, 4)) == first
    assert order_of(batches_of(rows, 4, seed=5)) != first


def test_parts_are_read_in_another_order_in_each_epoch():
    stream = Stream([2] * 9)
    batches = batches_of(stream.rows(4), 2)
    order_of(batches)
    first, stream.read = stream.read, []
    order_of(batches)

    assert sorted(first) == sorted(stream.read) == list(range(9))
    assert list(range(9)) != first != stream.read


def test_batches_have_rows_of_several_parts():
    parts_of_batches = [
        set((batch.target // 10).tolist()) for batch in batches_of(Stream([10] * 12).rows(buffer_size=40), 8)
    ]

    assert len(parts_of_batches) == 15
    assert min(map(len, parts_of_batches)) >= 2
    assert np.mean([len(parts) for parts in parts_of_batches]) > 3.5


def test_rows_of_one_part_are_spread_over_the_epoch():
    n_batches = np.zeros(12)
    for batch in batches_of(Stream([10] * 12).rows(buffer_size=40), 8):
        n_batches[list(set((batch.target // 10).long().tolist()))] += 1

    assert n_batches.min() >= 3  # ten rows side by side would be in two batches of eight


def test_a_buffer_for_all_rows_gives_each_order_a_chance():
    firsts = [next(iter(batches_of(Stream([1, 2]).rows(10), 3, seed=seed))).target.tolist() for seed in range(60)]

    assert len({tuple(each) for each in firsts}) == 6


@pytest.mark.parametrize("unknown_rate", [0.0, 0.25])
@pytest.mark.parametrize("sizes", [[30], [10, 0, 19, 1], [1] * 30])
def test_rows_are_counted_as_if_all_were_in_memory(sizes, unknown_rate):
    stream, module = Stream(sizes), DIN(LAYOUT, embedding_dim=2)
    expected = in_memory(stream.table).count(module, unknown_rate)

    counts = stream.rows(5).count(module, unknown_rate)
    assert counts.keys() == expected.keys()
    for name, count in expected.items():
        torch.testing.assert_close(counts[name], count)
    twice = stream.rows(5).count(module, unknown_rate, earlier=counts)
    torch.testing.assert_close(twice["item"], 2 * counts["item"])


def test_counts_are_read_off_the_rows():
    stream, module = Stream([3, 4]), DIN(LAYOUT, embedding_dim=2)
    ids = stream.table.ragged("history")
    items = [{stream.table["item"][row], *ids.values[ids.offsets[row] : ids.offsets[row + 1]]} for row in range(7)]

    assert stream.rows(5).count(module)["item"].tolist() == [sum(i in each for each in items) for i in range(8)]


def test_unknown_counts_by_the_rows_that_have_it_or_may_get_it():
    stream, module = Stream([3, 4]), DIN(LAYOUT, embedding_dim=2)
    ids = stream.table.ragged("history")
    items = [[stream.table["item"][row], *ids.values[ids.offsets[row] : ids.offsets[row + 1]]] for row in range(7)]
    chances = [1.0 if 1 in each else 1 - 0.75 ** len(each) for each in items]

    assert 0 < sum(1 in each for each in items) < 7
    assert float(stream.rows(5).count(module, 0.25)["item"][1]) == pytest.approx(sum(chances))


def test_mean_behaviors_are_those_of_all_rows():
    stream = Stream([3, 0, 4])

    assert stream.rows(5).mean_behaviors == TensorTable(stream.table, CPU).mean_behaviors > 0
    assert len(stream.rows(5)) == 7


@pytest.mark.parametrize(("row", "is_predictable"), [(None, True), (0, False), (6, False)])
def test_all_parts_are_asked_whether_they_can_be_predicted(row, is_predictable):
    table = make_table(7)
    ages = table["age"].copy()
    if row is not None:
        ages[row] = np.inf
    table = EncodedTable(LAYOUT, {"item": table["item"], "age": ages, "history": table.ragged("history")})

    assert Stream([3, 0, 4], table=table).rows(5).is_predictable(DIN(LAYOUT, embedding_dim=2)) is is_predictable


def test_some_of_the_ids_become_unknown():
    stream = Stream([20, 20])
    is_known = stream.table["item"] != 1
    replaced = np.zeros(40, dtype=bool)
    for batch in batches_of(stream.rows(10), 8, unknown_rate=0.5):
        replaced[batch.target.long()] = batch.features["item"] == 1

    assert 0.2 < replaced[is_known].mean() < 0.8
