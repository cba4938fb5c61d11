"""partial_fit: one pass over rows, from where the last one ended."""

import copy
import gc
import pickle
import weakref
from types import SimpleNamespace

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
from sklearn_din.estimators._base import _is_on
from sklearn_din.persistence import load_model, save_model

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
    assert np.isfinite(model.predict_proba(table)).all()


def test_a_class_that_the_first_part_lacks_begins_as_half_a_row(make_classifier, table):
    model = make_classifier(learning_rate=1e-30).partial_fit(table[:100], np.zeros(100), classes=[0, 1])

    assert model.module_.mlp.output.bias.item() == pytest.approx(np.log(0.5 / 100), rel=1e-5)


# Gradients that nothing scales, of which a step is a multiple.
PLAIN_STEP = ONE_STEP | {"optimizer": "sgd", "learning_rate": 0.1, "clip_norm": None, "embedding_regularization": None}


@pytest.mark.parametrize("n_rows", [2, 10])
def test_weights_of_classes_count_in_parts_of_one_class(make_classifier, halves, n_rows):
    (first, y_first), (second, y_second) = halves
    steps = []
    for class_weight in ({0: 1.0, 1: 3.0}, None):
        model = make_classifier(**PLAIN_STEP).partial_fit(first, y_first, classes=[0, 1])
        before = model.module_.mlp.output.bias.item()
        ones = np.flatnonzero(y_second == 1)[:n_rows]
        model.set_params(class_weight=class_weight).partial_fit(second[ones], y_second[ones])
        steps.append(model.module_.mlp.output.bias.item() - before)

    assert steps[0] == pytest.approx(1.5 * steps[1], rel=1e-4)  # 3, where the mean of the two is 2
    assert steps[1] > 0.01


def test_weights_of_classes_may_change_between_the_calls_and_are_checked(make_classifier, halves):
    (first, y_first), (second, y_second) = halves
    model = make_classifier(class_weight={1: 3.0}).partial_fit(first, y_first, classes=[0, 1])
    wrongs = {"not supported by partial_fit": "balanced", "must be finite and not negative": {0: -1.0}}

    for message, wrong in wrongs.items():
        with pytest.raises(ValueError, match=message):
            model.set_params(class_weight=wrong).partial_fit(second, y_second)


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


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], r"classes must be a list of all labels: got \[\]"),
        ([[0, 1]], "classes must be a list of all labels"),
        ([0], "classes has only one class: 0"),
    ],
)
def test_classes_that_are_none_raise_and_leave_nothing(make_classifier, table, clicks, classes, message):
    model = make_classifier()
    before = dict(vars(model))

    with pytest.raises(ValueError, match=message):
        model.partial_fit(table, clicks[1], classes=classes)
    assert vars(model) == before


def test_many_classes_in_few_rows_do_not_warn(make_classifier, table):
    names = np.array([f"c{i:02d}" for i in range(30)])
    model = make_classifier().partial_fit(table[:25], names[:25], classes=names)

    assert model.predict_proba(table).shape == (300, 30)


def test_no_rows_raise_and_are_no_call(make_classifier, make_regressor, table, clicks):
    for model in (make_classifier(), make_regressor()):
        model.fit(table, clicks[1])
        n_epochs = model.n_epochs_
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            model.partial_fit(table[:0], clicks[1][:0])
        assert model.n_epochs_ == n_epochs


def test_a_regressor_cannot_learn_the_scale_of_one_value(make_regressor, table):
    model = make_regressor()

    with pytest.raises(ValueError, match="y has only one value, 3.0, in the first call of partial_fit"):
        model.partial_fit(table[:5], np.full(5, 3.0))
    assert not hasattr(model, "n_features_in_")


def test_a_regressor_takes_single_rows_far_from_the_mean(make_regressor, table, clicks):
    model = make_regressor().partial_fit(table[:150], clicks[1][:150].astype(float))
    model.partial_fit(table[150:151], [12.0])

    assert np.isfinite(model.predict(table)).all()


@pytest.mark.parametrize("change", [lambda y: y + 1000, lambda y: 1000 * y])
def test_a_regressor_refuses_a_target_of_another_scale(make_regressor, table, clicks, change):
    y = clicks[1].astype(float)
    model = make_regressor().partial_fit(table[:150], y[:150])

    with pytest.raises(ValueError, match="another scale than in the last fit.* partial_fit goes on in the units"):
        model.partial_fit(table[150:], change(y[150:]))
    model.partial_fit(table[150:151], y[150:151])  # one row is of no other scale


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on_after_a_fit_and_after_a_failure(make_classifier, halves, table, optimizer, sparse):
    (first, y_first), (second, y_second) = halves
    model = make_classifier(optimizer=optimizer, sparse_embeddings=sparse).fit(first, y_first)
    twin = copy.deepcopy(model).partial_fit(second, y_second).partial_fit(first, y_first)

    model.partial_fit(second, y_second)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[Interrupts()]).partial_fit(first, y_first)
    model.set_params(callbacks=None).partial_fit(first, y_first)
    assert np.isfinite(twin.predict_proba(table)).all()
    assert np.isfinite(model.predict_proba(table)).all()


def test_a_failure_changes_nothing_that_is_to_come(make_classifier, halves, table):
    (first, y_first), (second, y_second) = halves
    model, twin = (make_classifier().partial_fit(first, y_first, classes=[0, 1]) for _ in range(2))

    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[Interrupts()]).partial_fit(second, y_second)
    model.set_params(callbacks=None).partial_fit(second, y_second)
    assert_array_equal(model.predict_proba(table), twin.partial_fit(second, y_second).predict_proba(table))


def test_a_divergence_in_the_middle_of_a_pass_is_one(make_classifier, halves, table):
    class Explodes(Callback):
        def on_batch_begin(self, net, **kwargs):
            self.batches = getattr(self, "batches", 0) + 1
            if self.batches == 3:
                with torch.no_grad():
                    net.module_.mlp.output.weight.fill_(torch.inf)

    (first, y_first), (second, y_second) = halves
    model = make_classifier(evaluations_per_epoch=3).partial_fit(first, y_first, classes=[0, 1])
    before = model.predict_proba(table)

    with pytest.raises(ValueError, match="Training diverged"):
        model.set_params(callbacks=[Explodes()]).partial_fit(second, y_second)
    assert_array_equal(model.predict_proba(table), before)


def test_predicting_meanwhile_neither_sees_the_training_nor_disturbs_it(make_classifier, halves, table):
    (first, y_first), (second, y_second) = halves
    quiet, watched = (make_classifier(dropout=0.5).partial_fit(first, y_first, classes=[0, 1]) for _ in range(2))
    before, seen = watched.predict_proba(table), []

    class Predicts(Callback):
        """Predicts between the steps, as another thread would."""

        def on_grad_computed(self, net, **kwargs):
            seen.append(watched.predict_proba(table))

    watched.set_params(callbacks=[Predicts()]).partial_fit(second, y_second)
    assert len(seen) == 3
    for probability in seen:
        assert_array_equal(probability, before)
    assert_array_equal(watched.predict_proba(table), quiet.partial_fit(second, y_second).predict_proba(table))


def test_the_global_generator_is_left_alone_after_loading(make_classifier, halves):
    (first, y_first), (second, y_second) = halves
    model = pickle.loads(pickle.dumps(make_classifier().partial_fit(first, y_first, classes=[0, 1])))
    before = torch.get_rng_state()
    model.partial_fit(second, y_second)

    assert torch.equal(torch.get_rng_state(), before)


def test_the_number_of_threads_is_that_of_the_parameter(make_classifier, table, clicks):
    class Threads(Callback):
        def on_batch_end(self, net, **kwargs):
            self.n = torch.get_num_threads()

    threads = Threads()
    make_classifier(n_threads=2, callbacks=[threads]).partial_fit(table, clicks[1], classes=[0, 1])

    assert (threads.n, torch.get_num_threads()) == (2, 1)


@pytest.mark.parametrize("n_threads", [0, -1, "two"])
def test_a_wrong_number_of_threads_is_refused_and_changes_nothing(make_classifier, table, clicks, n_threads):
    model = make_classifier().partial_fit(table, clicks[1], classes=[0, 1]).set_params(n_threads=n_threads)

    with pytest.raises(ValueError, match="'n_threads'"):
        model.partial_fit(table, clicks[1])
    with pytest.raises((RuntimeError, TypeError)):
        model.predict(table)
    torch.set_num_threads(2)
    make_classifier(n_threads=1).fit(table, clicks[1])
    after = torch.get_num_threads()
    torch.set_num_threads(1)
    assert after == 2


def test_the_checks_of_parameters_can_be_skipped(make_classifier, table, clicks):
    model = make_classifier().partial_fit(table, clicks[1], classes=[0, 1])
    model.set_params(n_iter_no_change=0)  # wrong, and without effect here

    with pytest.raises(ValueError, match="'n_iter_no_change'"):
        model.partial_fit(table, clicks[1])
    with config_context(skip_parameter_validation=True):
        assert model.partial_fit(table, clicks[1]).n_epochs_ == 2


def test_a_changed_learning_rate_is_that_of_the_next_call(make_classifier, halves):
    (first, y_first), (second, y_second) = halves
    steps = []
    for factor in (1, 3):
        model = make_classifier(**PLAIN_STEP | {"optimizer": "adam"}).partial_fit(first, y_first, classes=[0, 1])
        before = model.module_.mlp.output.bias.item()
        model.set_params(learning_rate=0.1 * factor).partial_fit(second, y_second)
        steps.append(model.module_.mlp.output.bias.item() - before)

    assert steps[1] == pytest.approx(3 * steps[0], rel=1e-4)


def test_rows_without_weight_are_absent_beside_weights_of_classes(make_classifier, table, clicks):
    weight = np.arange(300) % 2 * 1.0
    parameters = PLAIN_STEP | {"class_weight": {1: 3.0}}
    weighted = make_classifier(**parameters).partial_fit(table, clicks[1], classes=[0, 1], sample_weight=weight)
    absent = make_classifier(**parameters).partial_fit(table[weight > 0], clicks[1][weight > 0], classes=[0, 1])

    assert_allclose(weighted.predict_proba(table), absent.predict_proba(table), atol=1e-6)


def test_the_rows_are_let_go(make_classifier, clicks):
    own = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(clicks[0])
    held = weakref.ref(own)
    model = make_classifier().partial_fit(own, clicks[1], classes=[0, 1])
    del own
    gc.collect()

    assert held() is None
    assert len(model.history_) == 1


@pytest.mark.parametrize(
    ("place", "device", "expected"),
    [("cpu", "cpu", True), ("cuda:1", "cuda", True), ("cuda:1", "cuda:1", True), ("cuda:1", "cuda:0", False)],
)
def test_a_generator_goes_on_where_it_is(place, device, expected):
    assert _is_on(SimpleNamespace(device=torch.device(place)), torch.device(device)) is expected
    assert not _is_on(None, torch.device(device))


def test_parameters_that_exclude_each_other_are_refused(make_classifier, table, clicks):
    model = make_classifier(sparse_embeddings=True, embedding_regularization="l2")

    with pytest.raises(ValueError, match="changes all rows of a table at each step"):
        model.partial_fit(table, clicks[1], classes=[0, 1])


def test_a_file_goes_on(make_classifier, halves, table, tmp_path):
    (first, y_first), (second, y_second) = halves
    model = make_classifier().partial_fit(first, y_first, classes=[0, 1])
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")

    assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
    again = copy.deepcopy(model)  # as a file, without moments
    assert_array_equal(
        loaded.partial_fit(second, y_second).predict_proba(table),
        again.partial_fit(second, y_second).predict_proba(table),
    )


def test_balanced_classes_need_all_rows(make_classifier, table, clicks):
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported by partial_fit"):
        make_classifier(class_weight="balanced").partial_fit(table, clicks[1], classes=[0, 1])


def test_rows_of_another_encoder_are_refused(make_classifier, table, clicks):
    X, y = clicks
    other = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}, max_length=3).fit_transform(X)
    model = make_classifier().partial_fit(table, y, classes=[0, 1])

    with pytest.raises(ValueError, match="X was not encoded as the rows that DINClassifier was fitted on"):
        model.partial_fit(other, y)
