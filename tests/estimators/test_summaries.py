"""What is left of a target that is read in parts, against numpy on the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_din.estimators._summaries import LabelCounts, NumberMoments

SPLITS = [[12], [1, 11], [5, 4, 3], [1] * 12]


def summary_of(totals, y, weight, sizes):
    for rows in np.split(np.arange(len(y)), np.cumsum(sizes)[:-1]):
        totals.add(y[rows], None if weight is None else weight[rows])
    return totals.summary()


@pytest.fixture
def weight():
    return np.array([0.0, 2.0, 0.5, 1.0, 0.0, 3.0, 0.0, 1.0, 4.0, 0.25, 1.0, 2.0])


LABELS = [
    np.array([3, 1, 1, 3, 7, 7, 1, 1, 3, 3, 1, 7]),
    np.array(["no", "yes", "no", "maybe", "no", "yes"] * 2),
    np.array([True, False, False] * 4),
    np.array([0.5, 0.0, 0.5] * 4),
    np.array(["b", "a"] * 6, dtype=object),
    np.array([2**53, 2**53 + 1] * 6),
    np.array([2**64 - 1, 2**64 - 2] * 6, dtype=np.uint64),
    np.array([3, -1, -1] * 4, dtype=np.int8),
    np.array([0.5, 0.25] * 6, dtype=np.float32),
    np.array(["2024-01-02", "2023-12-31"] * 6, dtype="datetime64[ns]"),
    np.array(["2024-01-02", "2023-12-31"] * 6, dtype="datetime64[D]"),
]


@pytest.mark.parametrize("sizes", SPLITS, ids=str)
@pytest.mark.parametrize("y", LABELS, ids=lambda y: str(y.dtype))
def test_labels_are_counted_whatever_the_parts(y, weight, sizes):
    values, counts, weights, present = summary_of(LabelCounts(), y, weight, sizes)

    classes, n_rows = np.unique(y, return_counts=True)
    assert values.tolist() == classes.tolist()
    assert values.dtype == y.dtype
    assert counts.tolist() == n_rows.tolist()
    np.testing.assert_allclose(weights, [weight[y == label].sum() for label in classes])
    assert present.tolist() == [np.count_nonzero(weight[y == label]) for label in classes]


def test_a_longer_name_in_a_later_part_is_not_cut():
    totals = LabelCounts()
    for part in (["no", "no"], ["maybe", "no"], ["a"]):
        totals.add(np.array(part), None)
    values, counts, *_ = totals.summary()

    assert values.tolist() == ["a", "maybe", "no"]
    assert counts.tolist() == [1, 1, 3]


def test_labels_without_weights_weigh_one_each():
    values, counts, weights, present = summary_of(LabelCounts(), np.array([1, 0, 1, 1]), None, [3, 1])

    assert values.tolist() == [0, 1]
    assert counts.tolist() == weights.tolist() == present.tolist() == [1, 3]


@pytest.mark.parametrize("has_weights", [True, False])
@pytest.mark.parametrize("sizes", SPLITS, ids=str)
def test_two_numbers_have_the_mean_and_deviation_of_all(weight, sizes, has_weights):
    y = np.random.default_rng(0).normal(1e6, 3.0, size=12)
    weight = weight if has_weights else None
    values, counts, weights, present = summary_of(NumberMoments(), y, weight, sizes)

    mean = np.average(y, weights=weight)
    deviation = np.sqrt(np.average((y - mean) ** 2, weights=weight))
    assert np.average(values, weights=weights) == pytest.approx(mean, rel=1e-14)
    assert np.sqrt(np.average((values - values.mean()) ** 2)) == pytest.approx(deviation, rel=1e-8)
    assert counts.sum() == 12
    assert weights.sum() == pytest.approx(12 if weight is None else weight.sum())
    assert present.sum() == (12 if weight is None else np.count_nonzero(weight))


def test_a_part_without_weight_counts_only_as_rows():
    totals = NumberMoments()
    totals.add(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    before = totals.mean, totals.squares, totals.weight, totals.present
    totals.add(np.array([1e9]), np.array([0.0]))

    assert (totals.mean, totals.squares, totals.weight, totals.present) == before == (2.0, 2.0, 2.0, 2)
    assert totals.count == 3


def test_numbers_that_are_all_alike_have_no_deviation():
    values, *_ = summary_of(NumberMoments(), np.full(6, 0.1), None, [1, 2, 3])

    assert values.tolist() == pytest.approx([0.1, 0.1], rel=1e-15)


def test_nothing_that_has_a_weight_has_the_mean_zero():
    values, counts, weights, _ = summary_of(NumberMoments(), np.ones(2), np.zeros(2), [2])

    assert values.tolist() == weights.tolist() == [0, 0]
    assert counts.sum() == 2


ROWS = st.tuples(st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.5, 1.0, 7.0]))


@given(parts=st.lists(st.lists(ROWS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_moments_of_any_parts_are_those_of_numpy(parts):
    y, weight = np.array([row for part in parts for row in part]).T
    if not weight.any():
        return
    totals = NumberMoments()
    for part in parts:
        totals.add(*np.array(part).T)

    mean = np.average(y, weights=weight)
    size = np.abs(y).max()
    assert totals.mean == pytest.approx(mean, abs=1e-12 * size)
    assert totals.squares == pytest.approx(weight @ (y - mean) ** 2, rel=1e-9, abs=1e-12 * size**2)
