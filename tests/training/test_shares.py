"""Rows that are spread over processes: their parts of a batch, put together, are the batch of one process."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._lookup import gradient_of_rows
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import (
    MinibatchAwareL2,
    Rows,
    SharedTable,
    TableShare,
    TensorTable,
    predict_raw,
    predict_raw_together,
)
from sklearn_din.training._shared_net import _add_up
from sklearn_din.utils._ragged import Ragged

CPU = torch.device("cpu")
N_ROWS = 40
SPLITS = [
    [range(20), range(20, 40)],
    [range(0, 40, 3), range(1, 40, 3), range(2, 40, 3)],
    [range(3), [], range(3, 40)],
    [[], range(40)],
    [range(40)],
]


@pytest.fixture
def table():
    """Rows with two sequences and a bag; some ids are unknown."""
    clicks = BehaviorSequence((BehaviorField("click_item", "item", 9), BehaviorField("click_price", None, None)))
    visits = BehaviorSequence((BehaviorField("visited_shop", None, 6),))
    layout = FeatureLayout(
        categorical=(IdColumn("item", 9), IdColumn("city", 4)),
        numeric=("age",),
        sequences=(clicks, visits),
        bags=(IdColumn("tags", 5),),
        max_length=4,
    )
    rng = np.random.default_rng(0)
    columns = {column.name: rng.integers(1, column.n_ids, N_ROWS, dtype=np.int32) for column in layout.categorical}
    columns["age"] = rng.normal(size=N_ROWS).astype(np.float32)
    for fields in (clicks.fields, visits.fields, (layout.bags[0],)):
        offsets = np.array([0, *rng.integers(0, 5, N_ROWS).cumsum()])
        for field in fields:
            n = offsets[-1]
            ids = rng.normal(size=n).astype(np.float32)
            if field.n_ids is not None:
                ids = rng.integers(1, field.n_ids, n, dtype=np.int32)
            columns[field.name] = Ragged(ids, offsets)
    return EncodedTable(layout, columns)


def share_of(table, rows):
    rows = np.array(rows, dtype=np.int64)
    return TableShare(table[rows], rows, len(table))


def spread(table, split, processes):
    return SharedTable(share_of(table, split[processes.rank]), CPU, processes)


def rows_of(tensors, positions):
    positions = torch.tensor(positions)
    return Rows(tensors, positions, positions * 10.0, positions * 100.0)


def an_epoch(rows, unknown_rate=0.3, batch_size=7):
    generators = {name: torch.Generator().manual_seed(i) for i, name in enumerate(("shuffling", "noise"))}
    return list(rows.batches(batch_size=batch_size, unknown_rate=unknown_rate, **generators))


def as_lists(features, names):
    """Values by column and row."""
    lists = {}
    for name in names:
        column = features[name]
        if isinstance(column, tuple):
            values, offsets = column
            lists[name] = [values[start:stop].tolist() for start, stop in pairwise(offsets)]
        else:
            lists[name] = column.tolist()
    return lists


POSITIONS = [range(40), [*range(35, 2, -1), 0, 38]]


@pytest.mark.parametrize("unknown_rate", [0.0, 0.3])
@pytest.mark.parametrize("positions", POSITIONS, ids=["all rows", "some rows, unsorted"])
@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_the_parts_of_a_batch_are_the_batch_of_one_process(together, table, split, positions, unknown_rate):
    whole = an_epoch(rows_of(TensorTable(table, CPU), [*positions]), unknown_rate)
    members = together(
        len(split), lambda processes: an_epoch(rows_of(spread(table, split, processes), [*positions]), unknown_rate)
    )

    for batch, *parts in zip(whole, *members, strict=True):
        expected = as_lists(batch.features, table.layout.columns)
        places = [part.share.rows.rows.tolist() for part in parts]
        assert sorted(place for each in places for place in each) == list(range(len(batch)))
        for part, here in zip(parts, places, strict=True):
            assert len(part) == part.share.rows.n_rows == len(batch)
            assert part.target.tolist() == batch.target[here].tolist()
            assert part.weight.tolist() == batch.weight[here].tolist()
            for name, got in as_lists(part.features, table.layout.columns).items():
                assert got == [expected[name][place] for place in here], name
            for name in table.layout.list_columns:
                assert part.share.offsets[name].tolist() == batch.features[name][1].tolist()


def test_each_process_has_the_rows_of_its_share_and_no_others(together, table):
    split = SPLITS[1]
    members = together(3, lambda processes: an_epoch(rows_of(spread(table, split, processes), list(range(40)))))

    for rows, batches in zip(split, members, strict=True):
        assert sorted(torch.cat([batch.target for batch in batches]).tolist()) == [10 * row for row in rows]


@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_table_that_all_have_is_cut_into_neighbouring_rows(table, count):
    shares = [TableShare.of(table, SimpleNamespace(rank=rank, count=count)) for rank in range(count)]

    assert np.concatenate([share.rows for share in shares]).tolist() == list(range(40))
    assert max(len(share.rows) for share in shares) - min(len(share.rows) for share in shares) <= 1
    for share in shares:
        assert share.table["item"].tolist() == table["item"][share.rows].tolist()
        assert (len(share), share.shape, share.layout) == (40, table.shape, table.layout)


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_lengths_and_their_mean_are_those_of_all_rows(together, table, split):
    whole = TensorTable(table, CPU)
    for shared in together(len(split), lambda processes: spread(table, split, processes)):
        assert (shared.n_rows, shared.mean_behaviors) == (40, whole.mean_behaviors)
        for name in ("click_item", "visited_shop", "tags"):
            assert shared.lengths(name).equal(whole.lengths(name).long())


@pytest.mark.parametrize("chunk", [7, 8192])
@pytest.mark.parametrize("unknown_rate", [0.0, 0.2])
@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_rows_are_counted_as_on_the_whole(together, table, split, unknown_rate, chunk, monkeypatch):
    module, positions = DIN(table.layout, embedding_dim=2), [*range(30, 3, -1), 35]
    expected = rows_of(TensorTable(table, CPU), positions).count(module, unknown_rate)
    monkeypatch.setattr("sklearn_din.training._counts.CHUNK", chunk)

    def work(processes):
        rows = rows_of(spread(table, split, processes), positions)
        counts = rows.count(module, unknown_rate)
        return counts, rows.count(module, unknown_rate, earlier=counts)

    for counts, twice in together(len(split), work):
        assert counts.keys() == twice.keys() == expected.keys()
        for name, count in expected.items():
            torch.testing.assert_close(counts[name], count)
            torch.testing.assert_close(twice[name], 2 * count)


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_collected_rows_are_the_same_in_order_in_every_process(together, table, split):
    positions = np.array([31, 2, 20, 19, 0, 39])

    def work(processes):
        return share_of(table, split[processes.rank]).collect(positions, processes)

    for collected in together(len(split), work):
        assert collected.layout == table.layout
        np.testing.assert_array_equal(collected.to_numpy(), table[positions].to_numpy())


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_one_prediction_that_is_not_finite_is_known_to_all(together, table, split):
    module = DIN(table.layout, embedding_dim=2).eval()
    lists = table.layout.list_columns
    columns = {name: table.ragged(name) if name in lists else table[name] for name in table.layout.columns}
    for age, expected in ((1.0, True), (np.inf, False)):
        ages = table["age"].copy()
        ages[37] = age
        other = EncodedTable(table.layout, columns | {"age": ages})

        def work(processes, other=other):
            return rows_of(spread(other, split, processes), list(range(40))).is_predictable(module)

        assert together(len(split), work) == [expected] * len(split)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("n_rows", [40, 2, 0])
def test_predictions_that_processes_share_are_those_of_all_rows(together, table, n_rows, n_outputs):
    module, tensors = DIN(table.layout, embedding_dim=2, n_outputs=n_outputs).eval(), TensorTable(table, CPU)
    positions = torch.arange(40).flip(0)[:n_rows]
    expected = predict_raw(module, tensors, positions)

    for raw in together(3, lambda processes: predict_raw_together(module, tensors, positions, processes)):
        torch.testing.assert_close(raw, expected)


def penalties(module, batch, regularization):
    regularization.on_grad_computed(SimpleNamespace(module_=module), None, batch=batch)
    gradients = {name: module.embedding.weight(name).grad for name in module.embedding.table_names}
    return {name: gradient.to_dense() for name, gradient in gradients.items()}


def make_module(table, sparse):
    module = DIN(table.layout, embedding_dim=2, embedding_init_std=1.0)
    module.reset_parameters(torch.Generator().manual_seed(0))
    module.embedding.tables.sparse = frozenset(sparse)
    for name in module.embedding.table_names:
        weight = module.embedding.weight(name)
        weight.grad = torch.zeros_like(weight)
        if name in sparse:
            weight.grad = gradient_of_rows(torch.empty(0, dtype=torch.int64), weight.detach()[:0], weight.shape)
    return module


@pytest.mark.parametrize("sparse", [(), ("item", "visited_shop", "tags")], ids=["dense", "sparse"])
@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_each_process_adds_the_penalty_of_all_ids_of_the_batch(together, table, split, sparse):
    whole = rows_of(TensorTable(table, CPU), list(range(40)))
    batch = an_epoch(whole, batch_size=5)[0]
    module = make_module(table, ())
    counts = whole.count(module)
    expected = penalties(module, batch, MinibatchAwareL2(0.5, counts))

    def work(processes):
        rows = rows_of(spread(table, split, processes), list(range(40)))
        part = an_epoch(rows, batch_size=5)[0]
        return penalties(make_module(table, sparse), part, MinibatchAwareL2(0.5, counts, processes))

    for added in together(len(split), work):
        for name, gradient in expected.items():
            torch.testing.assert_close(added[name], gradient)
        assert 0 < (added["item"] != 0).any(1).sum() < 8


def test_sparse_gradients_become_the_mean_over_all_processes(together):
    ids = [[1, 4], [], [0, 4, 5]]
    values = [torch.arange(2.0 * len(each)).reshape(-1, 2) + 1 for each in ids]
    dense = sum(
        torch.zeros(6, 2).index_add(0, torch.tensor(i, dtype=torch.int64), v) for i, v in zip(ids, values, strict=True)
    )

    def work(processes):
        weight, rank = torch.nn.Parameter(torch.zeros(6, 2)), processes.rank
        weight.grad = gradient_of_rows(torch.tensor(ids[rank], dtype=torch.int64), values[rank].clone(), weight.shape)
        _add_up(weight, processes)
        return weight.grad

    for gradient in together(3, work):
        assert gradient.is_sparse
        torch.testing.assert_close(gradient.to_dense(), dense / 3)
