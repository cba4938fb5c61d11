"""Private generators, devices and threads."""

import os
import platform
import resource
import subprocess
import sys
from threading import Event, Thread
from time import sleep

import numpy as np
import pytest
import torch

from sklearn_din.training._runtime import _OPEN, draw_seed, make_random_source, resolve_device, threads

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

    assert draw_seed(state) != draw_seed(state)
    assert draw_seed(np.random.RandomState(0)) == draw_seed(np.random.RandomState(0))


@pytest.mark.parametrize("seed", [0, np.int64(7), 2**70])
def test_an_integer_is_its_own_seed(seed):
    assert draw_seed(seed) == seed


def test_none_differs_from_time_to_time_and_leaves_global_generators_alone():
    before = np.random.get_state()[1].copy(), torch.get_rng_state()

    assert draw_seed(None) != draw_seed(None)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_threads_are_restored_even_after_an_error():
    before = torch.get_num_threads()

    with pytest.raises(ZeroDivisionError), threads(before + 1):
        1 / (before + 1 - torch.get_num_threads())
    assert torch.get_num_threads() == before


def test_overlapping_blocks_in_two_threads_leave_the_number_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 2)
    first_is_in, second_is_in, first_is_out = Event(), Event(), Event()

    def first():
        with threads(before + 1):
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    def second():
        first_is_in.wait(10)
        with threads(before + 3):
            second_is_in.set()
            first_is_out.wait(10)

    seen = []
    try:
        for target in (first, second):
            Thread(target=target).start()
        first_is_out.wait(10)
        while _OPEN.count:
            sleep(0.001)
        checker = Thread(target=lambda: seen.append(torch.get_num_threads()))
        checker.start()
        checker.join()
        assert seen == [before + 2]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", ["no such device", "cuda:99", "meta"])
def test_a_device_that_is_not_there_raises(device):
    with pytest.raises(ValueError, match="can't be used"):
        resolve_device(device)


def test_auto_is_a_device_that_works():
    assert torch.zeros(1, device=resolve_device("auto")).sum() == 0


FAULTS = """
import resource, torch
from sklearn_din.training._runtime import keep_freed_memory

def faults(n_steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_steps):
        blocks = [torch.ones(2 * 2**20) for _ in range(3)]  # of 8 MiB
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults(3)
print(faults(10))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_freed_memory_is_used_again_without_page_faults():
    # A cluster of dask that other tests start sets thresholds of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    n_pages = 10 * 3 * 8 * 2**20 // resource.getpagesize()  # all would be fetched anew
    assert int(run.stdout) < n_pages / 20
