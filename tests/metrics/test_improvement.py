"""RelaImpr against hand-worked numbers."""

import pytest

from sklearn_din.metrics import relative_improvement


@pytest.mark.parametrize(("score", "base", "expected"), [(0.75, 0.70, 0.25), (0.7, 0.7, 0.0), (0.4, 0.75, -1.4)])
def test_relative_improvement_compares_the_distance_from_chance(score, base, expected):
    assert relative_improvement(score, base) == pytest.approx(expected, abs=1e-12)


def test_relative_improvement_over_chance_is_undefined():
    with pytest.raises(ValueError, match=r"base is 0\.5"):
        relative_improvement(0.7, 0.5)


@pytest.mark.parametrize(("score", "base"), [(70, 0.6), (0.7, -0.1), (float("nan"), 0.6), ("0.7", 0.6)])
def test_relative_improvement_takes_fractions_only(score, base):
    with pytest.raises(ValueError, match="parameter of relative_improvement must be a float in the range"):
        relative_improvement(score, base)
