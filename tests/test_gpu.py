"""Training and prediction on a CUDA device; skipped without one."""

import os
import pickle
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import distributed

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks
from sklearn_din.distributed import fit_distributed
from sklearn_din.persistence import load_model, save_model
from sklearn_din.training import TensorTable

pytestmark = pytest.mark.gpu

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}


@pytest.fixture(scope="module")
def clicks():
    X, y = make_clicks(2_000, n_items=300, n_categories=20, max_length=10, random_state=0)
    return BehaviorEncoder(BEHAVIORS).fit_transform(X), y


def test_auto_takes_the_gpu_and_learns(clicks):
    table, y = clicks
    model = DINClassifier(random_state=0).fit(table[:1_500], y[:1_500])

    assert model.device_.type == "cuda"
    assert next(model.module_.parameters()).is_cuda
    assert roc_auc_score(y[1_500:], model.predict_proba(table[1_500:])[:, 1]) > 0.9


def test_the_same_seed_starts_from_the_same_weights_on_both_devices(clicks):
    table, y = clicks
    parameters = {"max_epochs": 1, "learning_rate": 1e-12, "embedding_regularization": None, "random_state": 0}
    probabilities = [DINClassifier(device=d, **parameters).fit(table, y).predict_proba(table) for d in ("cpu", "cuda")]

    assert_allclose(*probabilities, atol=1e-3)


@pytest.mark.parametrize("sparse_embeddings", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
def test_every_optimizer_runs(clicks, optimizer, sparse_embeddings):
    table, y = clicks
    parameters = {"optimizer": optimizer, "sparse_embeddings": sparse_embeddings, "max_epochs": 1, "random_state": 0}
    model = DINClassifier(device="cuda", **parameters).fit(table, y)

    assert np.isfinite(model.predict_proba(table)).all()


def predicted_without_a_gpu(code, path):
    """Return device and probabilities that a process prints which sees no CUDA device."""
    command = [sys.executable, "-c", f"{code}; print(model.device_, *model.predict_proba(table)[:, 1])", str(path)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    return out[0], np.array(out[1:], dtype=float)


def test_a_pickle_predicts_the_same_on_the_gpu_and_where_there_is_none(clicks, tmp_path):
    table, y = clicks
    model = DINClassifier(device="cuda", max_epochs=2, random_state=0).fit(table, y)
    expected = model.predict_proba(table)
    assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(table), expected, rtol=1e-6)  # sums in any order

    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((model, table)))
    code = "import pickle, sys, pathlib; model, table = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())"
    device, probabilities = predicted_without_a_gpu(code, path)
    assert device == "cpu"
    assert_allclose(probabilities, expected[:, 1], atol=1e-5)


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_a_model_file_predicts_the_same_on_the_gpu_and_where_there_is_none(clicks, tmp_path, mixed_precision):
    table, y = clicks
    parameters = {"mixed_precision": mixed_precision, "max_epochs": 2, "random_state": 0}
    model = DINClassifier(device="cuda", **parameters).fit(table, y)
    expected = model.predict_proba(table)
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    loaded = load_model(path)
    assert next(loaded.module_.parameters()).is_cuda
    assert_allclose(loaded.predict_proba(table), expected, rtol=1e-6)

    (tmp_path / "table.pickle").write_bytes(pickle.dumps(table))
    code = (
        "import pickle, sys, pathlib; from sklearn_din.persistence import load_model; path = pathlib.Path(sys.argv[1]);"
        "model, table = load_model(path), pickle.loads((path.parent / 'table.pickle').read_bytes())"
    )
    device, probabilities = predicted_without_a_gpu(code, path)
    assert device == "cpu"
    assert_allclose(probabilities, expected[:, 1], atol=1e-5)


def test_a_module_that_was_moved_predicts_where_it_is(clicks):
    table, y = clicks
    model = DINClassifier(device="cuda", max_epochs=2, random_state=0).fit(table, y)
    expected = model.predict_proba(table)

    for device in ("cpu", "cuda"):
        model.module_.to(device)
        assert_allclose(model.predict_proba(table), expected, atol=1e-5)


def test_rows_whose_histories_are_all_empty_train_and_predict():
    X = {"item": [1, 2] * 50, "hist_item": [[]] * 100}
    table = BehaviorEncoder({"hist_item": "item"}).fit_transform(X)
    model = DINClassifier(device="cuda", max_epochs=2, random_state=0).fit(table, [0, 1] * 50)

    assert np.isfinite(model.predict_proba(table)).all()


# Where the data lies.


def tensors_in(value):
    """Return all tensors in dicts, lists and tuples."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [tensor for each in value for tensor in tensors_in(each)] if not isinstance(value, str | int) else []


def test_a_table_lies_on_the_device_and_batches_are_gathered_there(clicks):
    device = torch.device("cuda")
    table = TensorTable(clicks[0], device)
    columns = tensors_in([value for value in vars(table).values() if isinstance(value, dict | torch.Tensor)])
    batch = tensors_in(table.batch(torch.arange(5, device=device)))

    assert len(columns) >= 4  # two columns of ids, two of lists
    assert len(batch) >= 4
    assert {tensor.device.type for tensor in [*columns, *batch]} == {"cuda"}


def test_each_step_of_a_training_gets_its_batch_on_the_device(clicks):
    devices = set()

    class Observer(Callback):
        def on_batch_end(self, net, batch=None, **kwargs):
            devices.update(tensor.device.type for tensor in tensors_in([batch.features, batch.target, batch.weight]))

    table, y = clicks
    weight = np.linspace(0.5, 1.5, len(y))
    DINClassifier(max_epochs=1, callbacks=[Observer()], random_state=0).fit(table, y, sample_weight=weight)

    assert devices == {"cuda"}


# Mixed precision.


@pytest.mark.parametrize("activation", ["dice", "prelu", "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_layer_trains_in_mixed_precision(clicks, activation, batch_norm):
    table, y = clicks
    parameters = {"activation": activation, "attention_activation": activation, "batch_norm": batch_norm}
    parameters |= {"attention_dropout": 0.1, "candidate_bias": True, "max_epochs": 1, "random_state": 0}
    model = DINClassifier(mixed_precision=True, **parameters).fit(table, y)

    weights = [weight for weight in model.module_.state_dict().values() if weight.is_floating_point()]
    assert {weight.dtype for weight in weights} == {torch.float32}
    assert all(weight.isfinite().all() for weight in weights)


@pytest.mark.parametrize("attention_interaction", ["difference_product", "outer", "concatenation"])
@pytest.mark.parametrize("attention_normalization", ["softmax", "sigmoid", None])
def test_every_attention_trains_in_mixed_precision(clicks, attention_interaction, attention_normalization):
    table, y = clicks
    parameters = {"attention_interaction": attention_interaction, "attention_normalization": attention_normalization}
    parameters |= {"embedding_dim": 4, "max_epochs": 1, "random_state": 0}
    model = DINClassifier(mixed_precision=True, **parameters).fit(table, y)

    assert np.isfinite(model.predict_proba(table)).all()


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
@pytest.mark.parametrize("sparse_embeddings", [False, True])
def test_every_optimizer_trains_in_mixed_precision(clicks, optimizer, sparse_embeddings):
    table, y = clicks
    parameters = {"optimizer": optimizer, "sparse_embeddings": sparse_embeddings, "max_epochs": 1, "random_state": 0}
    model = DINClassifier(mixed_precision=True, **parameters).fit(table, y)

    assert np.isfinite(model.predict_proba(table)).all()


def test_mixed_precision_multiplies_in_bfloat16_in_training_only(clicks):
    products = set()

    class Observer(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.mlp.output.register_forward_hook(self.note)

        def note(self, module, inputs, output):
            products.add((module.training, output.dtype))

    table, y = clicks
    DINClassifier(mixed_precision=True, max_epochs=1, callbacks=[Observer()], random_state=0).fit(table, y)

    assert products == {(True, torch.bfloat16), (False, torch.float32)}


def test_mixed_precision_learns_as_float32_does(clicks):
    table, y = clicks
    model = DINClassifier(mixed_precision=True, random_state=0).fit(table[:1_500], y[:1_500])

    assert roc_auc_score(y[1_500:], model.predict_proba(table[1_500:])[:, 1]) > 0.9


# Several processes.


def test_a_launcher_of_one_process_fits_what_fit_does(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    launched = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    backends = set()

    class Observer(Callback):
        def on_epoch_end(self, net, **kwargs):
            backends.update(distributed.get_backend_config(net.processes.group).split(","))

    X, y = make_clicks(500, n_items=300, n_categories=20, max_length=10, random_state=0)
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), DINClassifier(device="cuda", max_epochs=2, random_state=0))
    expected = clone(model).fit(X, y)
    found = fit_distributed(model.set_params(dinclassifier__callbacks=[Observer()]), X, y)

    assert backends == {"cpu:gloo", "cuda:nccl"}
    assert not distributed.is_initialized()
    assert next(found[-1].module_.parameters()).is_cuda
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-4)


# What else there is on the machine.


def test_global_generators_are_left_alone(clicks):
    table, y = clicks
    torch.rand(1, device="cuda")
    before = torch.cuda.get_rng_state()
    DINClassifier(device="cuda", max_epochs=1, random_state=0).fit(table, y).predict(table)

    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.parametrize("sparse_embeddings", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
def test_partial_fit_goes_on_from_one_device_to_the_other(clicks, optimizer, sparse_embeddings):
    table, y = clicks
    model = DINClassifier(optimizer=optimizer, sparse_embeddings=sparse_embeddings, random_state=0)
    for device in ("cpu", "cuda", "cuda:0", "cpu"):
        model.set_params(device=device).partial_fit(table, y, classes=[0, 1])

        assert next(model.module_.parameters()).device.type == torch.device(device).type
        assert np.isfinite(model.predict_proba(table)).all()
    assert model.n_epochs_ == 4
