"""Settings that all tests share."""

import pytest
import torch
from hypothesis import settings

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
