"""Sums, means and softmax of segments, against loops over the segments."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sklearn_din.nn._segments import segment_ids, segment_mean, segment_softmax, segment_sum, segment_weighted_sum

OFFSETS = torch.tensor([0, 2, 2, 5, 6, 6])


def random_values(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def segments(values):
    return [values[start:stop].numpy() for start, stop in pairwise(OFFSETS)]


def test_each_value_knows_its_segment():
    assert segment_ids(OFFSETS).tolist() == [0, 0, 2, 2, 2, 3]
    assert segment_ids(OFFSETS, 6).tolist() == [0, 0, 2, 2, 2, 3]


@pytest.mark.parametrize("shape", [(6,), (6, 3)])
def test_the_sum_is_that_of_each_segment(shape):
    values = random_values(*shape)

    expected = np.stack([segment.sum(axis=0) for segment in segments(values)])
    np.testing.assert_allclose(segment_sum(values, OFFSETS), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(6,), (6, 3)])
def test_the_mean_of_an_empty_segment_is_zero(shape):
    values = random_values(*shape)

    expected = np.stack([segment.mean(axis=0) if len(segment) else np.zeros(shape[1:]) for segment in segments(values)])
    np.testing.assert_allclose(segment_mean(values, OFFSETS), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_the_weighted_sum_is_that_of_each_segment(dtype):
    values, weights = random_values(6, 3), random_values(6)

    products = (segment for segment in segments(values * weights[:, None]))
    expected = np.stack([segment.sum(axis=0) for segment in products])
    np.testing.assert_allclose(segment_weighted_sum(values, weights, OFFSETS.to(dtype)), expected, rtol=1e-12)


def test_the_softmax_sums_to_one_within_each_segment():
    scores = torch.tensor([0.0, np.log(3), 5.0, 5.0, 5.0 + np.log(2), -7.0], dtype=torch.float64)

    weights = segment_softmax(scores, OFFSETS)

    np.testing.assert_allclose(weights, [1 / 4, 3 / 4, 1 / 4, 1 / 4, 1 / 2, 1], rtol=1e-12)


def test_the_softmax_of_huge_scores_is_finite():
    scores = torch.tensor([1e4, 1e4, -1e4, -1e4, 0.0, -3e38])

    np.testing.assert_allclose(segment_softmax(scores, OFFSETS), [0.5, 0.5, 0, 0, 1, 1])


def test_rows_that_are_already_known_give_the_same():
    scores, rows = random_values(6), segment_ids(OFFSETS)

    assert segment_softmax(scores, OFFSETS, rows).equal(segment_softmax(scores, OFFSETS))
    assert segment_sum(scores, OFFSETS, rows).equal(segment_sum(scores, OFFSETS))
    assert segment_mean(scores, OFFSETS, rows).equal(segment_mean(scores, OFFSETS))


@pytest.mark.parametrize("function", [segment_sum, segment_mean, segment_softmax])
def test_the_gradient_is_that_of_finite_differences(function):
    values = random_values(6).requires_grad_()

    assert torch.autograd.gradcheck(lambda x: function(x, OFFSETS), values)


def test_the_gradient_of_the_weighted_sum_is_that_of_finite_differences():
    values, weights = random_values(6, 3).requires_grad_(), random_values(6).requires_grad_()

    assert torch.autograd.gradcheck(lambda x, w: segment_weighted_sum(x, w, OFFSETS), (values, weights))


def test_a_batch_of_empty_segments_sums_to_zero():
    offsets = torch.zeros(3, dtype=torch.int64)

    assert segment_softmax(torch.zeros(0), offsets).shape == (0,)
    assert segment_sum(torch.zeros(0, 2), offsets).tolist() == [[0, 0], [0, 0]]
    assert segment_mean(torch.zeros(0, 2), offsets).tolist() == [[0, 0], [0, 0]]
    assert segment_weighted_sum(torch.zeros(0, 2), torch.zeros(0), offsets).tolist() == [[0, 0], [0, 0]]
