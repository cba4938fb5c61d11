"""Training on Parquet files a buffer at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import check_is_fitted

from sklearn_din import DINRegressor
from sklearn_din.datasets import make_clicks
from sklearn_din.distributed import _row_groups, fit_out_of_core

WHOLE_BATCHES = {  # one step per epoch, without random numbers: the order of the rows doesn't matter
    "batch_size": 1000,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "dropout": 0.0,
    "unknown_rate": 0.0,
    "behavior_dropout": 0.0,
    "early_stopping": False,
    "max_epochs": 4,
}


def weights(model):
    return {name: value.numpy() for name, value in model[-1].module_.state_dict().items()}


def assert_same_weights(model, expected, atol):
    for name, value in weights(expected).items():
        assert_allclose(weights(model)[name], value, atol=atol, rtol=0, err_msg=name)


def test_with_a_buffer_for_all_rows_and_whole_batches_it_is_fit(folder, clicks, make_model):
    model = make_model(**WHOLE_BATCHES)

    assert fit_out_of_core(model, folder, "click") is model
    assert_same_weights(model, make_model(**WHOLE_BATCHES).fit(*clicks), atol=1e-6)
    assert model["encode"].layout_ == make_model()["encode"].fit(clicks[0]).layout_


def test_weights_are_those_of_fit(folder, clicks, make_model):
    X, y = clicks
    weight = (np.arange(len(y)) % 4) * 0.5
    path = folder / "weighted"
    path.mkdir()
    X.assign(click=y, w=weight).to_parquet(path / "a.parquet", row_group_size=40)
    parameters = WHOLE_BATCHES | {"class_weight": {0: 1.0, 1: 3.0}}
    model = fit_out_of_core(make_model(**parameters), path, "click", sample_weight="w")

    assert_same_weights(model, make_model(**parameters).fit(X, y, din__sample_weight=weight), atol=1e-6)


def test_a_regressor_learns_too(folder, clicks, make_model):
    X, _ = clicks
    target = np.random.default_rng(0).normal(5, 3, len(X))
    path = folder / "numbers"
    path.mkdir()
    X.assign(stars=target).to_parquet(path / "a.parquet", row_group_size=40)
    model = fit_out_of_core(make_model(DINRegressor, **WHOLE_BATCHES), path, "stars")
    expected = make_model(DINRegressor, **WHOLE_BATCHES).fit(X, target)

    assert_allclose(model.predict(X), expected.predict(X), atol=1e-5)


def test_a_buffer_smaller_than_the_rows_learns_as_well(tmp_path, make_model):
    X, y = make_clicks(4_000, n_items=100, n_categories=10, max_length=8, random_state=0)
    X[:3_000].assign(click=y[:3_000]).to_parquet(tmp_path / "a.parquet", row_group_size=200)
    model = fit_out_of_core(make_model(max_epochs=4), tmp_path, "click", buffer_size=500)

    assert roc_auc_score(y[3_000:], model.predict_proba(X[3_000:])[:, 1]) > 0.95
    assert model[-1].best_score_ is not None


def test_groups_are_read_one_at_a_time(folder, make_model, monkeypatch):
    original, read = _row_groups.RowGroups._read, []

    def noted(groups, group, columns):
        table = original(groups, group, columns)
        read.append(table.num_rows)
        return table

    monkeypatch.setattr(_row_groups.RowGroups, "_read", noted)
    fit_out_of_core(make_model(max_epochs=1), folder, "click", buffer_size=30)

    assert max(read) == 25


def test_the_same_seed_gives_the_same_model(folder, make_model):
    first, second = (fit_out_of_core(make_model(), folder, "click", buffer_size=40) for _ in range(2))

    assert_same_weights(second, first, atol=0)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "100"])
def test_a_buffer_is_a_number_of_rows(size, folder, make_model):
    with pytest.raises(ValueError, match="buffer_size must be a whole number of rows, at least 1: got"):
        fit_out_of_core(make_model(), folder, "click", buffer_size=size)


def test_a_row_that_is_wrong_is_named_and_leaves_no_half_fitted_model(folder, clicks, make_model):
    X, y = clicks
    numbers = y.astype(float)
    numbers[65] = np.inf
    path = folder / "wrong"
    path.mkdir()
    X.assign(stars=numbers).to_parquet(path / "a.parquet", row_group_size=50)
    model = make_model(DINRegressor)

    with pytest.raises(ValueError, match="infinity") as caught:
        fit_out_of_core(model, path, "stars")
    assert any("row group 1 of" in note for note in caught.value.__notes__)
    with pytest.raises(NotFittedError):
        check_is_fitted(model[-1])


def test_a_feature_that_is_wrong_is_named_with_its_place(folder, clicks, make_model):
    X, y = clicks
    ages = np.ones(len(y))
    ages[65] = np.inf
    path = folder / "wrong"
    path.mkdir()
    X.assign(click=y, age=ages).to_parquet(path / "a.parquet", row_group_size=50)

    with pytest.raises(ValueError, match="row 15 has inf") as caught:
        fit_out_of_core(make_model(), path, "click")
    assert any("row group 1 of" in note for note in caught.value.__notes__)


def test_several_processes_are_refused(folder, make_model, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")

    with pytest.raises(ValueError, match="fit_out_of_core is for one process: 3 were launched"):
        fit_out_of_core(make_model(), folder, "click")
