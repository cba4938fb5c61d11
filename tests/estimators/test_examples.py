"""Which rows are held out."""

import numpy as np
import pytest

from sklearn_din.estimators._examples import Examples, hold_out


@pytest.mark.parametrize(("n_rows", "fraction", "expected"), [(100, 0.1, 10), (9, 0.1, 0), (10, 0.1, 1), (7, 0.5, 3)])
def test_the_share_is_rounded_down(n_rows, fraction, expected):
    assert hold_out(n_rows, fraction, np.random.default_rng(0)).sum() == expected


def test_each_class_is_held_out_in_proportion():
    strata = np.repeat([0, 1, 2], [700, 200, 100])

    held_out = hold_out(1000, 0.1, np.random.default_rng(0), strata)
    assert np.bincount(strata[held_out]).tolist() == [70, 20, 10]


@pytest.mark.parametrize("n_rows", [10, 20, 30, 300])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_no_class_is_held_out_as_a_whole(n_rows, fraction):
    rng = np.random.default_rng(n_rows)
    rows = np.arange(n_rows)
    for strata in (rows, rows // 2, rows == n_rows - 1, rng.integers(0, 5, n_rows)):
        held_out = hold_out(n_rows, fraction, rng, strata)
        assert set(strata[~held_out]) == set(strata)


def test_another_generator_holds_out_other_rows():
    first, second = (hold_out(100, 0.1, np.random.default_rng(seed)) for seed in (0, 1))

    assert (first != second).any()


def test_the_two_parts_are_all_rows_once():
    examples = Examples(None, np.arange(50) % 3, None, None, None, np.arange(50))

    train, held_out = examples.split(0.2, np.random.default_rng(0))
    assert sorted([*train.positions, *held_out.positions]) == list(range(50))


def test_nothing_is_held_out_of_few_rows():
    examples = Examples(None, np.arange(5), None, None, None, np.arange(5))

    train, held_out = examples.split(0.1, np.random.default_rng(0))
    assert held_out is None
    assert len(train.positions) == 5
