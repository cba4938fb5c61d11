"""Row-wise optimizers against those of torch, and gradients of rows against dense ones."""

import copy

import pytest
import torch
from torch import nn

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._lookup import gradient_of_rows
from sklearn_din.training import (
    BinaryLogLoss,
    MinibatchAwareL2,
    Rows,
    TensorTable,
    build_net,
    sparse_tables,
)
from sklearn_din.training._optimizers import SPARSE_FROM, GradientClipping, LazyAdam

CPU = torch.device("cpu")


def random_parameters(n):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(6, 3, dtype=torch.float64, generator=generator)) for _ in range(n)]


def random_rows(n_rows, generator):
    rows = torch.randperm(6, generator=generator)[:n_rows].sort().values
    return rows, torch.randn(n_rows, 3, dtype=torch.float64, generator=generator)


def run(optimizer, parameters, n_rows, *, is_sparse):
    """Ten steps; the first parameter has a gradient of ``n_rows`` rows, any others dense ones."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        rows, values = random_rows(n_rows, generator)
        gradient = gradient_of_rows(rows, values, (6, 3))
        parameters[0].grad = gradient if is_sparse else gradient.to_dense()
        for parameter in parameters[1:]:
            parameter.grad = torch.randn(6, 3, dtype=torch.float64, generator=generator)
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def test_rows_are_updated_as_torchs_sparse_adam_does():
    ours, oracle = random_parameters(1), random_parameters(1)

    # torch's SparseAdam adds eps before it corrects the bias, Adam after it: without eps they agree
    actual = run(LazyAdam(ours, lr=0.1, eps=0), ours, 2, is_sparse=True)
    expected = run(torch.optim.SparseAdam(oracle, lr=0.1, eps=1e-300), oracle, 2, is_sparse=True)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("is_fused", [False, True])
def test_rows_that_are_always_there_are_updated_as_adam_does(is_fused):
    ours, oracle = random_parameters(3), random_parameters(3)

    actual = run(LazyAdam(ours, lr=0.1, eps=1e-3, fused=is_fused), ours, 6, is_sparse=True)
    expected = run(torch.optim.Adam(oracle, lr=0.1, eps=1e-3), oracle, 6, is_sparse=False)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def test_without_sparse_gradients_it_is_adam():
    ours, oracle = random_parameters(2), random_parameters(2)

    actual = run(LazyAdam(ours, lr=0.1, fused=True), ours, 3, is_sparse=False)
    assert all(map(torch.equal, actual, run(torch.optim.Adam(oracle, lr=0.1, fused=True), oracle, 3, is_sparse=False)))


def test_a_closure_is_called_with_gradients_and_its_loss_returned():
    (parameter,) = random_parameters(1)
    optimizer = LazyAdam([parameter], lr=1e-4)

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss.detach()

    before = parameter.detach().clone()
    assert float(optimizer.step(closure)) == pytest.approx(float(before.square().sum()))
    assert (parameter.detach().abs() < before.abs()).all()


def test_rows_without_gradient_stay_to_the_bit():
    (parameter,) = random_parameters(1)
    before = parameter.detach().clone()
    parameter.grad = gradient_of_rows(torch.tensor([1, 4]), torch.ones(2, 3, dtype=torch.float64), (6, 3))
    optimizer = LazyAdam([parameter], lr=0.1)
    for _ in range(3):
        optimizer.step()

    assert parameter.grad.is_sparse
    assert parameter[[0, 2, 3, 5]].equal(before[[0, 2, 3, 5]])
    assert (parameter[[1, 4]] < before[[1, 4]]).all()


def test_clipping_scales_dense_and_sparse_gradients_by_their_norm_together():
    dense, sparse, absent = random_parameters(3)
    dense.grad = torch.full((6, 3), 2.0, dtype=torch.float64)
    sparse.grad = gradient_of_rows(torch.tensor([1, 4]), torch.full((2, 3), 4.0, dtype=torch.float64), (6, 3))
    norm = (18 * 4 + 6 * 16) ** 0.5
    named = [("dense", dense), ("sparse", sparse), ("absent", absent)]

    GradientClipping(100.0).on_grad_computed(None, iter(named))
    assert float(dense.grad[0, 0]) == 2
    GradientClipping(1.0).on_grad_computed(None, iter(named))
    assert float(dense.grad[0, 0]) == pytest.approx(2 / norm, rel=1e-5)
    assert float(sparse.grad.to_dense()[4, 0]) == pytest.approx(4 / norm, rel=1e-5)


def fitted(table, *, is_sparse, optimizer, **parameters):
    module = DIN(table.layout, dropout=0.0, behavior_dropout=0.5).double()
    module.reset_parameters(torch.Generator().manual_seed(0))
    module.set_generator(torch.Generator().manual_seed(2))
    rows = Rows(TensorTable(table, CPU), torch.arange(4), torch.tensor([0.0, 1.0, 1.0, 0.0]).double(), None)
    net = build_net(
        module,
        BinaryLogLoss(),
        optimizer=optimizer,
        learning_rate=0.1,
        regularization=MinibatchAwareL2(0.5, rows.count(module)),
        clip_norm=0.5,
        max_epochs=5,
        batch_size=2,
        sparse=sparse_tables(table.layout, is_sparse),
        shuffling=torch.Generator().manual_seed(1),
        noise=torch.Generator().manual_seed(2),
        **parameters,
    )
    net.partial_fit(rows)
    return net.module_.state_dict()


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_without_momentum_sparse_gradients_train_the_same_network(table, optimizer):
    sparse = fitted(table, is_sparse=True, optimizer=optimizer)
    dense = fitted(table, is_sparse=False, optimizer=optimizer)

    for name, weight in dense.items():
        torch.testing.assert_close(sparse[name], weight, rtol=1e-8, atol=1e-8, msg=name)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_with_momentum_they_train_another_one(table, optimizer):
    sparse = fitted(table, is_sparse=True, optimizer=optimizer)
    dense = fitted(table, is_sparse=False, optimizer=optimizer)

    assert any(not torch.allclose(sparse[name], dense[name]) for name in dense)
    absent = "embedding.tables.weights.0"  # the items; id 6 occurs in no row
    assert sparse[absent][6].equal(dense[absent][6])


@pytest.mark.parametrize("is_fused", [False, True])
def test_sparse_and_dense_gradients_of_one_table_may_take_turns(is_fused):
    ours, oracle = random_parameters(1), random_parameters(1)
    optimizers = LazyAdam(ours, lr=0.1, fused=is_fused), torch.optim.Adam(oracle, lr=0.1)
    generator = torch.Generator().manual_seed(1)
    for step in range(6):
        rows, values = random_rows(6, generator)
        gradient = gradient_of_rows(rows, values, (6, 3))
        ours[0].grad = gradient if step % 2 else gradient.to_dense()
        oracle[0].grad = gradient.to_dense()
        for optimizer in optimizers:
            optimizer.step()

    torch.testing.assert_close(ours[0], oracle[0], rtol=1e-10, atol=1e-10)


def test_auto_takes_the_big_tables():
    sequence = BehaviorSequence((BehaviorField("hist_item", "item", SPARSE_FROM),))
    columns = (IdColumn("item", SPARSE_FROM), IdColumn("city", SPARSE_FROM - 1))
    layout = FeatureLayout(categorical=columns, sequences=(sequence,))

    assert sparse_tables(layout, "auto") == {"item"}
    assert sparse_tables(layout, True) == {"item", "city"}
    assert sparse_tables(layout, False) == set()


def test_a_loaded_state_steps_on_as_the_original():
    (parameter,) = random_parameters(1)
    optimizer = LazyAdam([parameter], lr=0.1)
    parameter.grad = gradient_of_rows(torch.tensor([1]), torch.ones(1, 3, dtype=torch.float64), (6, 3))
    optimizer.step()
    twin = nn.Parameter(parameter.detach().clone())
    other = LazyAdam([twin], lr=0.1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    twin.grad = parameter.grad.clone()

    optimizer.step()
    other.step()
    assert twin.equal(parameter)
