"""The skorch net: what it decays, how it steps, and what ends it."""

import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from sklearn_din.nn import DIN
from sklearn_din.training import BinaryLogLoss, Rows, TensorTable, build_net

CPU = torch.device("cpu")


@pytest.fixture
def rows(table):
    return Rows(TensorTable(table, CPU), torch.arange(4), torch.tensor([0.0, 1.0, 1.0, 0.0]), None)


def make_net(table, **parameters):
    module = DIN(table.layout, dropout=0.0, behavior_dropout=0.0)
    module.reset_parameters(torch.Generator().manual_seed(0))
    defaults = {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "regularization": None,
        "clip_norm": None,
        "callbacks": [],
        "max_epochs": 1,
        "batch_size": 4,
        "shuffling": torch.Generator().manual_seed(0),
        "noise": torch.Generator().manual_seed(0),
    }
    return build_net(module, BinaryLogLoss(), **(defaults | parameters))


def test_one_step_of_sgd_is_minus_the_learning_rate_times_the_gradient(table, rows):
    net, twin = make_net(table), make_net(table).module
    twin.train()
    loss = BinaryLogLoss()(twin(rows.table.batch(rows.positions)), rows.target)
    loss.backward()

    net.partial_fit(rows)
    for (name, after), before in zip(net.module_.named_parameters(), twin.parameters(), strict=True):
        expected = before if before.grad is None else before - 0.1 * before.grad
        torch.testing.assert_close(after, expected, msg=name)


def test_alpha_decays_the_matrices_of_the_network_only(table, rows):
    plain, decayed = make_net(table).partial_fit(rows), make_net(table, alpha=0.5).partial_fit(rows)
    untrained = make_net(table).module

    for name, start in untrained.named_parameters():
        difference = plain.module_.get_parameter(name) - decayed.module_.get_parameter(name)
        is_matrix = start.ndim == 2 and not name.startswith("embedding.tables.")
        torch.testing.assert_close(difference, 0.1 * 0.5 * start if is_matrix else torch.zeros_like(start), msg=name)


def test_train_loss_is_in_the_history_of_skorch(table, rows):
    net = make_net(table, max_epochs=3).partial_fit(rows)

    assert len(net.history[:, "train_loss"]) == 3


def test_ctrl_c_reaches_the_caller(table, rows):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_net(table, callbacks=[Interrupt()]).partial_fit(rows)


def test_early_stopping_of_skorch_ends_the_training_in_peace(table, rows):
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10.0, threshold_mode="abs")
    net = make_net(table, callbacks=[stop], max_epochs=9).partial_fit(rows)

    assert len(net.history) == 2
