"""partial_fit: one pass over rows, from where the last one ended."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks

# One step per call, and nothing random in it.
ONE_STEP = {
    "batch_size": 10_000,
    "dropout": 0.0,
    "unknown_rate": 0.0,
    "behavior_dropout": 0.0,
}
OPTIMIZERS = ["adam", "adamw", "sgd", "adagrad"]


@pytest.fixture
def halves(table, clicks):
    y = clicks[1]
    return (table[:150], y[:150]), (table[150:], y[150:])


def weights_of(model):
    return {name: value.numpy().copy() for name, value in model.module_.state_dict().items()}


def assert_same_weights(first, second, rtol=0.0, atol=0.0):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert_allclose(second[name], value, rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_calls_on_the_same_rows_are_epochs_of_fit_at_a_constant_rate(make_classifier, table, clicks, optimizer):
    parameters = ONE_STEP | {"optimizer": optimizer, "embedding_regularization": None}
    whole = make_classifier(**parameters, max_epochs=3, early_stopping=False, learning_rate_schedule="constant").fit(
        table, clicks[1]
    )

    parts = make_classifier(**parameters)
    for _ in range(3):
        parts.partial_fit(table, clicks[1], classes=[0, 1])
    assert_same_weights(weights_of(whole), weights_of(parts), atol=1e-7)


def test_order_dropout_and_noise_go_on_as_in_fit(make_classifier, table, clicks):
    parameters = {"embedding_regularization": None}
    whole = make_classifier(**parameters, max_epochs=3, early_stopping=False, learning_rate_schedule="constant").fit(
        table, clicks[1]
    )

    parts = make_classifier(**parameters)
    for _ in range(3):
        parts.partial_fit(table, clicks[1], classes=[0, 1])
    assert_same_weights(weights_of(whole), weights_of(parts), atol=1e-6)


def test_it_learns_from_parts_what_fit_learns_from_the_whole():
    X, y = make_clicks(3000, n_items=100, n_categories=10, max_length=8, random_state=0)
    table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)
    model = DINClassifier(embedding_dim=4, device="cpu", batch_size=128, random_state=0)
    for _ in range(4):
        for first in range(0, 2400, 400):
            model.partial_fit(table[first : first + 400], y[first : first + 400], classes=[0, 1])

    assert roc_auc_score(y[2400:], model.predict_proba(table[2400:])[:, 1]) > 0.9


def test_the_counts_of_the_regularization_are_those_of_all_rows_so_far(make_classifier, halves, table, clicks):
    parts = make_classifier(unknown_rate=0.0)
    for rows, y in halves:
        parts.partial_fit(rows, y, classes=[0, 1])
    whole = make_classifier(unknown_rate=0.0).partial_fit(table, clicks[1], classes=[0, 1])

    for name, count in whole.net_.row_counts.items():
        torch.testing.assert_close(parts.net_.row_counts[name], count)


def test_it_goes_on_from_fit(make_classifier, halves):
    (first, y_first), (second, y_second) = halves
    model = make_classifier(**ONE_STEP, optimizer="sgd", embedding_regularization=None).fit(first, y_first)
    before = [parameter.detach().clone() for parameter in model.module_.parameters()]
    history = model.history_
    model.set_params(learning_rate=1e-30).partial_fit(second, y_second)

    for parameter, expected in zip(model.module_.parameters(), before, strict=True):
        torch.testing.assert_close(parameter, expected, rtol=0, atol=0)
    assert model.history_[: len(history)] == history


def test_the_history_counts_the_calls(make_classifier, halves):
    model = make_classifier(evaluations_per_epoch=2)
    for rows, y in halves:
        model.partial_fit(rows, y, classes=[0, 1])

    assert [record["epoch"] for record in model.history_] == pytest.approx([2 / 3, 1, 5 / 3, 2])
    assert (model.n_epochs_, model.best_epoch_, model.best_score_) == (2, 2, None)


def test_a_class_may_be_absent_from_a_part(make_classifier, table, clicks):
    order = np.argsort(clicks[1], kind="stable")
    model = make_classifier().partial_fit(table[order[:100]], clicks[1][order[:100]], classes=[0, 1])

    assert_array_equal(model.classes_, [0, 1])
    # one output: the prior of the class that 100 rows did not hold is half a row
    probability = model.predict_proba(table)[:, 1]
    assert np.isfinite(probability).all()
    assert probability.max() < 0.05


def test_three_classes_and_names_of_classes(make_classifier, table, clicks):
    names = np.array(["never", "often", "rarely"])
    y = names[np.arange(len(table)) % 3]
    model = make_classifier()
    for start in (0, 150):
        model.partial_fit(table[start : start + 150], y[start : start + 150], classes=["rarely", "never", "often"])

    assert model.classes_.tolist() == ["never", "often", "rarely"]
    assert model.predict_proba(table).shape == (300, 3)


def test_a_regressor_keeps_the_scale_of_its_first_rows(make_regressor, table, clicks):
    y = 100.0 + 10.0 * clicks[1]
    model = make_regressor().partial_fit(table[:150], y[:150])
    scale = model._mean, model._scale
    model.partial_fit(table[150:], np.full(150, 110.0))

    assert (model._mean, model._scale) == scale == pytest.approx((y[:150].mean(), y[:150].std()))
    assert 95 < model.predict(table).mean() < 115


def test_weights_of_rows_and_of_classes_reach_the_loss(make_classifier, table, clicks):
    parameters = ONE_STEP | {"activation": "relu", "attention_activation": "relu", "embedding_regularization": None}
    y = clicks[1]
    weighted = make_classifier(**parameters).partial_fit(
        table, y, classes=[0, 1], sample_weight=np.where(y == 1, 3.0, 1.0)
    )
    by_class = make_classifier(**parameters, class_weight={1: 3.0}).partial_fit(table, y, classes=[0, 1])
    plain = make_classifier(**parameters).partial_fit(table, y, classes=[0, 1])

    assert_same_weights(weights_of(weighted), weights_of(by_class), atol=1e-6)
    assert weighted.predict_proba(table)[:, 1].mean() > plain.predict_proba(table)[:, 1].mean() + 0.1


def test_plain_numbers_are_rows_too(make_classifier):
    X = np.random.default_rng(0).normal(size=(80, 2))
    model = make_classifier(max_epochs=1, learning_rate=0.02, batch_size=8)
    for _ in range(10):
        model.partial_fit(X, X[:, 0] > 0, classes=[False, True])

    assert model.score(X, X[:, 0] > 0) > 0.9


def test_callbacks_are_called(make_classifier, halves):
    class Counts(Callback):
        batches = 0

        def on_batch_end(self, net, **kwargs):
            self.batches += 1

    counts = Counts()
    model = make_classifier(callbacks=[counts])
    for rows, y in halves:
        model.partial_fit(rows, y, classes=[0, 1])

    assert counts.batches == 2 * 3  # 150 rows in batches of 64


def test_metadata_is_routed_to_it():
    with config_context(enable_metadata_routing=True):
        model = DINClassifier().set_partial_fit_request(sample_weight=True, classes=True)

    assert model.get_metadata_routing().partial_fit.requests == {"sample_weight": True, "classes": True}


@pytest.mark.parametrize("copied", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy])
def test_a_copy_goes_on(make_classifier, halves, table, copied):
    (first, y_first), (second, y_second) = halves
    model = copied(make_classifier().partial_fit(first, y_first, classes=[0, 1]))
    before = model.predict_proba(table)
    model.partial_fit(second, y_second)

    assert model.n_epochs_ == 2
    assert not np.allclose(model.predict_proba(table), before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_another_optimizer_may_go_on(make_classifier, halves, table, optimizer):
    (first, y_first), (second, y_second) = halves
    model = make_classifier(optimizer="adam").partial_fit(first, y_first, classes=[0, 1])
    before = model.predict_proba(table)
    model.set_params(optimizer=optimizer, learning_rate=0.01).partial_fit(second, y_second)

    assert np.isfinite(model.predict_proba(table)).all()
    assert not np.allclose(model.predict_proba(table), before)


def test_fit_after_it_begins_anew(make_classifier, table, clicks):
    expected = make_classifier().fit(table, clicks[1]).predict_proba(table)
    model = make_classifier().partial_fit(table, clicks[1], classes=[0, 1]).fit(table, clicks[1])

    assert_array_equal(model.predict_proba(table), expected)


class Interrupts(Callback):
    """Ctrl-C in the second batch."""

    def on_train_begin(self, net, **kwargs):
        self.batches = 0

    def on_batch_end(self, net, **kwargs):
        self.batches += 1
        if self.batches == 2:
            raise KeyboardInterrupt


MISTAKES = {
    "Ctrl-C": ({"callbacks": [Interrupts()]}, KeyboardInterrupt, None),
    "divergence": ({"learning_rate": 1e30, "clip_norm": None, "optimizer": "sgd"}, ValueError, "Training diverged"),
    "another width": ({"embedding_dim": 5}, ValueError, "partial_fit goes on with the network .* Call fit, or set"),
    "a parameter out of range": ({"learning_rate": -1.0}, ValueError, "'learning_rate'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_fails_leaves_the_model_as_it_was(make_classifier, halves, table, mistake):
    changed, error, message = MISTAKES[mistake]
    (first, y_first), (second, y_second) = halves
    model = make_classifier().partial_fit(first, y_first, classes=[0, 1])
    parameters, before = model.get_params(), weights_of(model)

    with pytest.raises(error, match=message):
        model.set_params(**changed).partial_fit(second, y_second)
    assert_same_weights(before, weights_of(model))
    assert (model.n_epochs_, len(model.history_)) == (1, 1)
    model.set_params(**parameters).partial_fit(second, y_second)
    assert np.isfinite(model.predict_proba(table)).all()


def test_a_first_call_that_fails_leaves_it_unfitted(make_classifier, table, clicks):
    model = make_classifier(callbacks=[Interrupts()])

    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(table, clicks[1], classes=[0, 1])
    with pytest.raises(NotFittedError):
        model.predict(table)


def test_the_first_call_needs_the_classes(make_classifier, table, clicks):
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        make_classifier().partial_fit(table, clicks[1])


def test_a_label_that_is_none_of_the_classes_is_named(make_classifier, table, clicks):
    y = clicks[1].copy()
    y[7] = 2

    with pytest.raises(ValueError, match=r"y has a label that is none of the classes: row 7 has 2, .* \[0 1\]"):
        make_classifier().partial_fit(table, y, classes=[0, 1])


def test_other_classes_in_a_later_call_raise(make_classifier, table, clicks):
    model = make_classifier().partial_fit(table, clicks[1], classes=[0, 1])

    with pytest.raises(ValueError, match=r"classes is \[0 1 2\], while the model has \[0 1\]"):
        model.partial_fit(table, clicks[1], classes=[0, 1, 2])


def test_balanced_classes_need_all_rows(make_classifier, table, clicks):
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported by partial_fit"):
        make_classifier(class_weight="balanced").partial_fit(table, clicks[1], classes=[0, 1])


def test_rows_of_another_encoder_are_refused(make_classifier, table, clicks):
    X, y = clicks
    other = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}, max_length=3).fit_transform(X)
    model = make_classifier().partial_fit(table, y, classes=[0, 1])

    with pytest.raises(ValueError, match="X was not encoded as the rows that DINClassifier was fitted on"):
        model.partial_fit(other, y)
