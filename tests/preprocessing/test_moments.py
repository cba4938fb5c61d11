"""Mean and spread of numbers in parts, against fractions that Python computes exactly."""

import math
from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing._moments import Moments, exact_sum

NUMBERS = st.one_of(
    st.floats(-3.4e38, 3.4e38),
    st.sampled_from([0.0, -0.0, 0.1, 0.2, 1e6, math.nextafter(1e6, 2e6), 5e-324, -1e-310, 2.0**-1022, 3.4e38]),
)
PARTS = st.lists(st.lists(NUMBERS, max_size=5), min_size=1, max_size=4)


def moments_of(numbers):
    return Moments.of(np.array(numbers, dtype=np.float64))


def exact_variance(numbers):
    exact = list(map(Fraction, numbers))
    mean = sum(exact) / len(exact)
    return sum((each - mean) ** 2 for each in exact) / len(exact)


@settings(max_examples=300)
@given(numbers=st.lists(NUMBERS, max_size=20))
def test_a_sum_is_exact(numbers):
    assert Fraction(exact_sum(np.array(numbers, dtype=np.float64)), 2**1074) == sum(map(Fraction, numbers))


def test_a_sum_of_many_numbers_is_exact():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=150_000) * 10.0 ** rng.integers(-20, 20, 150_000)

    assert exact_sum(numbers) == int(sum(map(Fraction, numbers)) * 2**1074)


@settings(max_examples=300)
@given(parts=PARTS)
def test_the_moments_of_parts_are_those_of_all_numbers(parts):
    numbers = [number for part in parts for number in part]
    forwards = reduce(add, map(moments_of, parts))
    backwards = reduce(add, map(moments_of, reversed(parts)))

    assert forwards.n == backwards.n == len(numbers)
    if numbers:
        mean = sum(map(Fraction, numbers)) / len(numbers)
        assert forwards.mean == backwards.mean == mean.numerator / mean.denominator
        variance = exact_variance(numbers)
        if variance > 1e-280:  # squares of less have no digits
            for moments in (forwards, backwards):
                assert moments.deviation == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_missing_numbers_are_left_out():
    assert moments_of([1.0, math.nan, 3.0]) == moments_of([1.0, 3.0])


@pytest.mark.parametrize("numbers", [[], [math.nan], [0.1] * 10])
def test_numbers_without_spread_have_a_deviation_of_one(numbers):
    moments = moments_of(numbers) + moments_of(numbers)

    assert moments.deviation == 1.0
    assert moments.mean == (0.1 if len(numbers) > 1 else 0.0)


@given(parts=PARTS)
def test_moments_come_back_from_their_state(parts):
    for part in parts:
        moments = moments_of(part)

        assert Moments.from_state(moments.to_state()) == moments


def test_the_state_of_a_sum_of_small_integers_has_a_small_number():
    assert moments_of([1.0, 2.0]).to_state() == [2, 3, 1074, 0.5]
