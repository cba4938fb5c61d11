"""The activation unit against the formula on the full concatenation, and pooling against numbers worked by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_din.nn import ActivationUnit, AttentionPooling
from sklearn_din.nn._attention import UniformPooling

INTERACTIONS = ["difference_product", "outer", "concatenation"]
LENGTHS = np.array([2, 0, 3, 1])
OFFSETS = torch.tensor([0, 2, 2, 5, 6])
ROWS = np.array([0, 0, 2, 2, 2, 3])


class FirstColumn(nn.Module):
    """Scores a behavior by its first column."""

    def forward(self, candidate, behaviors, offsets, rows=None):
        return behaviors[:, 0]

    def reset_parameters(self, generator=None):
        """Do nothing."""


def random_inputs(candidate_dim, behavior_dim):
    generator = torch.Generator().manual_seed(1)
    candidate = torch.randn(4, candidate_dim, dtype=torch.float64, generator=generator)
    return candidate, torch.randn(6, behavior_dim, dtype=torch.float64, generator=generator)


def concatenate(a, e, interaction):
    """Return the input of the unit for one behavior as the papers write it."""
    counterpart = e[: len(a)]
    if interaction == "difference_product":
        return np.concatenate([a, e, a - counterpart, a * counterpart])
    if interaction == "outer":
        return np.concatenate([a, e, np.outer(a, counterpart).ravel()])
    return np.concatenate([a, e])


def scores_of_the_formula(unit, candidate, behaviors, interaction):
    """Score behavior by behavior; the unit's activation is tanh."""
    weights = [tensor.numpy() for tensor in unit.state_dict().values()]
    scores = []
    for row, e in zip(ROWS, behaviors.detach().numpy(), strict=True):
        x = concatenate(candidate.detach().numpy()[row], e, interaction)
        for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = np.tanh(weight @ x + bias)
        scores.append(weights[-2] @ x + weights[-1])
    return np.concatenate(scores)


@pytest.mark.parametrize("hidden_layer_sizes", [(5, 4), (3,), ()])
@pytest.mark.parametrize(("candidate_dim", "behavior_dim"), [(3, 3), (3, 5), (0, 2)])
@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_the_split_first_layer_is_the_formula_on_the_concatenation(
    interaction, candidate_dim, behavior_dim, hidden_layer_sizes, randomize
):
    unit = randomize(
        ActivationUnit(candidate_dim, behavior_dim, hidden_layer_sizes, activation="tanh", interaction=interaction)
    )
    candidate, behaviors = random_inputs(candidate_dim, behavior_dim)

    expected = scores_of_the_formula(unit, candidate, behaviors, interaction)
    np.testing.assert_allclose(unit(candidate, behaviors, OFFSETS).detach(), expected, rtol=1e-10)


@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_the_gradient_of_the_unit_is_that_of_finite_differences(interaction, randomize):
    unit = randomize(ActivationUnit(2, 3, (3,), interaction=interaction)).train()
    inputs = [tensor.requires_grad_() for tensor in random_inputs(2, 3)]
    names, parameters = zip(*unit.named_parameters(), strict=True)

    def score(candidate, behaviors, *parameters):
        return torch.func.functional_call(
            unit, dict(zip(names, parameters, strict=True)), (candidate, behaviors, OFFSETS)
        )

    assert torch.autograd.gradcheck(score, (*inputs, *parameters))


def test_dice_in_the_unit_sees_the_real_positions_of_the_batch(randomize):
    unit = randomize(ActivationUnit(2, 3, (4,), interaction="difference_product")).train()
    candidate, behaviors = random_inputs(2, 3)
    weight, bias = (tensor.detach().numpy() for tensor in (unit.mlp.first.weight, unit.mlp.first.bias))
    output, alpha = unit.mlp.output, unit.mlp.hidden[1].alpha.detach().numpy()

    units = []
    for row, e in zip(ROWS, behaviors.numpy(), strict=True):
        units.append(weight @ concatenate(candidate.numpy()[row], e, "difference_product") + bias)
    mean = sum(units) / len(units)
    variance = sum((unit - mean) ** 2 for unit in units) / len(units)
    expected = []
    for s in units:
        p = 1 / (1 + np.exp(-(s - mean) / np.sqrt(variance + 1e-8)))
        expected.append(output.weight.detach().numpy() @ (p * s + (1 - p) * alpha * s) + output.bias.item())
    np.testing.assert_allclose(unit(candidate, behaviors, OFFSETS).detach(), np.concatenate(expected), rtol=1e-8)


def test_dropout_follows_each_hidden_activation_of_the_unit():
    unit = ActivationUnit(2, 2, (4, 3), dropout=0.5)

    assert [type(layer).__name__ for layer in unit.mlp.hidden] == ["Linear", "Dice", "Dropout"] * 2
    assert unit.mlp.hidden[-1].p == 0.5


@pytest.mark.parametrize(
    ("normalization", "weights"),
    [
        ("softmax", [1 / 4, 3 / 4, 1 / 6, 2 / 6, 3 / 6, 1]),
        ("sigmoid", [1 / 2, 3 / 4, 2 / 3, 4 / 5, 6 / 7, 1 / 2]),
        (None, [0, np.log(3), np.log(2), np.log(4), np.log(6), 0]),
    ],
)
def test_interest_is_the_weighted_sum_of_the_behaviors(normalization, weights):
    scores = np.log([1, 3, 2, 4, 6, 1])  # sigmoid(log(x)) = x / (1 + x)
    behaviors = np.column_stack([scores, [1, 2, 3, 4, 5, 6]])
    pooling = AttentionPooling(FirstColumn(), normalization=normalization)

    interest, actual = pooling(torch.zeros(4, 0), torch.tensor(behaviors), OFFSETS)

    expected = np.zeros((4, 2))
    for row, weight, behavior in zip(ROWS, weights, behaviors, strict=True):
        expected[row] += weight * behavior
    np.testing.assert_allclose(actual, weights, rtol=1e-12)
    np.testing.assert_allclose(interest, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("pooling", "weights", "interest"),
    [
        ("mean", [1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3, 1], [3 / 2, 0, 4, 6]),
        ("sum", [1, 1, 1, 1, 1, 1], [3, 0, 12, 6]),
    ],
)
def test_uniform_pooling_does_not_look_at_the_candidate(pooling, weights, interest):
    behaviors = torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])

    for candidate in (torch.zeros(4, 1), torch.ones(4, 1)):
        actual, actual_weights = UniformPooling(pooling)(candidate, behaviors, OFFSETS)
        np.testing.assert_allclose(actual[:, 0], interest, rtol=1e-6)
        np.testing.assert_allclose(actual_weights, weights, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("normalization", ["softmax", "sigmoid", None])
def test_an_empty_history_has_no_interest_and_a_finite_gradient(normalization, training):
    pooling = AttentionPooling(ActivationUnit(3, 3), normalization=normalization).train(training)
    candidate, behaviors = (tensor.float().requires_grad_() for tensor in random_inputs(3, 3))

    interest, _ = pooling(candidate, behaviors, OFFSETS)
    interest.square().sum().backward()

    assert interest[1].tolist() == [0, 0, 0]
    assert interest[0].abs().min() > 0
    tensors = [candidate, behaviors, *pooling.parameters()]
    assert all(tensor.grad.isfinite().all() for tensor in tensors)
    assert candidate.grad[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_a_batch_of_empty_histories_has_no_interest(interaction, training):
    pooling = AttentionPooling(ActivationUnit(3, 4, interaction=interaction)).train(training)

    interest, weights = pooling(torch.ones(2, 3), torch.zeros(0, 4), torch.zeros(3, dtype=torch.int64))
    interest.sum().backward()

    assert interest.tolist() == [[0, 0, 0, 0]] * 2
    assert weights.shape == (0,)
    assert all(parameter.grad.isfinite().all() for parameter in pooling.parameters())


def test_a_reset_with_one_seed_gives_one_pooling():
    first, second = (AttentionPooling(ActivationUnit(2, 2)) for _ in range(2))
    for pooling in (first, second):
        pooling.reset_parameters(torch.Generator().manual_seed(0))

    assert first.unit.mlp.first.weight.equal(second.unit.mlp.first.weight)


@pytest.mark.parametrize(
    ("candidate", "behaviors", "offsets", "message"),
    [
        ((4, 3), (6, 2), 5, r"candidate must have two dimensions and 2 columns: got the shape \(4, 3\)"),
        ((4, 2), (6,), 5, r"behaviors must have two dimensions and 2 columns: got the shape \(6,\)"),
        ((4, 2), (6, 2), 4, r"offsets must have the shape \(5,\), one more than the 4 rows.*got the shape \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(candidate, behaviors, offsets, message):
    with pytest.raises(ValueError, match=message):
        ActivationUnit(2, 2)(torch.zeros(candidate), torch.zeros(behaviors), torch.zeros(offsets, dtype=torch.int64))


def test_a_behavior_narrower_than_the_candidate_is_refused():
    with pytest.raises(ValueError, match="got behavior_dim=2 and candidate_dim=3"):
        ActivationUnit(3, 2)


def test_unknown_options_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"interaction names no known option: got 'product'.*'outer', 'concatenation'"):
        ActivationUnit(2, 2, interaction="product")
    with pytest.raises(ValueError, match="activation names no known option: got 'swish'"):
        ActivationUnit(2, 2, activation="swish")
    with pytest.raises(
        ValueError, match=r"normalization names no known option: got 'none'.*'softmax', 'sigmoid', None"
    ):
        AttentionPooling(ActivationUnit(2, 2), normalization="none")
    with pytest.raises(ValueError, match=r"pooling names no known option: got 'max'.*'mean', 'sum'"):
        UniformPooling("max")
