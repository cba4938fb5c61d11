"""The fully connected network against matrix products in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_din.nn import MLP
from sklearn_din.nn._dropout import Dropout


def random_inputs(n, width):
    return torch.randn(n, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_output_is_that_of_the_matrix_products(randomize):
    mlp = randomize(MLP(4, (5, 3), 2, activation="tanh"))
    x = random_inputs(6, 4)

    weights = [tensor.numpy() for tensor in mlp.state_dict().values()]
    expected = x.numpy()
    for weight, bias in ((weights[0], weights[1]), (weights[2], weights[3])):
        expected = np.tanh(expected @ weight.T + bias)
    expected = expected @ weights[4].T + weights[5]
    np.testing.assert_allclose(mlp(x).detach(), expected, rtol=1e-12)


def test_without_hidden_layers_it_is_linear(randomize):
    mlp = randomize(MLP(4, (), 2))
    x = random_inputs(6, 4)

    expected = x.numpy() @ mlp.output.weight.detach().numpy().T + mlp.output.bias.detach().numpy()
    np.testing.assert_allclose(mlp(x).detach(), expected, rtol=1e-12)
    assert mlp.first is mlp.output


def test_batch_normalization_stands_between_linear_layer_and_activation():
    mlp = MLP(4, (5,), 1, activation="relu", batch_norm=True, dropout=0.5)

    assert [type(layer).__name__ for layer in mlp.hidden] == ["Linear", "BatchNormalization", "ReLU", "Dropout"]


def test_batch_normalization_takes_the_columns_of_the_batch(randomize):
    mlp = randomize(MLP(4, (5,), 1, activation="relu", batch_norm=True)).train()
    x = random_inputs(6, 4)
    linear, norm = mlp.hidden[0], mlp.hidden[1]

    units = x.numpy() @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    units = (units - units.mean(axis=0)) / np.sqrt(units.var(axis=0) + 1e-5)
    units = np.maximum(units * norm.weight.detach().numpy() + norm.bias.detach().numpy(), 0)
    expected = units @ mlp.output.weight.detach().numpy().T + mlp.output.bias.detach().numpy()
    np.testing.assert_allclose(mlp(x).detach(), expected, rtol=1e-9)


@pytest.mark.parametrize("n", [0, 1])
def test_training_accepts_batches_without_a_variance(n):
    mlp = MLP(4, (5, 3), 2, batch_norm=True, dropout=0.3)
    out = mlp(torch.ones(n, 4))
    out.sum().backward()

    assert out.shape == (n, 2)
    assert all(parameter.grad.isfinite().all() for parameter in mlp.parameters())


def test_dropout_follows_each_activation():
    mlp = MLP(4, (5, 3), 1, dropout=0.5)

    assert [layer.p for layer in mlp.hidden if isinstance(layer, Dropout)] == [0.5, 0.5]
    assert isinstance(mlp.hidden[-1], Dropout)


def test_the_output_layer_is_linear_and_its_bias_shifts_the_output(randomize):
    mlp = randomize(MLP(4, (5,), 1)).eval()
    x = random_inputs(3, 4)
    before = mlp(x).detach()

    mlp.output.bias.data += 2.5

    assert isinstance(mlp.output, nn.Linear)
    np.testing.assert_allclose(mlp(x).detach(), before + 2.5, rtol=1e-12)


def test_a_reset_with_one_seed_gives_one_network():
    first, second = (MLP(4, (5, 3), 1, activation="prelu", batch_norm=True) for _ in range(2))
    for mlp in (first, second):
        for tensor in mlp.state_dict().values():
            tensor.fill_(9)
        mlp.reset_parameters(torch.Generator().manual_seed(0))

    for name, tensor in first.state_dict().items():
        assert tensor.equal(second.state_dict()[name])
        assert not (tensor == 9).any()
    assert first.hidden[2].weight.tolist() == [0.25] * 5


def test_another_width_is_refused():
    with pytest.raises(ValueError, match=r"x must have two dimensions and 4 columns: got the shape \(3, 5\)"):
        MLP(4, (), 1)(torch.zeros(3, 5))


def test_an_unknown_activation_is_refused_even_without_hidden_layers():
    with pytest.raises(ValueError, match="activation names no known option: got 'gelu'"):
        MLP(4, (), 1, activation="gelu")
