"""Dice against equation 9 worked by hand, and the choice of activations by name."""

import numpy as np
import pytest
import torch

from sklearn_din.nn import Dice
from sklearn_din.nn._activations import make_activation


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=np.float64)))


def test_training_takes_mean_and_biased_variance_of_the_batch():
    dice = Dice(2).double()
    dice.alpha.data[:] = torch.tensor([0.0, 0.5])
    s = torch.tensor([[1.0, 10.0], [3.0, 20.0], [5.0, 60.0]], dtype=torch.float64)

    # Column 1: mean 3, variance (4 + 0 + 4) / 3. Column 2: mean 30, variance (400 + 100 + 900) / 3.
    p = sigmoid(
        [
            [-2 / np.sqrt(8 / 3), -20 / np.sqrt(1400 / 3)],
            [0, -10 / np.sqrt(1400 / 3)],
            [2 / np.sqrt(8 / 3), 30 / np.sqrt(1400 / 3)],
        ]
    )
    expected = p * s.numpy() + (1 - p) * np.array([0.0, 0.5]) * s.numpy()
    np.testing.assert_allclose(dice(s).detach(), expected, rtol=1e-6)


def test_inference_takes_the_moving_averages():
    dice = Dice(1).double().eval()
    dice.alpha.data[:] = 0.25
    dice.normalization.running_mean[:] = 2.0
    dice.normalization.running_var[:] = 4.0

    # (4 - 2) / 2 = 1 and (-2 - 2) / 2 = -2.
    expected = [4 * sigmoid(1) + (1 - sigmoid(1)) * 0.25 * 4, -2 * sigmoid(-2) - (1 - sigmoid(-2)) * 0.25 * 2]
    actual = dice(torch.tensor([[4.0], [-2.0]], dtype=torch.float64)).detach()
    np.testing.assert_allclose(actual[:, 0], expected, rtol=1e-7)


def test_epsilon_is_added_to_the_variance():
    dice = Dice(1, eps=3.0).double()

    # Mean 2, variance 1: the divisor is 2.
    actual = dice(torch.tensor([[1.0], [3.0]], dtype=torch.float64)).detach()
    np.testing.assert_allclose(actual[:, 0], [sigmoid(-0.5), 3 * sigmoid(0.5)], rtol=1e-12)


def test_the_first_batch_sets_the_moving_averages():
    dice = Dice(1)
    dice(torch.tensor([[1.0], [3.0], [8.0]]))

    assert dice.normalization.running_mean.item() == pytest.approx(4)
    assert dice.normalization.running_var.item() == pytest.approx(13)  # unbiased: (9 + 1 + 16) / 2


def test_the_moving_averages_are_plain_averages_until_momentum_outweighs_a_batch():
    dice = Dice(1, momentum=0.4)
    for mean in [1.0, 3.0, 8.0]:
        dice(torch.tensor([[mean - 1], [mean + 1]]))

    assert dice.normalization.running_mean.item() == pytest.approx(0.6 * (1 + 3) / 2 + 0.4 * 8)


def test_a_batch_of_one_row_takes_the_moving_averages_and_leaves_them():
    dice = Dice(1)
    dice(torch.tensor([[1.0], [3.0]]))  # mean 2, unbiased variance 2

    single = dice(torch.tensor([[5.0]])).item()

    assert single == pytest.approx(5 * sigmoid(3 / np.sqrt(2)), rel=1e-6)
    assert dice.normalization.running_mean.item() == 2
    assert dice.normalization.n_batches.item() == 1


@pytest.mark.parametrize("training", [True, False])
def test_no_rows_give_no_rows(training):
    dice = Dice(3).train(training)

    out = dice(torch.zeros(0, 3, requires_grad=True))
    out.sum().backward()

    assert out.shape == (0, 3)
    assert dice.alpha.grad.tolist() == [0, 0, 0]
    assert dice.normalization.running_var.tolist() == [1, 1, 1]
    assert dice.normalization.n_batches.item() == 0


def test_inference_leaves_the_moving_averages():
    dice = Dice(1).eval()
    dice(torch.tensor([[1.0], [3.0]]))

    assert dice.normalization.running_mean.item() == 0


def test_the_gradient_of_dice_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(5, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    dice = Dice(3).double()
    dice.alpha.data.normal_(generator=generator)

    assert torch.autograd.gradcheck(
        lambda s, alpha: torch.func.functional_call(dice, {"alpha": alpha}, s), (s, dice.alpha)
    )


def test_dice_refuses_another_width():
    with pytest.raises(ValueError, match=r"s must have two dimensions and 3 columns: got the shape \(5, 2\)"):
        Dice(3)(torch.zeros(5, 2))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dice", [-2 * sigmoid(-2), 3 * sigmoid(3)]),
        ("prelu", [-0.5, 3]),
        ("relu", [0, 3]),
        ("sigmoid", [sigmoid(-2), sigmoid(3)]),
        ("tanh", [np.tanh(-2), np.tanh(3)]),
    ],
)
def test_an_activation_is_chosen_by_name(name, expected):
    activation = make_activation(name, 1).eval()

    np.testing.assert_allclose(activation(torch.tensor([[-2.0], [3.0]])).detach()[:, 0], expected, rtol=1e-6)


def test_an_unknown_activation_is_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"activation names no known option: got 'swish'.*'dice', 'prelu', 'relu', 'sigmoid', 'tanh'"
    ):
        make_activation("swish", 3)
