"""A step that several processes make together is the step of one process on the whole batch."""

import numpy as np
import pytest
import torch
import torch.distributed as dist

from sklearn_din.nn import DIN
from sklearn_din.nn._processes import Processes
from sklearn_din.training import (
    BinaryLogLoss,
    MinibatchAwareL2,
    MulticlassLogLoss,
    Rows,
    SharedTable,
    TableShare,
    TensorTable,
    build_net,
)

CPU = torch.device("cpu")
SPLITS = [[[0, 1, 2], [3]], [[1, 3], [], [0, 2]], [[0, 1, 2, 3]]]


def rows_of(tensors, n_classes, is_weighted):
    target = torch.tensor([0, 1, 1, n_classes - 1])
    target = target.float() if n_classes == 2 else target
    return Rows(tensors, torch.arange(4), target, torch.tensor([0.5, 2.0, 1.0, 0.5]) if is_weighted else None)


def make_net(table, n_classes=2, sparse=(), processes=None, **parameters):
    n_outputs = 1 if n_classes == 2 else n_classes
    module = DIN(table.layout, embedding_dim=2, hidden_layer_sizes=(5,), n_outputs=n_outputs, embedding_init_std=0.5)
    module.reset_parameters(torch.Generator().manual_seed(0))
    module.set_generator(torch.Generator().manual_seed(1))
    module.embedding.tables.sparse = frozenset(sparse)
    criterion = BinaryLogLoss() if n_classes == 2 else MulticlassLogLoss()
    net = build_net(module, criterion, batch_size=4, processes=processes, sparse=frozenset(sparse), **parameters)
    return net.initialize()


def first_batch(rows):
    shuffling, noise = (torch.Generator().manual_seed(seed) for seed in (2, 3))
    return next(iter(rows.batches(batch_size=4, unknown_rate=0.2, shuffling=shuffling, noise=noise)))


def step(net, batch):
    loss = net.train_step_single(batch)["loss"]
    return loss, {name: parameter.grad for name, parameter in net.module_.named_parameters()}


@pytest.mark.parametrize("sparse", [(), ("item", "genres")], ids=["dense", "sparse"])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_loss_and_gradients_are_those_of_the_whole_batch(together, table, split, n_classes, is_weighted, sparse):
    whole = first_batch(rows_of(TensorTable(table, CPU), n_classes, is_weighted))
    loss, gradients = step(make_net(table, n_classes, sparse), whole)

    def work(processes):
        share = TableShare(table[split[processes.rank]], np.array(split[processes.rank], dtype=np.int64), 4)
        net = make_net(table, n_classes, sparse, processes)
        net.call_parallel = net.module_.forward  # without torch's wrapper, which would take the mean of the gradients
        part = first_batch(rows_of(SharedTable(share, CPU, processes), n_classes, is_weighted))
        return step(net, part)

    members = together(len(split), work)
    for member_loss, _ in members:
        torch.testing.assert_close(member_loss, loss)
    for name, gradient in gradients.items():
        parts = [member[1][name] for member in members]
        if gradient.is_sparse:  # a mean already
            for part in parts:
                torch.testing.assert_close(part.to_dense(), gradient.to_dense(), atol=1e-6, rtol=1e-5)
        else:
            torch.testing.assert_close(sum(parts) / len(parts), gradient, atol=1e-6, rtol=1e-5)
    assert any(gradient.is_sparse for gradient in gradients.values()) == bool(sparse)


@pytest.fixture
def alone():
    """Return the processes of a real group of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Processes()
    dist.destroy_process_group()


def test_a_process_that_is_alone_hears_itself(alone):
    values = torch.tensor([[1.0, 2.0]])

    assert (alone.rank, alone.count) == (0, 1)
    assert alone.sum(values) is values
    assert alone.greatest(values) is values
    assert values.tolist() == [[1.0, 2.0]]
    assert alone.gather(values).tolist() == [[[1.0, 2.0]]]
    assert [part.tolist() for part in alone.gather_rows(values)] == [[[1.0, 2.0]]]
    assert alone.gather_objects({"rows": 3}) == [{"rows": 3}]
    assert alone.first({"seed": 3}) == {"seed": 3}


@pytest.mark.parametrize("sparse", [(), ("item", "genres")], ids=["dense", "sparse"])
def test_a_training_of_one_process_by_way_of_the_wrapper_is_a_plain_one(alone, table, sparse):
    trained = []
    for processes in (None, alone):
        tensors = TensorTable(table, CPU)
        if processes is not None:
            tensors = SharedTable(TableShare.of(table, processes), CPU, processes)
        rows = rows_of(tensors, 2, is_weighted=True)
        net = make_net(
            table,
            sparse=sparse,
            processes=processes,
            max_epochs=3,
            optimizer="sgd",
            learning_rate=0.1,
            clip_norm=1.0,
            regularization=MinibatchAwareL2(0.5, rows.count(make_net(table).module_), processes),
            shuffling=torch.Generator().manual_seed(2),
            noise=torch.Generator().manual_seed(3),
            unknown_rate=0.2,
        )
        trained.append(net.partial_fit(rows))

    plain, shared = trained
    assert plain.history[:, "train_loss"] == pytest.approx(shared.history[:, "train_loss"], rel=1e-6)
    for name, parameter in plain.module_.state_dict().items():
        torch.testing.assert_close(shared.module_.state_dict()[name], parameter, atol=1e-6, rtol=1e-5)
    assert not hasattr(shared, "call_parallel")
    assert not hasattr(shared.module_, "_ddp_params_and_buffers_to_ignore")


def test_the_share_is_taken_back_after_a_step_that_fails(together, table):
    def work(processes):
        net = make_net(table, processes=processes)
        net.call_parallel = None
        share = SharedTable(TableShare.of(table, processes), CPU, processes)
        with pytest.raises(TypeError):
            net.train_step_single(first_batch(rows_of(share, 2, is_weighted=False)))
        return net.module_._share

    assert together(2, work) == [None, None]


def test_processes_that_begin_with_other_weights_are_refused(together, table):
    def work(processes):
        net = make_net(table, sparse=("item",), processes=processes)
        with torch.no_grad():
            net.module_.embedding.weight("item")[3] += processes.rank  # sparse: no wrapper of torch makes it the same
        with pytest.raises(ValueError, match="All processes must have the same weights to begin with; process 1 and"):
            net.on_train_begin(net)

    together(2, work)
