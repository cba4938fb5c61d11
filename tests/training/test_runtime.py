"""Private generators, devices and threads."""

import numpy as np
import pytest
import torch

from sklearn_din.training._runtime import make_random_source, resolve_device, threads

CPU = torch.device("cpu")


def drawn(source):
    return [
        source.split.random(),
        *(float(torch.rand(1, generator=g)) for g in (source.initialization, source.shuffling, source.noise)),
    ]


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    assert drawn(make_random_source(3, CPU)) == drawn(make_random_source(3, CPU))
    assert drawn(make_random_source(3, CPU)) != drawn(make_random_source(4, CPU))


def test_the_four_generators_are_independent():
    assert len(set(drawn(make_random_source(0, CPU)))) == 4


def test_a_random_state_instance_is_drawn_from():
    state = np.random.RandomState(0)

    assert drawn(make_random_source(state, CPU)) != drawn(make_random_source(state, CPU))
    assert drawn(make_random_source(np.random.RandomState(0), CPU)) == drawn(
        make_random_source(np.random.RandomState(0), CPU)
    )


def test_none_differs_from_time_to_time_and_leaves_global_generators_alone():
    before = np.random.get_state()[1].copy(), torch.get_rng_state()

    assert drawn(make_random_source(None, CPU)) != drawn(make_random_source(None, CPU))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_threads_are_restored_even_after_an_error():
    before = torch.get_num_threads()

    with pytest.raises(ZeroDivisionError), threads(before + 1):
        1 / (before + 1 - torch.get_num_threads())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("device", ["no such device", "cuda:99"])
def test_a_device_that_is_not_there_raises(device):
    with pytest.raises(ValueError, match="can't be used"):
        resolve_device(device)


def test_auto_is_a_device_that_works():
    assert torch.zeros(1, device=resolve_device("auto")).sum() == 0
