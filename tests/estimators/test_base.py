"""Training and state of an estimator: attributes, stopping, regularization, randomness, pickles, callbacks."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, Checkpoint, EarlyStopping

from sklearn_din import BehaviorEncoder
from sklearn_din.datasets import make_clicks


def state_of(model):
    return {name: value.numpy() for name, value in model.module_.state_dict().items()}


def test_fitted_attributes_describe_the_training(make_classifier, table, clicks):
    model = make_classifier(max_epochs=4).fit(table, clicks[1])

    assert model.n_features_in_ == table.shape[1]
    assert model.layout_ == table.layout
    assert 1 <= model.best_epoch_ <= model.n_epochs_ <= 4
    assert model.best_score_ == max(record["valid_score"] for record in model.history_)
    assert model.best_score_ == -min(record["valid_loss"] for record in model.history_)
    assert model.net_.module_ is model.module_
    assert str(model.device_) == "cpu"


def test_without_held_out_rows_the_last_epoch_is_the_best(make_classifier, table, clicks):
    model = make_classifier(early_stopping=False, max_epochs=3).fit(table, clicks[1])

    assert model.best_epoch_ == model.n_epochs_ == 3
    assert model.best_score_ is None


def test_the_weights_of_the_best_epoch_are_kept(make_classifier, table, clicks):
    y = np.random.default_rng(0).integers(0, 2, len(table))  # nothing to learn: the first epochs are the best
    model = make_classifier(max_epochs=30, learning_rate=0.05, n_iter_no_change=30, learning_rate_schedule="constant")
    model.fit(table[:200], y[:200], X_val=table[200:], y_val=y[200:])

    assert model.best_epoch_ < model.n_epochs_
    proba = model.predict_proba(table[200:])[np.arange(100), y[200:]]
    assert -np.log(proba).mean() == pytest.approx(-model.best_score_, rel=1e-4)


def test_early_stopping_stops(make_classifier, table, clicks):
    model = make_classifier(max_epochs=200, learning_rate=0.05, n_iter_no_change=2).fit(table, clicks[1])

    assert model.n_epochs_ == model.best_epoch_ + 2


def test_x_val_keeps_all_rows_for_training(make_classifier, table, clicks):
    class Rows(Callback):
        seen = 0

        def on_batch_end(self, net, batch=None, **kwargs):
            self.seen += len(batch)

    counter = Rows()
    make_classifier(max_epochs=1, callbacks=[counter]).fit(table, clicks[1], X_val=table[:9], y_val=clicks[1][:9])
    assert counter.seen == len(table)


def test_evaluations_per_epoch_are_recorded(make_classifier, table, clicks):
    model = make_classifier(max_epochs=2, evaluations_per_epoch=2, n_iter_no_change=9).fit(table, clicks[1])

    assert len(model.history_) == 4
    assert model.history_[-1]["epoch"] == 2


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
@pytest.mark.parametrize("schedule", ["linear", "plateau", "constant"])
def test_every_optimizer_and_schedule_lowers_the_training_loss(make_classifier, table, clicks, optimizer, schedule):
    rate = 1.0 if optimizer == "sgd" else 0.03
    model = make_classifier(
        optimizer=optimizer,
        learning_rate_schedule=schedule,
        learning_rate=rate,
        max_epochs=20,
        embedding_init_std=0.3,
        embedding_regularization=None,
        early_stopping=False,
    ).fit(table, clicks[1])

    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"] - 0.01


def test_alpha_shrinks_the_matrices(make_classifier, table, clicks):
    parameters = {"embedding_regularization": None, "max_epochs": 20, "early_stopping": False}
    plain, shrunk = (make_classifier(alpha=alpha, **parameters).fit(table, clicks[1]) for alpha in (0.0, 1.0))

    norms = [float(model.module_.mlp.output.weight.detach().norm()) for model in (plain, shrunk)]
    assert norms[1] < 0.5 * norms[0]


def test_embedding_alpha_shrinks_the_embeddings(make_classifier, table, clicks):
    for regularization in ("minibatch_aware", "l2"):
        parameters = {
            "embedding_regularization": regularization,
            "embedding_init_std": 1.0,
            "max_epochs": 60,
            "early_stopping": False,
        }
        plain, shrunk = (make_classifier(embedding_alpha=a, **parameters).fit(table, clicks[1]) for a in (0.0, 1000.0))

        sizes = [float(model.module_.embedding.weight("item").detach().norm()) for model in (plain, shrunk)]
        assert sizes[1] < 0.8 * sizes[0]


def test_the_vector_of_padding_stays_zero(make_classifier, table, clicks):
    for regularization in ("minibatch_aware", "l2", None):
        model = make_classifier(embedding_regularization=regularization).fit(table, clicks[1])
        assert not model.module_.embedding.weight("item")[0].any()


def test_clip_norm_bounds_the_gradient(make_classifier, table, clicks):
    class LargestNorm(Callback):
        norm = 0.0

        def on_grad_computed(self, net, named_parameters, **kwargs):
            squares = [parameter.grad.square().sum() for _, parameter in named_parameters if parameter.grad is not None]
            self.norm = max(self.norm, float(sum(squares)) ** 0.5)

    norms = []
    for clip_norm in (None, 0.01):
        largest = LargestNorm()
        make_classifier(clip_norm=clip_norm, callbacks=[largest]).fit(table, clicks[1])
        norms.append(largest.norm)
    assert norms[1] == pytest.approx(0.01, rel=1e-3)
    assert norms[0] > 0.01


def test_another_random_state_gives_other_weights(make_classifier, table, clicks):
    first, second = (make_classifier(random_state=seed).fit(table, clicks[1]) for seed in (0, 1))

    assert (first.predict_proba(table) != second.predict_proba(table)).any()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_predicts_the_same(make_classifier, table, clicks, copied):
    model = make_classifier(optimizer="sgd").fit(table, clicks[1])
    expected = model.predict_proba(table)
    model.set_params(optimizer="no such one")  # what was set after fit must not matter
    twin = copied(model)

    assert_array_equal(twin.predict_proba(table), expected)
    assert twin.history_ == model.history_


def test_an_unpickled_model_can_be_fitted_again(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1])
    copy = pickle.loads(pickle.dumps(model)).fit(table, clicks[1])

    assert_array_equal(copy.predict_proba(table), model.predict_proba(table))


def test_set_params_after_fit_does_not_change_what_a_pickle_predicts(make_classifier, table, clicks):
    model = make_classifier().fit(table, clicks[1])
    expected = model.predict_proba(table)
    model.set_params(embedding_dim=7, hidden_layer_sizes=(3,))

    assert_array_equal(model.predict_proba(table), expected)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(table), expected)


def test_warm_start_goes_on_from_the_last_weights(make_classifier, table, clicks):
    parameters = {"early_stopping": False, "learning_rate_schedule": "constant", "max_epochs": 1}
    warm = make_classifier(warm_start=True, **parameters)
    losses = [warm.fit(table, clicks[1]).history_[-1]["train_loss"] for _ in range(30)]

    cold = make_classifier(**parameters).fit(table, clicks[1])
    assert losses[-1] < cold.history_[-1]["train_loss"] - 0.01


def test_warm_start_refuses_another_encoding_and_other_classes(make_classifier, table, clicks):
    model = make_classifier(warm_start=True).fit(table, clicks[1])

    with pytest.raises(ValueError, match="warm_start=True needs the same"):
        model.fit(table, np.array(["a", "b"])[clicks[1]])
    model = make_classifier(warm_start=True).fit(table, clicks[1])
    with pytest.raises(ValueError, match="not encoded as in the last fit"):
        model.fit(np.zeros((4, 2)), [0, 1, 0, 1])
    model = make_classifier(warm_start=True).fit(table, clicks[1]).set_params(embedding_dim=5)
    with pytest.raises(ValueError, match="embedding_dim was 4 in the last fit and is 5 now"):
        model.fit(table, clicks[1])


def test_a_mistake_in_the_arguments_of_a_warm_start_does_not_lose_the_weights(make_classifier, table, clicks):
    y = clicks[1]
    model = make_classifier(warm_start=True).fit(table, y)
    expected = model.predict_proba(table)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(table[:10], y[:9])

    assert_array_equal(model.predict_proba(table), expected)


def test_after_a_failed_first_fit_any_classes_will_do(make_classifier, table, clicks):
    model = make_classifier(warm_start=True, hidden_layer_sizes=(4,))
    with pytest.raises(ValueError, match="Negative"):
        model.fit(table, clicks[1], sample_weight=-np.ones(len(table)))

    model.fit(table, np.array(["a", "b"])[clicks[1]])
    assert list(model.classes_) == ["a", "b"]


def test_warm_start_takes_equal_sizes_in_another_container(make_classifier, table, clicks):
    model = make_classifier(warm_start=True, hidden_layer_sizes=(8, 4)).fit(table, clicks[1])
    for sizes in ([8, 4], np.array([8, 4])):
        model.set_params(hidden_layer_sizes=sizes).fit(table, clicks[1])

    assert model.module_.mlp.output.in_features == 4


def test_a_model_keeps_no_state_of_the_optimizer(make_classifier, table, clicks):
    net = make_classifier().fit(table, clicks[1]).net_

    assert not net.optimizer_.state
    assert all(parameter.grad is None for parameter in net.module_.parameters())


def test_skorch_checkpoints_find_the_validation_loss(make_classifier, table, clicks, tmp_path):
    make_classifier(callbacks=[Checkpoint(dirname=str(tmp_path))]).fit(table, clicks[1])

    assert (tmp_path / "params.pt").exists()


def test_what_is_no_callback_raises(make_classifier, table, clicks):
    with pytest.raises(TypeError, match="callbacks must be callbacks of skorch: got 3"):
        make_classifier(callbacks=[3]).fit(table, clicks[1])


def test_no_rows_cannot_be_learnt_from(make_classifier, table, clicks):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        make_classifier().fit(table[:0], clicks[1][:0])


def test_weights_of_validation_rows_that_are_not_given_raise(make_classifier, table, clicks):
    with pytest.raises(ValueError, match="only sample_weight_val is given"):
        make_classifier().fit(table, clicks[1], sample_weight_val=np.ones(3))


def test_plateau_without_held_out_rows_keeps_the_epoch_of_the_lowest_training_loss(make_classifier, table, clicks):
    model = make_classifier(
        learning_rate_schedule="plateau", early_stopping=False, max_epochs=15, learning_rate=0.5
    ).fit(table, clicks[1])

    losses = [record["train_loss"] for record in model.history_]
    assert model.best_epoch_ == 1 + int(np.argmin(losses))


def test_clone_is_unfitted(make_classifier, table, clicks):
    model = clone(make_classifier().fit(table, clicks[1]))

    with pytest.raises(NotFittedError):
        model.predict(table)


def test_x_val_without_y_val_raises(make_classifier, table, clicks):
    with pytest.raises(ValueError, match="only X_val is given"):
        make_classifier().fit(table, clicks[1], X_val=table)


def test_skorch_early_stopping_ends_the_training_and_keeps_the_model(make_classifier, table, clicks):
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10.0, threshold_mode="abs")
    model = make_classifier(max_epochs=50, callbacks=[stop], early_stopping=False).fit(table, clicks[1])

    assert model.n_epochs_ < 50
    assert np.isfinite(model.predict_proba(table)).all()


def test_callbacks_see_the_net(make_classifier, table, clicks):
    class Names(Callback):
        columns = None

        def on_batch_begin(self, net, batch=None, **kwargs):
            self.columns = set(batch.features)

    names = Names()
    make_classifier(callbacks=[names]).fit(table, clicks[1])
    assert names.columns == {"item", "category", "hist_item", "hist_category"}


def test_verbose_prints_a_line_per_epoch(make_classifier, table, clicks, capsys):
    make_classifier(verbose=1, max_epochs=2, n_iter_no_change=9).fit(table, clicks[1])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_silent_by_default(make_classifier, table, clicks, capsys):
    make_classifier().fit(table, clicks[1])

    assert capsys.readouterr().out == ""


def test_behavior_dropout_reaches_training_and_leaves_predictions_alone(make_classifier, table, clicks):
    class Lengths(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen = []
            net.module_.poolings[0].unit.register_forward_hook(
                lambda unit, inputs, output: self.seen.append((unit.training, len(output)))
            )

    shares = {}
    for p in (0.0, 0.8):
        lengths = Lengths()
        model = make_classifier(behavior_dropout=p, callbacks=[lengths], early_stopping=False, max_epochs=3)
        model.fit(table, clicks[1]).predict(table)
        n_behaviors = len(table.ragged("hist_item").values)
        shares[p] = sum(n for training, n in lengths.seen if training) / (3 * n_behaviors)
        assert sum(n for training, n in lengths.seen if not training) == n_behaviors
    assert shares[0.0] == 1
    assert shares[0.8] == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("parameters", [{}, {"pooling": "sum"}, {"attention_normalization": None}])
def test_behavior_dropout_does_not_move_the_mean_prediction(make_classifier, parameters):
    X, _ = make_clicks(1500, n_items=30, n_categories=5, max_length=20, random_state=0)
    pairs = zip(X["hist_category"], X["category"], strict=True)
    counts = np.array([(history == category).sum() for history, category in pairs])
    y = (np.random.default_rng(0).random(1500) < 1 / (1 + np.exp(2 - 0.6 * counts))).astype(int)
    table = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit_transform(X)
    model = make_classifier(max_epochs=20, early_stopping=False, behavior_dropout=0.8, **parameters)

    proba = model.fit(table[:1000], y[:1000]).predict_proba(table[1000:])[:, 1]
    assert proba.mean() == pytest.approx(y[1000:].mean(), abs=0.04)


def test_a_width_from_numpy_is_a_width(make_classifier, table, clicks):
    plain, from_numpy = (make_classifier(embedding_dim=d).fit(table, clicks[1]) for d in (4, np.int64(4)))

    assert_array_equal(from_numpy.predict_proba(table), plain.predict_proba(table))
