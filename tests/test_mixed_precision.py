"""Training with products of matrices in bfloat16: what is rounded, what is not, and that it learns all the same."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors import safe_open
from sklearn.base import clone
from sklearn.metrics import r2_score, roc_auc_score
from skorch.callbacks import Callback
from torch import nn

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.datasets import make_clicks
from sklearn_din.inspection import attention_weights
from sklearn_din.layout import FeatureLayout
from sklearn_din.nn import DIN, ActivationUnit, AttentionPooling, Dice
from sklearn_din.persistence import load_model, save_model
from sklearn_din.training import BinaryLogLoss, build_net

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8,),
    "hidden_layer_sizes": (8,),
    "max_epochs": 2,
    "batch_size": 64,
    "device": "cpu",
    "random_state": 0,
}
MIXED = SMALL | {"mixed_precision": True}
NUMBER = FeatureLayout(numeric=("x",))


@pytest.fixture(scope="module")
def clicks():
    X, y = make_clicks(2_000, n_items=300, n_categories=20, max_length=10, random_state=0)
    return BehaviorEncoder(BEHAVIORS).fit_transform(X), y


@pytest.fixture(scope="module")
def few(clicks):
    table, y = clicks
    return table[:300], y[:300]


def bfloat16(value):
    """Round a float32 to the upper half of its bits, to even where it lies in the middle."""
    bits = np.array(value, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


class Observer(Callback):
    """Notes the types of all numbers of a training, and how the matrices were multiplied."""

    def on_train_begin(self, net, **kwargs):
        self.types_, self.products_ = set(), set()
        linears = [module for module in net.module_.modules() if isinstance(module, nn.Linear)]
        self.hooks_ = [linear.register_forward_hook(self.note) for linear in linears]

    def note(self, module, inputs, output):
        self.products_.add((module.training, output.dtype))

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.types_ |= {tensor.dtype for _, parameter in named_parameters for tensor in (parameter, parameter.grad)}

    def on_batch_end(self, net, batch=None, training=None, loss=None, y_pred=None, **kwargs):
        self.types_ |= {loss.dtype, y_pred.dtype}

    def on_train_end(self, net, **kwargs):
        states = net.optimizer_.state.values()
        self.types_ |= {value.dtype for state in states for value in state.values()}
        self.types_ |= {value.dtype for value in net.module_.state_dict().values() if value.is_floating_point()}
        for hook in self.hooks_:
            hook.remove()


# What is rounded.


@pytest.mark.parametrize(("mixed_precision", "rounded"), [(True, bfloat16), (False, np.float32)])
def test_a_product_is_that_of_rounded_factors(mixed_precision, rounded):
    module = DIN(NUMBER, hidden_layer_sizes=())
    with torch.no_grad():
        module.mlp.output.weight.fill_(1.2345678)
        module.mlp.output.bias.fill_(0.0)
    net = build_net(module, BinaryLogLoss(), mixed_precision=mixed_precision).initialize()
    x = np.array([0.1, -3.3333333, 1000.123], dtype=np.float32)

    raw = net.raw_output({"x": torch.from_numpy(x)})
    assert raw.dtype == torch.float32
    assert_allclose(raw.detach(), rounded(rounded(x) * rounded(np.float32(1.2345678))), rtol=1e-7)


def test_training_multiplies_in_bfloat16_and_validation_does_not(few):
    observer = Observer()
    DINClassifier(**MIXED, callbacks=[observer]).fit(*few)

    assert observer.products_ == {(True, torch.bfloat16), (False, torch.float32)}


def test_without_it_everything_is_float32(few):
    observer = Observer()
    DINClassifier(**SMALL, callbacks=[observer]).fit(*few)

    assert {dtype for _, dtype in observer.products_} == {torch.float32}


@pytest.mark.parametrize("make", [DINClassifier, DINRegressor])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_it_trains_other_weights_close_to_those_of_float32(few, make, method):
    table, y = few
    parameters = {"classes": [0, 1]} if make is DINClassifier and method == "partial_fit" else {}
    plain, mixed = (getattr(make(**each), method)(table, y, **parameters) for each in (SMALL, MIXED))

    weights = [model.module_.mlp.output.weight.detach() for model in (plain, mixed)]
    assert not torch.equal(*weights)
    torch.testing.assert_close(*weights, atol=0.05, rtol=0)


def test_warm_start_goes_on_in_the_precision_of_the_moment(few):
    observer = Observer()
    model = DINClassifier(**SMALL, warm_start=True).fit(*few)
    model.set_params(mixed_precision=True, callbacks=[observer]).fit(*few)

    assert (True, torch.bfloat16) in observer.products_


# What is not.


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
@pytest.mark.parametrize("sparse_embeddings", [False, True])
def test_weights_gradients_moments_and_loss_stay_float32(few, optimizer, sparse_embeddings):
    observer = Observer()
    parameters = {"optimizer": optimizer, "sparse_embeddings": sparse_embeddings, "callbacks": [observer]}
    model = DINClassifier(**MIXED, **parameters).fit(*few)

    assert observer.types_ == {torch.float32}
    assert all(weight.isfinite().all() for weight in model.module_.state_dict().values())


def test_the_statistics_of_dice_are_taken_in_float32():
    s = torch.from_numpy(bfloat16(np.random.default_rng(0).normal(100.0, 1.0, size=(3_000, 1))))
    dice = Dice(1).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        dice(s.bfloat16())

    assert dice.normalization.running_mean.item() == pytest.approx(s.double().mean().item(), rel=1e-6)
    assert dice.normalization.running_var.item() == pytest.approx(s.double().var().item(), rel=1e-4)


@pytest.mark.parametrize("activation", ["dice", "relu"])
def test_attention_weights_sum_to_one_in_float32(activation):
    generator = torch.Generator().manual_seed(0)
    unit = ActivationUnit(3, 5, (8, 4), activation=activation)
    unit.reset_parameters(generator)
    candidate, behaviors = (torch.randn(shape, generator=generator) for shape in ((2, 3), (50, 5)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        interest, weights = AttentionPooling(unit)(candidate, behaviors, torch.tensor([0, 20, 50]))

    assert interest.dtype == weights.dtype == torch.float32
    totals = torch.stack([weights[:20].sum(), weights[20:].sum()])
    torch.testing.assert_close(totals, torch.ones(2), atol=1e-6, rtol=0)


def test_the_gradients_of_the_activation_unit_are_those_of_float32_but_for_rounding():
    generator = torch.Generator().manual_seed(0)
    unit = ActivationUnit(3, 5, (8, 4))
    unit.reset_parameters(generator)
    candidate, behaviors = (torch.randn(shape, generator=generator) for shape in ((2, 3), (50, 5)))
    gradients = []
    for mixed in (False, True):
        unit.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            scores = unit(candidate, behaviors, torch.tensor([0, 20, 50]))
        scores.square().sum().backward()
        gradients.append(unit.mlp.first.weight.grad.clone())

    assert not torch.equal(*gradients)
    torch.testing.assert_close(*gradients, atol=0.05 * gradients[0].abs().max().item(), rtol=0)


def test_a_file_holds_float32_and_predicts_what_the_model_does(few, tmp_path):
    table, y = few
    model = DINClassifier(**MIXED).fit(table, y)
    path = tmp_path / "clicks.safetensors"
    save_model(model, path)
    loaded = load_model(path)

    with safe_open(path, framework="numpy") as file:
        types = {file.get_tensor(name).dtype for name in file.keys() if "_weights" in name}  # noqa: SIM118 (no mapping)
    assert types == {np.dtype(np.float32), np.dtype(np.int64)}  # a whole number: how many batches Dice has seen
    assert loaded.mixed_precision is True
    assert (loaded.predict_proba(table) == model.predict_proba(table)).all()


def test_predictions_do_not_depend_on_the_parameter(few):
    table, y = few
    model = DINClassifier(**MIXED).fit(table, y)
    before = model.predict_proba(table)

    assert (model.set_params(mixed_precision=False).predict_proba(table) == before).all()


def test_the_same_seed_gives_the_same_weights(few):
    first, second = (DINClassifier(**MIXED).fit(*few) for _ in range(2))

    for a, b in zip(first.module_.parameters(), second.module_.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.fixture
def autocast():
    """An autocast of the user's own, which has nothing in its cache yet."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.mark.parametrize("precision", [SMALL, MIXED])
@pytest.mark.parametrize("parameters", [{}, {"sparse_embeddings": True}, {"attention_activation": "relu"}])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_it_trains_the_same_inside_of_autocast(few, autocast, precision, parameters, early_stopping):
    model = DINClassifier(**precision, **parameters, early_stopping=early_stopping)
    expected = clone(model).fit(*few)
    with autocast:
        found = clone(model).fit(*few)

    for a, b in zip(found.module_.parameters(), expected.module_.parameters(), strict=True):
        assert torch.equal(a, b)
    for name in ("train_loss", "valid_loss")[: 1 + early_stopping]:
        assert [epoch[name] for epoch in found.history_] == [epoch[name] for epoch in expected.history_]


def test_partial_fit_and_regression_train_the_same_inside_of_autocast(few, autocast):
    table, y = few
    model = DINRegressor(**SMALL).partial_fit(table, y)
    expected = clone(model).partial_fit(table, y).partial_fit(table, y)
    with autocast:
        found = model.partial_fit(table, y)

    for a, b in zip(found.module_.parameters(), expected.module_.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("n_rows", [1, 300])
@pytest.mark.parametrize("parameters", [SMALL, MIXED, SMALL | {"pooling": "mean"}])
def test_it_predicts_the_same_inside_of_autocast(few, autocast, n_rows, parameters):
    table, y = few
    model = DINClassifier(**parameters).fit(table, y)
    expected = model.predict_proba(table[:n_rows])

    with autocast:
        assert (model.predict_proba(table[:n_rows]) == expected).all()


def test_it_pays_the_same_attention_inside_of_autocast(few, autocast):
    table, y = few
    model = DINClassifier(**SMALL).fit(table, y)
    expected = attention_weights(model, table)["weight"]

    with autocast:
        assert (attention_weights(model, table)["weight"] == expected).all()


def test_a_fit_inside_of_autocast_multiplies_in_float32_and_leaves_it_on(few, autocast):
    observer = Observer()
    with autocast:
        DINClassifier(**SMALL, callbacks=[observer]).fit(*few)

        assert torch.is_autocast_enabled("cpu")
    assert {dtype for _, dtype in observer.products_} == {torch.float32}


# That it learns.


def test_it_learns_clicks_as_float32_does(clicks):
    table, y = clicks
    model = DINClassifier(mixed_precision=True, device="cpu", random_state=0).fit(table[:1_500], y[:1_500])

    assert roc_auc_score(y[1_500:], model.predict_proba(table[1_500:])[:, 1]) > 0.95


def test_it_learns_a_sum_of_numbers():
    X = np.random.default_rng(0).normal(size=(600, 3))
    y = X @ [1.0, -2.0, 0.5]
    model = DINRegressor(mixed_precision=True, device="cpu", random_state=0).fit(X[:500], y[:500])

    assert r2_score(y[500:], model.predict(X[500:])) > 0.95


@pytest.mark.parametrize("value", ["bfloat16", 2, None])
def test_another_value_is_refused(few, value):
    with pytest.raises(ValueError, match="mixed_precision"):
        DINClassifier(mixed_precision=value).fit(*few)
