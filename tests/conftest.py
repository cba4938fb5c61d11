"""Settings that all tests share, and threads that stand for processes."""

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from hypothesis import settings
from torch import Tensor

from sklearn_din.nn._processes import Processes

# Examples are the same in every run, take the time they need, and leave no files behind.
settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.load_profile("gate")

# Small tensors gain nothing from threads, and the workers of xdist would fight for the cores.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``gpu`` on a machine without a CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


class Team(Processes):
    """Threads in the place of processes: what they tell each other goes by way of a list.

    Unlike processes, they notice when they call different methods, or give tensors that do not fit together.
    """

    def __init__(self, rank: int, places: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.count = rank, len(places)
        self.places, self.barrier = places, barrier

    def _told(self, method: str, value: Any) -> list[Any]:
        self.places[self.rank] = method, value
        self.barrier.wait()
        methods, values = zip(*self.places, strict=True)
        self.barrier.wait()  # nobody tells the next thing before all have read this one
        assert len(set(methods)) == 1, f"called at the same time: {methods}"
        return list(values)

    def _stacked(self, method: str, values: Tensor) -> Tensor:
        told = self._told(method, values.detach().clone())
        assert len({(each.shape, each.dtype) for each in told}) == 1, f"{method} of {told}"
        return torch.stack(told)

    def sum(self, values: Tensor) -> Tensor:
        return values.copy_(self._stacked("sum", values).sum(0))

    def greatest(self, values: Tensor) -> Tensor:
        return values.copy_(self._stacked("greatest", values).amax(0))

    def gather(self, values: Tensor) -> Tensor:
        return self._stacked("gather", values)

    def gather_objects(self, value: Any) -> list[Any]:
        return [pickle.loads(each) for each in self._told("gather_objects", pickle.dumps(value))]

    def first(self, value: Any) -> Any:
        return pickle.loads(self._told("first", pickle.dumps(value))[0])


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Return a function that calls ``work(processes)`` in several threads at once and returns what each returned."""

    def together(count: int, work: Callable[[Processes], Any]) -> list[Any]:
        barrier, places = threading.Barrier(count, timeout=60), [None] * count

        def of_one(rank: int) -> Any:
            try:
                return work(Team(rank, places, barrier))
            except BaseException:
                barrier.abort()  # or the others would wait
                raise

        with ThreadPoolExecutor(count) as pool:
            futures = [pool.submit(of_one, rank) for rank in range(count)]
        errors = [future.exception() for future in futures if future.exception() is not None]
        for error in sorted(errors, key=lambda each: isinstance(each, threading.BrokenBarrierError)):
            raise error
        return [future.result() for future in futures]

    return together
