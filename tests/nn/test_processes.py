"""What processes tell each other, by threads; tests/distributed has real ones."""

import pytest
import torch


@pytest.mark.parametrize("n_rows", [[2, 0, 3], [0, 0, 0], [1, 1, 1]])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_gathered_rows_are_those_of_each_whatever_their_number(together, n_rows, shape):
    parts = [torch.full((n, *shape), rank + 1, dtype=torch.int32) for rank, n in enumerate(n_rows)]

    for gathered in together(3, lambda processes: processes.gather_rows(parts[processes.rank])):
        assert len(gathered) == 3
        assert all(got.equal(part) and got.dtype == part.dtype for got, part in zip(gathered, parts, strict=True))


def test_rows_that_lie_apart_in_memory_are_gathered_too(together):
    columns = torch.arange(6).reshape(3, 2).T  # (2, 3), by columns

    for gathered in together(2, lambda processes: processes.gather_rows(columns[: processes.rank + 1])):
        assert [part.tolist() for part in gathered] == [[[0, 2, 4]], [[0, 2, 4], [1, 3, 5]]]
