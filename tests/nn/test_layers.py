"""Initial values from a chosen generator, and batch normalization against loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_din.nn._layers import BatchNormalization, Linear, reset_children


def test_linear_starts_with_the_values_of_torch():
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        theirs = nn.Linear(7, 5)
        torch.random.manual_seed(0)
        ours = Linear(7, 5)

    assert ours.weight.equal(theirs.weight)
    assert ours.bias.equal(theirs.bias)


def test_linear_draws_from_the_given_generator_only():
    layer = Linear(100, 50)
    before = torch.get_rng_state()

    layer.reset_parameters(torch.Generator().manual_seed(0))
    first = layer.weight.clone()
    layer.reset_parameters(torch.Generator().manual_seed(0))

    assert layer.weight.equal(first)
    assert torch.get_rng_state().equal(before)
    assert layer.weight.abs().max().item() == pytest.approx(1 / math.sqrt(100), rel=0.01)


def test_linear_without_inputs_is_its_bias():
    assert Linear(0, 2)(torch.zeros(3, 0)).tolist() == [[0, 0]] * 3


def test_batch_normalization_agrees_with_torch_in_training_and_gradient():
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)) * 4 + 1
    outputs, gradients = [], []
    for layer in (BatchNormalization(3), nn.BatchNorm1d(3)):
        inputs = x.clone().requires_grad_()
        out = layer(inputs)
        (out**3).sum().backward()
        outputs.append(out.detach())
        gradients.append(inputs.grad)

    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)


def test_batch_normalization_in_inference_divides_by_the_averaged_variance():
    layer = BatchNormalization(1, eps=1e-12)
    batches = [np.array([0.0, 2.0, 4.0]), np.array([1.0, 1.0, 10.0])]
    for batch in batches:
        layer(torch.tensor(batch, dtype=torch.float32)[:, None])

    mean = (batches[0].mean() + batches[1].mean()) / 2
    variance = (batches[0].var(ddof=1) + batches[1].var(ddof=1)) / 2
    layer.eval()
    assert layer(torch.tensor([[7.0]])).item() == pytest.approx((7 - mean) / math.sqrt(variance), rel=1e-6)


def test_reset_reaches_modules_inside_containers():
    module = nn.Sequential(nn.ReLU(), nn.ModuleList([nn.Sequential(Linear(2, 2)), BatchNormalization(2)]))
    for tensor in module.state_dict().values():
        tensor.fill_(7)

    reset_children(module, torch.Generator().manual_seed(0))

    assert not any((tensor == 7).any() for tensor in module.state_dict().values())


def test_the_parameters_of_batch_normalization_are_shown():
    assert repr(BatchNormalization(2, affine=False)) == "BatchNormalization(2, eps=1e-05, momentum=0.1, affine=False)"
