"""fit_distributed in one process: what it does without a launcher, and with one that has started a single process."""

import os
import socket

import numpy as np
import pyarrow.dataset as ds
import pytest
import torch.distributed as dist
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.distributed import fit_distributed
from sklearn_din.training import current_processes

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def launched(monkeypatch):
    """What a launcher of one process sets."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for name, value in zip(VARIABLES, ("0", "1", "127.0.0.1", str(port)), strict=True):
        monkeypatch.setenv(name, value)


@pytest.fixture
def group():
    """A process group of the user's own."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def weights(model):
    return {name: value.numpy() for name, value in model[-1].module_.state_dict().items()}


def assert_same_weights(model, expected, atol=0.0):
    for name, value in weights(expected).items():
        if atol and name.endswith("unit.mlp.output.bias"):  # of no effect under a softmax
            continue
        assert_allclose(weights(model)[name], value, atol=atol, rtol=0, err_msg=name)


def test_without_a_launcher_it_is_fit(clicks, make_model):
    X, y = clicks
    weight = np.arange(len(y)) % 3
    model = make_model()

    assert fit_distributed(model, X, y, din__sample_weight=weight) is model
    assert_same_weights(model, make_model().fit(X, y, din__sample_weight=weight))


def test_without_a_launcher_files_are_what_their_rows_are(folder, clicks, make_model):
    expected = make_model().fit(*clicks)

    for source in (folder, str(folder), ds.dataset(folder, format="parquet")):
        model = fit_distributed(make_model(), source, "click")
        assert_same_weights(model, expected)
        assert model["encode"].layout_ == expected["encode"].layout_


def test_weights_and_validation_rows_of_files(folder, clicks, make_model):
    X, y = clicks
    rows = ds.dataset(folder, format="parquet").to_table().append_column("w", [np.arange(len(y)) % 4])
    model = fit_distributed(
        make_model(), ds.dataset(folder), "click", din__X_val=X[:30], y_val=y[:30], sample_weight_val=np.ones(30)
    )
    encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    table = encoder.fit_transform(X)
    expected = clone(model[-1]).fit(table, y, X_val=table[:30], y_val=y[:30])

    assert_same_weights(model, make_pipeline(encoder, expected))
    folder.joinpath("weighted").mkdir()
    import pyarrow.parquet as pq

    pq.write_table(rows, folder / "weighted" / "a.parquet", row_group_size=50)
    weighted = fit_distributed(make_model(), folder / "weighted", "click", sample_weight="w")
    assert_same_weights(weighted, make_model().fit(X, y, din__sample_weight=np.arange(len(y)) % 4))


@pytest.mark.parametrize("rows", ["frame", "files"])
@pytest.mark.parametrize("parameters", [{}, {"sparse_embeddings": True, "scoring": "roc_auc", "verbose": 1}])
def test_a_launcher_of_one_process_changes_nothing(rows, parameters, launched, folder, clicks, make_model, capsys):
    X, y = clicks if rows == "frame" else (folder, "click")
    model = fit_distributed(make_model(**parameters), X, y)

    assert not dist.is_initialized()
    assert bool(capsys.readouterr().out) == bool(parameters)
    assert_same_weights(model, make_model(**parameters | {"verbose": 0}).fit(*clicks), atol=1e-5)


def test_a_second_fit_finds_nothing_of_the_first(launched, clicks, make_model):
    first, second = (fit_distributed(make_model(), *clicks) for _ in range(2))

    assert_same_weights(second, first)


def test_a_group_that_exists_is_used_and_left(group, clicks, make_model):
    model = fit_distributed(make_model(), *clicks)

    assert dist.is_initialized()
    assert_same_weights(model, make_model().fit(*clicks), atol=1e-5)


def test_a_model_that_was_fitted_together_goes_on_alone(launched, clicks, make_model):
    X, y = clicks
    model = fit_distributed(make_model(), X, y)
    table = model["encode"].transform(X)
    before = weights(model)
    model["din"].partial_fit(table, y)

    assert any((weights(model)[name] != value).any() for name, value in before.items())
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_part_by_part_training_can_be_shared_too(group, clicks, make_model):
    X, y = clicks
    table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)

    class ByParts(DINClassifier):
        def fit(self, X, y):
            return self.partial_fit(X, y, classes=[0, 1]).partial_fit(X, y)

    parameters = make_model()[-1].get_params()
    shared = fit_distributed(ByParts(**parameters), table, y)
    alone = ByParts(**parameters).fit(table, y)
    assert_same_weights([shared], [alone], atol=1e-5)


def test_an_estimator_alone_takes_encoded_rows(launched, clicks, make_model):
    X, y = clicks
    table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)
    model = fit_distributed(make_model()[-1], table, y)

    assert_same_weights([model], [make_model()[-1].fit(table, y)], atol=1e-5)


def test_regression_and_plain_numbers_are_shared_too(launched):
    X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    parameters = {"max_epochs": 2, "device": "cpu", "random_state": 0, "learning_rate": 1e-3}
    model = make_pipeline(StandardScaler(), DINRegressor(**parameters))

    fit_distributed(model, X, X[:, 0] ** 2)
    assert_allclose(model.predict(X), clone(model).fit(X, X[:, 0] ** 2).predict(X), atol=1e-5)


def test_histories_that_are_all_empty_are_shared_too(launched, clicks, make_model):
    X, y = clicks
    empty = X.assign(hist_item=[[]] * len(X), hist_category=[[]] * len(X))
    model = fit_distributed(make_model(), empty, y)

    assert_same_weights(model, make_model().fit(empty, y), atol=1e-5)


def test_an_error_leaves_neither_a_group_nor_a_half_fitted_model(launched, clicks, make_model):
    X, y = clicks

    class Failing(Callback):
        def on_epoch_end(self, net, **kwargs):
            msg = "as it happens"
            raise OSError(msg)

    model = make_model(callbacks=[Failing()])
    with pytest.raises(OSError, match="as it happens"):
        fit_distributed(model, X, y)
    assert not dist.is_initialized()
    assert current_processes() is None
    assert not model[-1].__sklearn_is_fitted__()


def test_a_fit_outside_of_the_call_is_not_shared(group, clicks, make_model, monkeypatch):
    monkeypatch.setattr("sklearn_din.nn._processes.Processes.gather_objects", None)
    model = make_model().fit(*clicks)

    assert_array_equal(model.predict(clicks[0]).shape, (120,))


def test_an_environment_that_names_half_is_refused(monkeypatch, clicks, make_model):
    monkeypatch.setitem(os.environ, "RANK", "0")
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "2")

    with pytest.raises(
        ValueError,
        match="has RANK=0 and WORLD_SIZE=2, but no MASTER_ADDR, MASTER_PORT. Start the program with torchrun",
    ):
        fit_distributed(make_model(), *clicks)


def test_several_processes_without_a_rank_are_refused(monkeypatch, clicks, make_model):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="The environment has WORLD_SIZE=2, but no RANK, MASTER_ADDR, MASTER_PORT"):
        fit_distributed(make_model(), *clicks)

    monkeypatch.setenv("WORLD_SIZE", "1")
    assert fit_distributed(make_model(), *clicks)


@pytest.mark.parametrize("timeout", [0, -1.5, None, "x", True, float("nan")])
def test_a_timeout_is_a_number_of_seconds(timeout, clicks, make_model):
    with pytest.raises(ValueError, match="timeout must be a number of seconds greater than 0: got"):
        fit_distributed(make_model(), *clicks, timeout=timeout)


def test_fits_of_other_places_leave_no_open_port(launched, clicks, make_model, monkeypatch):
    ports = [os.environ["MASTER_PORT"]]
    fit_distributed(make_model(), *clicks)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports.append(str(taken.getsockname()[1]))
    monkeypatch.setenv("MASTER_PORT", ports[1])
    fit_distributed(make_model(), *clicks)

    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(ports[0]))):
        pass


@pytest.mark.parametrize(
    "model",
    [
        DINClassifier(),
        make_pipeline(BehaviorEncoder(), StandardScaler(), DINClassifier()),
        make_pipeline(BehaviorEncoder(), StandardScaler()),
        make_pipeline(StandardScaler(), DINClassifier()),
    ],
)
def test_files_want_a_pipeline_of_encoder_and_estimator(model, folder):
    last = type(model[-1] if isinstance(model, Pipeline) else model).__name__

    with pytest.raises(TypeError, match=f"a pipeline of two steps, .* got .*{last}. Leave other steps out"):
        fit_distributed(model, folder, "click")


def test_parameters_that_fit_does_not_have_are_refused(folder, make_model):
    with pytest.raises(
        TypeError, match="There is no parameter 'weight' of fit for Parquet files. Give one of sample_we"
    ):
        fit_distributed(make_model(), folder, "click", weight="w")
    with pytest.raises(TypeError, match="There is no parameter 'encode__sample_weight'"):
        fit_distributed(make_model(), folder, "click", encode__sample_weight="w")
    with pytest.raises(TypeError, match="given twice, with and without 'din__': sample_weight, din__sample_weight"):
        fit_distributed(make_model(), folder, "click", sample_weight="w", din__sample_weight="w")
