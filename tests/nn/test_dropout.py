"""Dropout with a private generator."""

import copy
import pickle

import pytest
import torch

from sklearn_din.nn._dropout import Dropout


def seeded(p, seed=0):
    dropout = Dropout(p)
    dropout.generator = torch.Generator().manual_seed(seed)
    return dropout


def test_training_drops_the_share_and_keeps_the_mean():
    out = seeded(0.25)(torch.ones(10_000))

    assert sorted(set(out.tolist())) == pytest.approx([0, 4 / 3])
    assert (out == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 0)])
def test_any_shape_is_kept(shape):
    assert seeded(0.5)(torch.ones(shape)).shape == shape


@pytest.mark.parametrize(("p", "kept"), [(1e-9, 1.0), (1 - 1e-9, 0.0)])
def test_a_share_near_the_ends_is_finite(p, kept):
    out = seeded(p)(torch.ones(10_000))

    assert out.isfinite().all()
    assert (out != 0).double().mean().item() == pytest.approx(kept, abs=1e-3)


def test_the_four_values_of_a_draw_are_independent():
    dropped = (seeded(0.3)(torch.ones(100_000, 4)) == 0).double()

    assert dropped.mean(0).tolist() == pytest.approx([0.3] * 4, abs=0.01)
    correlations = torch.corrcoef(dropped.T)[~torch.eye(4, dtype=torch.bool)]
    assert correlations.abs().max() < 0.02  # its standard deviation is 0.003


def test_the_gradient_passes_where_the_value_does():
    x = torch.ones(50, requires_grad=True)
    out = seeded(0.5)(x)
    out.sum().backward()

    assert x.grad.equal(out.detach())


def test_inference_changes_nothing():
    x = torch.ones(50)

    assert seeded(0.5).eval()(x) is x


def test_a_share_of_zero_draws_nothing():
    dropout = seeded(0.0)
    before = dropout.generator.get_state()
    x = torch.ones(50)

    assert dropout(x) is x
    assert dropout.generator.get_state().equal(before)


def test_the_same_generator_drops_the_same_and_the_global_one_stays():
    before = torch.get_rng_state()

    assert seeded(0.5)(torch.ones(50)).equal(seeded(0.5)(torch.ones(50)))
    assert not seeded(0.5)(torch.ones(50)).equal(seeded(0.5, seed=1)(torch.ones(50)))
    assert torch.get_rng_state().equal(before)


def test_without_a_generator_the_global_one_is_drawn_from():
    with torch.random.fork_rng():
        torch.random.manual_seed(3)
        first = Dropout(0.5)(torch.ones(50))
        torch.random.manual_seed(3)

        assert Dropout(0.5)(torch.ones(50)).equal(first)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda dropout: pickle.loads(pickle.dumps(dropout))])
def test_a_copy_draws_the_same_from_a_generator_of_its_own(duplicate):
    dropout = seeded(0.5)
    other = duplicate(dropout)

    assert other.generator is not dropout.generator
    assert other(torch.ones(50)).equal(dropout(torch.ones(50)))


def test_the_generator_is_no_part_of_the_state():
    assert seeded(0.5).state_dict() == {}


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(p):
    with pytest.raises(ValueError, match=f"dropout must be at least 0 and below 1: got {p}"):
        Dropout(p)


def test_the_share_is_shown():
    assert repr(Dropout(0.2)) == "Dropout(p=0.2)"
