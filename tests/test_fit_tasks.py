"""scikit-learn's own callbacks: which tasks they see, and what they may do."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.datasets import make_clicks
from sklearn_din.persistence import load_model, save_model

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has them first")

BEHAVIORS = {"hist_item": "item", "hist_category": "category"}
SMALL = {
    "embedding_dim": 4,
    "attention_hidden_layer_sizes": (8,),
    "hidden_layer_sizes": (8,),
    "batch_size": 64,
    "max_epochs": 3,
    "n_iter_no_change": 10,
    "device": "cpu",
    "random_state": 0,
}


class Records:
    """A callback that writes down what it is told, and asks for everything."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.begun, self.ended, self.fitted, self.predictions, self.rows = [], [], [], [], []
        self.n_setups = self.n_teardowns = 0

    def setup(self, estimator, context):
        self.n_setups += 1

    def teardown(self, estimator, context):
        self.n_teardowns += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id, context.max_subtasks))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        self.rows.append((len(X), len(y), metadata))
        self.fitted.append(fitted_estimator)
        self.predictions.append(fitted_estimator.predict(X))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


@pytest.fixture(scope="module")
def clicks():
    return make_clicks(300, n_items=50, n_categories=10, max_length=8, random_state=0)


@pytest.fixture(scope="module")
def table(clicks):
    return BehaviorEncoder(BEHAVIORS).fit_transform(clicks[0])


@pytest.mark.parametrize("cls", [DINClassifier, DINRegressor])
def test_a_fit_is_a_task_and_each_epoch_one_below_it(cls, table, clicks):
    records = Records()
    cls(**SMALL).set_callbacks(records).fit(table, clicks[1])

    epochs = [("epoch", i) for i in range(3)]
    assert records.begun == [("fit", 0, 3), *((*epoch, 0) for epoch in epochs)]
    assert records.ended == [*epochs, ("fit", 0)]
    assert (records.n_setups, records.n_teardowns) == (1, 1)


def test_the_fitted_estimator_of_a_task_is_that_of_its_end(table, clicks):
    y = clicks[1].astype(float)
    records = Records()
    parameters = SMALL | {"early_stopping": False, "learning_rate_schedule": "constant"}
    model = DINRegressor(**parameters).set_callbacks(records).fit(table, y)

    for epoch, predicted in enumerate(records.predictions[:3], 1):
        shorter = DINRegressor(**parameters).set_params(max_epochs=epoch).fit(table, y)
        assert_allclose(predicted, shorter.predict(table), rtol=1e-6)
    assert_array_equal(records.predictions[3], model.predict(table))


def test_with_early_stopping_too_each_epoch_ends_with_its_own_weights(table, clicks):
    y = clicks[1].astype(float)
    parameters = SMALL | {"max_epochs": 30, "n_iter_no_change": 2, "learning_rate": 0.1}
    records = Records()
    model = DINRegressor(**parameters).set_callbacks(records).fit(table, y)

    assert model.best_epoch_ < model.n_epochs_ < 30
    *epochs, last = records.fitted
    losses = [record["valid_loss"] for record in model.history_]
    assert [each.history_[-1]["valid_loss"] for each in epochs] == losses
    assert_array_equal(last.predict(table), model.predict(table))
    assert_array_equal(epochs[model.best_epoch_ - 1].predict(table), model.predict(table))
    assert not np.allclose(epochs[-1].predict(table), model.predict(table))


def test_a_fitted_estimator_stays_as_it_was_and_has_all_attributes(table, clicks, tmp_path):
    records = Records()
    model = DINClassifier(**SMALL).set_callbacks(records).fit(table, clicks[1])

    for epoch, fitted in enumerate(records.fitted[:3], 1):
        assert (fitted.n_epochs_, fitted.best_epoch_, len(fitted.history_)) == (epoch, epoch, epoch)
        assert fitted.best_score_ == model.history_[epoch - 1]["valid_score"]
        assert fitted.history_ == model.history_[:epoch]
        save_model(fitted.set_callbacks(), tmp_path / "model.safetensors")
        loaded = load_model(tmp_path / "model.safetensors")
        assert_array_equal(loaded.predict_proba(table), fitted.predict_proba(table))
    probabilities = [each.predict_proba(table) for each in records.fitted[:3]]
    assert not np.allclose(probabilities[0], probabilities[1])


def test_a_divergence_is_reported_as_one(table, clicks):
    records = Records()
    parameters = SMALL | {"learning_rate": 1e30, "clip_norm": None, "optimizer": "sgd"}

    with pytest.raises(ValueError, match="Training diverged"):
        DINClassifier(**parameters).set_callbacks(records).fit(table, clicks[1])
    assert records.ended == []
    assert records.n_teardowns == 1


def test_an_epoch_that_diverges_ends_with_the_weights_that_are_kept(table, clicks):
    class Explodes(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                with torch.no_grad():
                    net.module_.mlp.output.weight.fill_(torch.inf)

    records = Records()
    parameters = SMALL | {"max_epochs": 5, "callbacks": [Explodes()]}
    with pytest.warns(ConvergenceWarning):
        model = DINClassifier(**parameters).set_callbacks(records).fit(table, clicks[1])

    assert records.ended == [("epoch", 0), ("epoch", 1), ("epoch", 2), ("fit", 0)]
    assert_array_equal(records.fitted[2].predict_proba(table), model.predict_proba(table))


def test_a_callback_that_fails_leaves_a_warm_start_as_it_was(table, clicks):
    class Fails(Records):
        def setup(self, estimator, context):
            raise RuntimeError("of the user")

    model = DINClassifier(**SMALL, warm_start=True).fit(table, clicks[1])
    before = model.predict_proba(table)

    with pytest.raises(RuntimeError, match="of the user"):
        model.set_callbacks(Fails()).fit(table, clicks[1])
    assert_array_equal(model.predict_proba(table), before)
    assert not hasattr(model, "_callback_fit_ctx")


def test_callbacks_see_the_rows_that_are_trained_on_and_their_weights(table, clicks):
    records = Records()
    weight = np.arange(300) % 4.0
    DINClassifier(**SMALL).set_callbacks(records).fit(table, clicks[1], sample_weight=weight)

    n_rows = 225 - 22  # without rows of weight 0, and a tenth held out
    for n_x, n_y, metadata in records.rows:
        assert (n_x, n_y, len(metadata["sample_weight"])) == (n_rows, n_rows, n_rows)
        assert metadata["sample_weight"].min() == 1


def test_a_callback_may_stop_the_training(table, clicks):
    records = Records(stop_after=2)
    model = DINClassifier(**SMALL).set_callbacks(records).fit(table, clicks[1])

    assert model.n_epochs_ == 2
    assert records.ended == [("epoch", 0), ("epoch", 1), ("fit", 0)]


def test_an_epoch_that_early_stopping_ends_is_ended(table, clicks):
    records = Records()
    parameters = SMALL | {"max_epochs": 50, "n_iter_no_change": 1, "learning_rate": 0.1}
    model = DINClassifier(**parameters).set_callbacks(records).fit(table, clicks[1])

    assert model.n_epochs_ < 50
    assert [name for name, _ in records.ended] == ["epoch"] * model.n_epochs_ + ["fit"]


def test_gradients_are_there_for_the_callbacks_of_skorch(table, clicks):
    class Gradients(Callback):
        def on_epoch_end(self, net, **kwargs):
            self.n = sum(each.grad is not None and bool(each.grad.any()) for each in net.module_.parameters())

    gradients = Gradients()
    DINClassifier(**SMALL, callbacks=[gradients]).set_callbacks(Records()).fit(table, clicks[1])

    assert gradients.n > 5


def test_callbacks_change_nothing(table, clicks):
    watched = DINClassifier(**SMALL).set_callbacks(Records()).fit(table, clicks[1])

    assert_array_equal(watched.predict_proba(table), DINClassifier(**SMALL).fit(table, clicks[1]).predict_proba(table))


def test_an_error_still_tears_them_down(table, clicks):
    records = Records()

    with pytest.raises(ValueError, match="one class"):
        DINClassifier(**SMALL).set_callbacks(records).fit(table, np.zeros(300))
    assert records.n_setups == records.n_teardowns


def test_the_model_lets_go_of_the_rows(table, clicks):
    model = DINClassifier(**SMALL).set_callbacks(Records()).fit(table, clicks[1])
    model.set_callbacks()

    assert len(pickle.dumps(model)) == len(pickle.dumps(DINClassifier(**SMALL).fit(table, clicks[1])))


def test_no_table_is_held_after_a_fit(clicks):
    own = BehaviorEncoder(BEHAVIORS).fit_transform(clicks[0])
    held = weakref.ref(own)
    model = DINClassifier(**SMALL).set_callbacks(Records()).fit(own, clicks[1])
    del own
    gc.collect()

    assert held() is None
    assert model.n_epochs_ == 3


def test_a_progress_bar_of_scikit_learn_goes_through_a_pipeline(clicks, capsys):
    pytest.importorskip("rich")
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), DINClassifier(**SMALL))
    model.set_callbacks(callback.ProgressBar()).fit(*clicks)

    shown = capsys.readouterr().out
    assert "Pipeline - fit" in shown
    assert "BehaviorEncoder - fit" in shown
    assert "DINClassifier - fit" in shown
    assert "100%" in shown


def test_a_score_can_be_monitored_over_the_epochs(table, clicks):
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    parameters = SMALL | {"early_stopping": False}
    model = DINClassifier(**parameters).set_callbacks(monitor).fit(table, clicks[1])

    log = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(log) == 3
    probability = model.predict_proba(table)[np.arange(300), clicks[1]]
    assert log[-1]["neg_log_loss"] == pytest.approx(np.log(probability).mean(), abs=1e-6)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_with_callbacks_can_be_copied(table, clicks, copied):
    model = DINClassifier(**SMALL).set_callbacks(Records()).fit(table, clicks[1])

    assert_array_equal(copied(model).predict_proba(table), model.predict_proba(table))


def test_a_file_holds_no_callbacks(clicks, tmp_path):
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), DINClassifier(**SMALL)).set_callbacks(
        callback.ScoringMonitor(scoring="roc_auc")
    )
    model[0].set_callbacks(RecordsOfEncoder())
    model.fit(*clicks)
    with pytest.warns(UserWarning, match="_skl_callbacks"):
        save_model(model, tmp_path / "model.safetensors")

    loaded = load_model(tmp_path / "model.safetensors")
    assert_array_equal(loaded.predict_proba(clicks[0]), model.predict_proba(clicks[0]))


class RecordsOfEncoder(Records):
    """An encoder predicts nothing."""

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        self.rows.append((len(X), len(y), fitted_estimator.layout_))


def test_the_fit_of_an_encoder_is_one_task(clicks):
    records = RecordsOfEncoder()
    X, y = clicks
    encoder = BehaviorEncoder(BEHAVIORS).set_callbacks(records)
    encoder.fit(X, y)
    encoder.fit_transform(X, y)

    assert records.begun == [("fit", 0, 0)] * 2
    assert records.ended == [("fit", 0)] * 2
    assert records.rows == [(300, 300, encoder.layout_)] * 2


def test_an_encoder_whose_callback_fails_is_unfitted(clicks):
    class Fails(Records):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("of the user")

    encoder = BehaviorEncoder(BEHAVIORS).fit(clicks[0]).set_callbacks(Fails())
    with pytest.raises(RuntimeError, match="of the user"):
        encoder.fit(clicks[0])
    with pytest.raises(NotFittedError):
        encoder.transform(clicks[0])
