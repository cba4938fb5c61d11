"""Whole batches of flat tensors."""

import numpy as np
import pytest
import torch

from sklearn_din.training._batches import Rows, ShuffledBatches, n_steps
from sklearn_din.training._tensor_table import TensorTable, batches_in_order

CPU = torch.device("cpu")


def make_rows(table, n_rows=4, weight=None):
    positions = torch.arange(n_rows) % len(table)
    return Rows(TensorTable(table, CPU), positions, torch.arange(n_rows, dtype=torch.float32), weight)


def make_batches(rows, batch_size, unknown_rate=0.0, seed=0):
    return ShuffledBatches(
        rows,
        batch_size=batch_size,
        unknown_rate=unknown_rate,
        shuffling=torch.Generator().manual_seed(seed),
        noise=torch.Generator().manual_seed(seed + 1),
    )


def test_batch_holds_the_rows_asked_for_in_their_order(table):
    batch = TensorTable(table, CPU).batch(torch.tensor([2, 0, 1]))

    assert batch["item"].tolist() == [4, 2, 3]
    assert batch["age"].tolist() == [2.0, 0.5, -1.0]
    values, offsets = batch["hist_item"]
    assert values.tolist() == [2, 2, 7, 3, 4]
    assert offsets.tolist() == [0, 3, 5, 5]
    assert batch["hist_rating"][0].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.1, 0.2])
    assert batch["genres"][0].tolist() == [3, 4, 2]
    assert batch["genres"][1].tolist() == [0, 2, 3, 3]


def test_fields_of_a_sequence_share_their_offsets(table):
    batch = TensorTable(table, CPU).batch(torch.tensor([0, 2]))

    assert batch["hist_item"][1] is batch["hist_rating"][1]


def test_mean_behaviors_counts_a_behavior_once_whatever_its_fields(table):
    assert TensorTable(table, CPU).mean_behaviors == 6 / 4


def test_ids_stay_int32(table):
    batch = TensorTable(table, CPU).batch(torch.tensor([0]))

    assert batch["item"].dtype == batch["hist_item"][0].dtype == torch.int32


def test_read_only_arrays_are_accepted_without_a_warning(table):
    assert not table["item"].flags.writeable

    assert TensorTable(table, CPU).batch(torch.tensor([1]))["item"].tolist() == [3]


def test_an_epoch_has_each_row_once(table):
    batches = make_batches(make_rows(table, 10), batch_size=3)

    assert sorted(torch.cat([batch.target for batch in batches]).tolist()) == list(range(10))


def test_target_and_features_of_a_batch_belong_together(table):
    rows = make_rows(table)

    for batch in make_batches(rows, batch_size=2):
        assert batch.features["item"].tolist() == table["item"][batch.target.long().numpy()].tolist()


def test_two_epochs_have_different_orders_and_the_same_seed_the_same(table):
    batches = make_batches(make_rows(table, 50), batch_size=50)
    first, second = (next(iter(batches)).target.tolist() for _ in range(2))
    again = next(iter(make_batches(make_rows(table, 50), batch_size=50))).target.tolist()

    assert first != second
    assert first == again


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (8, 4, [4, 4]), (3, 8, [3]), (1, 8, [1]), (3, 1, [1, 1, 1])],
)
def test_a_last_batch_of_one_row_joins_the_one_before(table, n_rows, batch_size, sizes):
    batches = make_batches(make_rows(table, n_rows), batch_size)

    assert [len(batch) for batch in batches] == sizes
    assert n_steps(n_rows, batch_size) == len(batches) == len(sizes)


def test_unknown_rate_replaces_that_share_of_the_ids_and_no_number(table):
    rows = make_rows(table, 40_000)
    batch = next(iter(make_batches(rows, batch_size=40_000, unknown_rate=0.05))).features

    for ids in (batch["item"], batch["hist_item"][0], batch["genres"][0]):
        assert float((ids == 1).float().mean()) == pytest.approx(0.05, abs=0.01)
    assert set(batch["age"].tolist()) == {0.5, -1.0, 2.0, 0.0}


def test_unknown_rate_leaves_the_table_as_it_was(table):
    before = table["item"].copy()
    list(make_batches(make_rows(table), batch_size=2, unknown_rate=0.9))

    np.testing.assert_array_equal(table["item"], before)


def test_weights_follow_their_rows(table):
    rows = make_rows(table, 20, weight=torch.arange(20, dtype=torch.float32) * 10)

    for batch in make_batches(rows, batch_size=6):
        assert batch.weight.tolist() == (batch.target * 10).tolist()


def test_blocks_in_order_are_the_table(table):
    blocks = list(batches_in_order(TensorTable(table, CPU), 3))

    assert [len(block["item"]) for block in blocks] == [3, 1]
    assert torch.cat([block["item"] for block in blocks]).tolist() == table["item"].tolist()
