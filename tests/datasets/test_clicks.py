"""make_clicks: the label is the rule, and nothing but the rule."""

import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sklearn_din.datasets import make_clicks


def holds_category(X):
    """Tell row by row whether the history holds the candidate's category."""
    return np.array([c in history.tolist() for c, history in zip(X["category"], X["hist_category"], strict=True)])


@pytest.mark.parametrize(("n_categories", "max_length"), [(200, 30), (2, 1), (2, 8), (5, 30), (40, 3)])
def test_the_label_is_one_exactly_where_the_history_holds_the_category(n_categories, max_length):
    X, y = make_clicks(301, n_items=200, n_categories=n_categories, max_length=max_length, random_state=0)

    np.testing.assert_array_equal(y, holds_category(X))
    assert y.sum() == 150


@pytest.mark.parametrize(("n_samples", "n_positive"), [(1, 0), (2, 1), (7, 3)])
def test_half_of_the_rows_rounded_down_are_positive(n_samples, n_positive):
    assert make_clicks(n_samples, random_state=0)[1].sum() == n_positive


def test_each_item_has_one_category():
    X, _ = make_clicks(500, n_items=30, n_categories=7, random_state=0)

    items = np.concatenate([X["item"], *X["hist_item"]])
    categories = np.concatenate([X["category"], *X["hist_category"]])
    pairs = np.unique(np.stack([items, categories]), axis=1)
    np.testing.assert_array_equal(pairs[0], np.arange(30))
    np.testing.assert_array_equal(np.bincount(pairs[1]), [5, 5, 4, 4, 4, 4, 4])


def test_histories_are_arrays_of_equal_length_from_one_on():
    X, _ = make_clicks(300, max_length=6, random_state=0)

    lengths = X["hist_item"].map(len)
    assert lengths.equals(X["hist_category"].map(len))
    assert set(lengths) == {1, 2, 3, 4, 5, 6}
    assert (
        X.dtypes["item"] == X.dtypes["category"] == X["hist_item"][0].dtype == X["hist_category"][0].dtype == np.int64
    )


# The standard error of an area of 0.5 from 10,000 rows of each class is 0.004.
@pytest.mark.parametrize("options", [{}, {"n_items": 50, "n_categories": 5}], ids=["many", "few"])
@pytest.mark.parametrize(
    "clue",
    [
        pytest.param(lambda X: X["hist_item"].map(len), id="length"),
        pytest.param(lambda X: X["hist_category"].map(lambda history: len(set(history))), id="distinct"),
        pytest.param(lambda X: X["hist_category"].map(lambda history: history[-1]), id="newest"),
        pytest.param(lambda X: X["hist_category"].map(np.mean), id="mean"),
        pytest.param(lambda X: X["category"], id="category"),
        pytest.param(lambda X: X["item"], id="item"),
    ],
)
def test_neither_the_history_nor_the_candidate_alone_tells_the_label(options, clue):
    X, y = make_clicks(20_000, random_state=0, **options)

    assert abs(roc_auc_score(y, clue(X)) - 0.5) < 0.015


def test_positions_of_the_candidate_s_category_are_spread_over_the_history():
    X, y = make_clicks(5_000, max_length=4, random_state=0)
    of_four = X[(y == 1) & (X["hist_item"].map(len) == 4)]

    places = np.stack(of_four["hist_category"]) == of_four["category"].to_numpy()[:, None]
    assert places.sum(axis=1).min() == 1
    assert (places.mean(axis=0) > 0.2).all()


def test_noise_flips_its_share_of_the_labels():
    X, y = make_clicks(5_000, noise=0.2, random_state=0)

    assert (y != holds_category(X)).mean() == pytest.approx(0.2, abs=0.02)
    X, y = make_clicks(50, noise=1.0, random_state=0)
    np.testing.assert_array_equal(y, ~holds_category(X))


def test_the_noise_changes_nothing_but_labels():
    X, _ = make_clicks(40, random_state=3)
    noisy, _ = make_clicks(40, noise=0.5, random_state=3)

    assert X["item"].equals(noisy["item"])
    assert [history.tolist() for history in X["hist_item"]] == [history.tolist() for history in noisy["hist_item"]]


def test_the_random_state_decides_the_rows():
    first, again, other = (make_clicks(40, random_state=state) for state in (1, np.random.RandomState(1), 2))

    assert first[0]["item"].equals(again[0]["item"])
    np.testing.assert_array_equal(first[1], again[1])
    assert not first[0]["item"].equals(other[0]["item"])


def test_the_global_generator_stays_untouched():
    before = np.random.get_state()[1].copy()

    make_clicks(10, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    "options",
    [
        {"n_samples": 0},
        {"n_items": 1},
        {"n_categories": 1},
        {"max_length": 0},
        {"max_length": 2.5},
        {"noise": -0.1},
        {"noise": 1.1},
        {"random_state": "seed"},
    ],
)
def test_parameters_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter of make_clicks must be"):
        make_clicks(**options)


def test_fewer_items_than_categories_are_refused():
    with pytest.raises(ValueError, match="Each category needs an item: got n_items=3 and n_categories=4"):
        make_clicks(10, n_items=3, n_categories=4)


def test_without_pandas_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match=r"pip install sklearn-din\[pandas\]"):
        make_clicks(10)
