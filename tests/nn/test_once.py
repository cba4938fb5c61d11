"""Gradients made by hand refuse to be differentiated, also where they would only be left out in silence."""

import pytest
import torch

from sklearn_din.nn import DIN, ActivationUnit
from sklearn_din.nn._lookup import look_up
from sklearn_din.nn._segments import segment_weighted_sum

OFFSETS = torch.tensor([0, 2, 5])


def looked_up(weight):
    return look_up(weight, torch.tensor([1, 2, 2]))


def summed(values):
    return segment_weighted_sum(values, torch.ones(5), OFFSETS)


def scored(behaviors):
    return ActivationUnit(0, 3, (4,))(torch.zeros(2, 0), behaviors, OFFSETS)


@pytest.mark.parametrize("function", [looked_up, summed, scored])
def test_a_gradient_of_the_gradient_is_refused(function):
    x = torch.arange(15.0).reshape(5, 3).requires_grad_()
    torch.autograd.grad(function(x).square().sum(), x)  # once is fine

    with pytest.raises(RuntimeError, match="differentiated once"):
        torch.autograd.grad(function(x).square().sum(), x, create_graph=True)


@pytest.mark.parametrize("is_in_training", [True, False])
def test_the_network_refuses_it(layout, batch, is_in_training):
    network = DIN(layout).train(is_in_training)
    loss = network(batch).sum()

    with pytest.raises(RuntimeError, match="differentiated once"):
        torch.autograd.grad(loss, list(network.parameters()), create_graph=True, allow_unused=True)
