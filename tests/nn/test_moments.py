"""Mean and variance in parts against numpy, and the normalization of several processes against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from sklearn_din.nn._moments import combined, combined_over, moments_of, normalized_together

EPS = 1e-5
SPLITS = [[4, 4, 4], [9, 1, 2], [12], [0, 7, 0, 5], [0, 12]]


def make_x(n=12, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 5 + torch.randn(n, 3, dtype=dtype, generator=generator) * torch.tensor([1.0, 10.0, 0.1], dtype=dtype)


def test_moments_of_one_block_are_those_of_numpy():
    x = make_x()
    mean, variance = moments_of(x)

    np.testing.assert_allclose(mean, x.numpy().mean(0))
    np.testing.assert_allclose(variance, x.numpy().var(0))


@pytest.mark.parametrize("sizes", SPLITS)
def test_moments_of_parts_are_combined_to_those_of_all_rows(sizes):
    x = make_x()
    mean, variance = combined([moments_of(part) for part in x.split(sizes)], sizes)

    np.testing.assert_allclose(mean, x.numpy().mean(0))
    np.testing.assert_allclose(variance, x.numpy().var(0))


def test_no_rows_have_moments_of_zero():
    nothing = moments_of(torch.empty(0, 3))
    together = combined([nothing, nothing], [0, 0])

    for moments in (nothing, together):
        assert moments.mean.tolist() == moments.variance.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", SPLITS)
def test_moments_over_processes_are_those_of_all_rows_in_each(together, sizes, dtype):
    x = make_x(dtype=dtype)
    parts = x.split(sizes)

    def work(processes):
        part = parts[processes.rank]
        return combined_over(processes, moments_of(part), len(part))

    first, *others = together(len(sizes), work)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(first.mean, x.double().numpy().mean(0), rtol=tolerance)
    np.testing.assert_allclose(first.variance, x.double().numpy().var(0), rtol=tolerance)
    assert first.mean.dtype == first.variance.dtype == dtype
    assert all(other.mean.equal(first.mean) and other.variance.equal(first.variance) for other in others)


@pytest.mark.parametrize("sizes", SPLITS)
def test_normalized_together_is_the_batch_normalization_of_torch_on_the_whole(together, sizes):
    x, upstream = make_x().requires_grad_(), make_x(seed=1)
    expected = functional.batch_norm(x, None, None, training=True, eps=EPS)
    expected.backward(upstream)
    parts, upstreams = x.detach().split(sizes), upstream.split(sizes)

    def work(processes):
        part = parts[processes.rank].clone().requires_grad_()
        out, moments = normalized_together(part, processes, n_rows=12, eps=EPS)
        out.backward(upstreams[processes.rank])
        return out.detach(), part.grad, moments

    outs, gradients, moments = zip(*together(len(sizes), work), strict=True)
    torch.testing.assert_close(torch.cat(outs), expected.detach())
    torch.testing.assert_close(torch.cat(gradients), x.grad)
    for each in moments:
        np.testing.assert_allclose(each.mean, x.detach().numpy().mean(0))
        np.testing.assert_allclose(each.variance, x.detach().numpy().var(0))
        assert not each.mean.requires_grad
        assert not each.variance.requires_grad


def test_the_result_may_be_written_to_before_the_gradient_is_computed(together):
    x, upstream = make_x().requires_grad_(), make_x(seed=1)
    functional.batch_norm(x, None, None, training=True, eps=EPS).sigmoid().backward(upstream)

    def work(processes):
        part = x.detach().clone().requires_grad_()
        out, _ = normalized_together(part, processes, n_rows=12, eps=EPS)
        out.sigmoid_().backward(upstream)
        return part.grad

    torch.testing.assert_close(together(1, work)[0], x.grad)


def test_a_gradient_of_the_gradient_is_refused(together):
    def work(processes):
        out, _ = normalized_together(make_x().requires_grad_(), processes, n_rows=12, eps=EPS)
        out.sum().backward(create_graph=True)

    with pytest.raises(RuntimeError, match="differentiated once only"):
        together(1, work)
