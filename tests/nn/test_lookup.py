"""Looking up rows against ``torch.nn.functional.embedding``."""

import pytest
import torch
from torch.nn import functional

from sklearn_din.nn._lookup import gradient_of_rows, look_up, rows_of_gradient

IDS = torch.tensor([4, 0, 2, 4, 4, 1])


def gradient_of(function, ids):
    weight = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rows = function(weight, ids)
    (rows * torch.arange(3.0 * len(ids), dtype=torch.float64).reshape(-1, 3)).sum().backward()
    return rows.detach(), weight.grad


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("ids", [IDS, IDS[:0]])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("has_padding", [False, True])
def test_rows_and_gradient_are_those_of_embedding(has_padding, is_sparse, ids, dtype):
    def oracle(weight, ids):
        return functional.embedding(ids, weight, padding_idx=0 if has_padding else None)

    rows, gradient = gradient_of(
        lambda weight, ids: look_up(weight, ids, has_padding=has_padding, is_sparse=is_sparse), ids.to(dtype)
    )
    expected, expected_gradient = gradient_of(oracle, ids)
    torch.testing.assert_close(rows, expected)
    assert gradient.is_sparse == is_sparse
    torch.testing.assert_close(gradient.to_dense(), expected_gradient)


def test_a_sparse_gradient_holds_each_id_once_in_order():
    _, gradient = gradient_of(lambda weight, ids: look_up(weight, ids, is_sparse=True), IDS)

    rows, values = rows_of_gradient(gradient)
    assert rows.tolist() == [0, 1, 2, 4]
    assert values.shape == (4, 3)


@pytest.mark.parametrize("has_padding", [False, True])
def test_the_gradient_is_that_of_finite_differences(has_padding):
    weight = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ids = IDS[IDS > 0]

    assert torch.autograd.gradcheck(lambda weight: look_up(weight, ids, has_padding=has_padding), weight)


def test_a_gradient_of_rows_is_zero_elsewhere():
    gradient = gradient_of_rows(torch.tensor([1, 3]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), (4, 2))

    assert gradient.to_dense().tolist() == [[0, 0], [1, 2], [0, 0], [3, 4]]
