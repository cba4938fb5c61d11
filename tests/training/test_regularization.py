"""Mini-batch aware regularization (paper, eq. 4 to 7) against hand-worked numbers and autograd."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_din.nn import DIN
from sklearn_din.training import MinibatchAwareL2, Rows, TensorTable, WholeTableL2

CPU = torch.device("cpu")


@pytest.fixture
def rows(table):
    return Rows(TensorTable(table, CPU), torch.arange(4), torch.zeros(4), None)


@pytest.fixture
def module(table):
    return DIN(table.layout, embedding_dim=2)


def gradients(module, rows, positions, regularization):
    """What the regularization adds to the gradient of each table for these rows."""
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    batch = SimpleNamespace(features=rows.table.batch(torch.tensor(positions)))
    regularization.on_grad_computed(SimpleNamespace(module_=module), None, batch=batch)
    return {name: module.embedding.weight(name).grad for name in module.embedding.table_names}


def test_an_id_counts_once_per_row_candidate_and_history_together(module, rows):
    counts = rows.count(module)

    # items by row: {2, 3, 4}, {3}, {4, 2, 7}, {2, 5}
    assert counts["item"].tolist() == [0, 0, 3, 2, 2, 1, 0, 1]
    assert counts["genres"].tolist() == [0, 0, 1, 1, 1]


def test_only_the_training_rows_are_counted(module, table):
    rows = Rows(TensorTable(table, CPU), torch.tensor([0, 2]), torch.zeros(2), None)

    assert rows.count(module)["item"].tolist() == [0, 0, 2, 1, 2, 0, 0, 1]


def test_counts_of_parts_add_up_to_those_of_the_whole(module, table, rows):
    tensors = TensorTable(table, CPU)
    first, second = (Rows(tensors, torch.tensor(part), torch.zeros(2), None) for part in ([0, 3], [1, 2]))

    counts = second.count(module, 0.25, earlier=first.count(module, 0.25))

    whole = rows.count(module, 0.25)
    assert counts.keys() == whole.keys()
    for name, count in counts.items():
        torch.testing.assert_close(count, whole[name])


def test_an_id_that_no_row_was_counted_for_is_pulled_as_one_that_occurs_once(module, rows):
    nowhere = {name: torch.zeros_like(count) for name, count in rows.count(module).items()}
    once = {name: torch.ones_like(count) for name, count in nowhere.items()}

    pulled, expected = (gradients(module, rows, [3], MinibatchAwareL2(0.9, counts)) for counts in (nowhere, once))
    for name, gradient in pulled.items():
        torch.testing.assert_close(gradient, expected[name])


def test_a_distance_from_the_newest_counts_the_histories_that_reach_it(module, rows):
    assert rows.count(module)["recency", "hist_item"].tolist() == [3, 2, 1]


def test_unknown_counts_as_often_as_training_will_show_it(module, rows):
    rate = 0.25
    ids_per_row = np.array([3, 1, 4, 2])

    expected = (1 - (1 - rate) ** ids_per_row).sum()
    assert float(rows.count(module, rate)["item"][1]) == pytest.approx(expected)


def test_the_gradient_of_two_ids_is_the_hand_worked_one(module, rows):
    with torch.no_grad():
        module.embedding.weight("item")[2] = torch.tensor([0.3, -0.6])
        module.embedding.weight("item")[5] = torch.tensor([1.0, 2.0])

    added = gradients(module, rows, [3], MinibatchAwareL2(0.9, rows.count(module)))["item"]

    # row 3 has the candidate 2 (3 rows) and the behavior 5 (1 row): 0.9 / 3 * w_2 and 0.9 / 1 * w_5
    torch.testing.assert_close(added[2], torch.tensor([0.09, -0.18]))
    torch.testing.assert_close(added[5], torch.tensor([0.9, 1.8]))
    assert added[[0, 1, 3, 4, 6, 7]].count_nonzero() == 0


def test_the_gradient_is_that_of_the_written_out_sum(module, rows):
    counts = rows.count(module)
    added = gradients(module, rows, [0, 2], MinibatchAwareL2(2.0, counts))

    weight = module.embedding.weight("item").detach().clone().requires_grad_()
    penalty = sum(weight[j].square().sum() / counts["item"][j] for j in {2, 3, 4, 7})
    (2.0 / 2 * penalty).backward()
    torch.testing.assert_close(added["item"], weight.grad)
    recency = module.embedding.weight(("recency", "hist_item")).detach()
    torch.testing.assert_close(added["recency", "hist_item"], 2.0 * recency / torch.tensor([[3.0], [2.0], [1.0]]))


def test_whole_table_l2_pulls_absent_ids_too(module, rows):
    added = gradients(module, rows, [3], WholeTableL2(0.5))

    torch.testing.assert_close(added["item"], 0.5 * module.embedding.weight("item").detach())
