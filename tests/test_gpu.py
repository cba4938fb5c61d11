"""Training and prediction on a CUDA device; skipped without one."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

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


def test_a_pickle_predicts_the_same_on_the_gpu_and_where_there_is_none(clicks, tmp_path):
    table, y = clicks
    model = DINClassifier(device="cuda", max_epochs=2, random_state=0).fit(table, y)
    expected = model.predict_proba(table)
    assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(table), expected, rtol=1e-6)  # sums in any order

    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((model, table)))
    code = (
        "import pickle, sys, pathlib; model, table = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes());"
        "print(model.device_, *model.predict_proba(table)[:, 1])"
    )
    command = [sys.executable, "-c", code, str(path)]
    out = subprocess.run(
        command, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True, check=True
    ).stdout.split()
    assert out[0] == "cpu"
    assert_allclose(np.array(out[1:], dtype=float), expected[:, 1], atol=1e-5)


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
