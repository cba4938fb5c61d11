"""The activation unit in blocks against the same unit written out layer by layer, left to autograd."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from sklearn_din.nn import ActivationUnit, Dice
from sklearn_din.nn._blocked_scores import DiceLayer, Moments, blocked_scores, blocked_scores_of
from sklearn_din.nn._layers import BatchNormalization

EPS = 1e-8
OFFSETS = torch.tensor([0, 3, 3, 4, 30, 41])  # the second history is empty
ROWS = torch.repeat_interleave(torch.arange(5), OFFSETS.diff())
BLOCKS = [1, 7, 13, 41, 1000]


def make_arguments(candidate_dim=3, behavior_dim=5, sizes=(4, 6, 1), n_behaviors=41):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()

    return SimpleNamespace(
        of_row=draw(5, sizes[0]),
        candidate=draw(5, candidate_dim),
        behaviors=draw(n_behaviors, behavior_dim),
        of_behavior=draw(behavior_dim, sizes[0]),
        of_products=draw(candidate_dim, sizes[0]),
        layers=[DiceLayer(draw(before), draw(after, before), draw(after)) for before, after in pairwise(sizes)],
    )


def flattened(arguments):
    *tensors, layers = vars(arguments).values()
    return [*tensors, *(tensor for layer in layers for tensor in layer)]


def plainly_written(arguments, moments=None, rows=ROWS):
    """Equation 9 of the paper on the statistics of all behaviors at once (or on those given)."""
    a, e = arguments.candidate[rows], arguments.behaviors
    shared = e[:, : a.shape[1]]
    h = arguments.of_row[rows] + e @ arguments.of_behavior + (a * shared) @ arguments.of_products
    seen = []
    for i, layer in enumerate(arguments.layers):
        mean, variance = (h.mean(0), h.var(0, correction=0)) if moments is None else moments[i]
        seen.append((mean, variance))
        p = torch.sigmoid((h - mean) / torch.sqrt(variance + EPS))
        h = (p * h + (1 - p) * layer.alpha * h) @ layer.weight.T + layer.bias
    return h.squeeze(1), seen


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("sizes", [(4, 1), (4, 6, 1), (3, 2, 5, 1)])
@pytest.mark.parametrize(("candidate_dim", "behavior_dim"), [(3, 3), (3, 5), (0, 2)])
def test_scores_moments_and_gradients_are_those_of_the_plain_form(candidate_dim, behavior_dim, sizes, block):
    arguments = make_arguments(candidate_dim, behavior_dim, sizes)
    upstream = torch.randn(41, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected, expected_moments = plainly_written(arguments)
    expected_gradients = torch.autograd.grad(expected @ upstream, flattened(arguments))

    scores, moments = blocked_scores(**vars(arguments), rows=ROWS, eps=EPS, block=block)
    gradients = torch.autograd.grad(scores @ upstream, flattened(arguments))

    torch.testing.assert_close(scores, expected, rtol=1e-10, atol=1e-10)
    for pair, expected_pair in zip(moments, expected_moments, strict=True):
        torch.testing.assert_close(tuple(pair), expected_pair, rtol=1e-10, atol=1e-10)
        assert not pair.mean.requires_grad
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("block", [2, 41])
def test_gradients_are_those_of_finite_differences(block):
    arguments = make_arguments(2, 3, (3, 2, 1), n_behaviors=6)
    rows = torch.tensor([0, 0, 2, 3, 3, 4])

    def scores(of_row, candidate, behaviors, of_behavior, of_products, *flat):
        layers = [DiceLayer(*flat[start : start + 3]) for start in range(0, len(flat), 3)]
        tensors = of_row, candidate, behaviors, of_behavior, of_products, layers
        return blocked_scores(*tensors, rows=rows, eps=EPS, block=block)[0]

    assert torch.autograd.gradcheck(scores, flattened(arguments))


@pytest.mark.parametrize("block", BLOCKS)
def test_with_given_statistics_scores_are_those_of_the_plain_form(block):
    arguments = make_arguments()
    moments = [Moments(torch.full((n,), 0.3).double(), torch.full((n,), 2.0).double()) for n in (4, 6)]

    with torch.no_grad():
        scores = blocked_scores_of(moments, **vars(arguments), rows=ROWS, eps=EPS, block=block)
    torch.testing.assert_close(scores, plainly_written(arguments, moments)[0].detach(), rtol=1e-12, atol=1e-12)


def test_no_behaviors_have_no_scores():
    arguments = make_arguments(n_behaviors=0)
    moments = [Moments(torch.zeros(n).double(), torch.ones(n).double()) for n in (4, 6)]

    with torch.no_grad():
        rows = torch.zeros(0, dtype=torch.int64)
        assert blocked_scores_of(moments, **vars(arguments), rows=rows, eps=EPS).shape == (0,)


def run(unit, training):
    """Scores, gradients and buffers of a unit after one pass."""
    generator = torch.Generator().manual_seed(2)
    candidate = torch.randn(5, 3, dtype=torch.float64, generator=generator)
    behaviors = torch.randn(41, 4, dtype=torch.float64, generator=generator)
    unit.train(training)
    with torch.set_grad_enabled(training):
        scores = unit(candidate, behaviors, OFFSETS)
    gradients = torch.autograd.grad(scores.square().sum(), list(unit.parameters())) if training else ()
    return [scores, *gradients, *(buffer.double() for buffer in unit.buffers())]


@pytest.mark.parametrize("interaction", ["difference_product", "concatenation"])
def test_the_unit_gives_the_same_in_blocks_and_without(interaction, randomize, monkeypatch):
    def make_unit(can_block):
        unit = randomize(ActivationUnit(3, 4, (5, 2), interaction=interaction))
        assert unit.can_block
        unit.can_block = can_block
        return unit

    blocked, plain = make_unit(can_block=True), make_unit(can_block=False)
    for training in (True, True, False):
        for actual, expected in zip(run(blocked, training), run(plain, training), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "parameters", [{"activation": "relu"}, {"interaction": "outer"}, {"dropout": 0.5}, {"hidden_layer_sizes": ()}]
)
def test_a_unit_of_another_form_is_not_computed_in_blocks(parameters):
    assert not ActivationUnit(3, 4, **parameters).can_block


def test_in_inference_a_gradient_is_still_to_be_had(randomize):
    unit = randomize(ActivationUnit(3, 4, (5,))).eval()
    behaviors = torch.ones(41, 4, dtype=torch.float64, requires_grad=True)

    unit(torch.ones(5, 3, dtype=torch.float64), behaviors, OFFSETS).sum().backward()
    assert behaviors.grad.abs().sum() > 0


@pytest.mark.parametrize("frozen_type", [Dice, BatchNormalization])
def test_statistics_that_are_frozen_in_training_stay(randomize, frozen_type):
    unit = randomize(ActivationUnit(3, 4, (5, 2))).train()
    for module in unit.modules():
        if isinstance(module, frozen_type):
            module.eval()
    before = [buffer.clone() for buffer in unit.buffers()]
    behaviors = torch.randn(41, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    arguments = torch.ones(5, 3, dtype=torch.float64), behaviors, OFFSETS

    frozen = unit(*arguments)
    assert all(map(torch.equal, unit.buffers(), before))
    torch.testing.assert_close(frozen, unit.eval()(*arguments))
