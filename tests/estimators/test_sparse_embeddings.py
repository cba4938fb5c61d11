"""``sparse_embeddings``: what it changes and what it must not."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback

from sklearn_din.training import _optimizers

ITEMS = "embedding.tables.weights.0"


def weights_of(model):
    return model.module_.state_dict()


def test_auto_is_off_for_small_tables(make_classifier, clicks, table):
    auto = weights_of(make_classifier().fit(table, clicks[1]))
    off = weights_of(make_classifier(sparse_embeddings=False).fit(table, clicks[1]))

    assert all(auto[name].equal(off[name]) for name in auto)


def test_auto_is_on_for_big_tables(make_classifier, clicks, table, monkeypatch):
    monkeypatch.setattr(_optimizers, "SPARSE_FROM", 50)  # the items, not the categories
    auto = weights_of(make_classifier().fit(table, clicks[1]))
    on = weights_of(make_classifier(sparse_embeddings=True).fit(table, clicks[1]))
    monkeypatch.undo()
    off = weights_of(make_classifier().fit(table, clicks[1]))

    assert not auto[ITEMS].equal(off[ITEMS])
    assert not auto[ITEMS].equal(on[ITEMS])


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_without_momentum_it_changes_nothing(make_classifier, clicks, table, optimizer):
    on = make_classifier(sparse_embeddings=True, optimizer=optimizer).fit(table, clicks[1])
    off = make_classifier(sparse_embeddings=False, optimizer=optimizer).fit(table, clicks[1])

    assert_allclose(on.predict_proba(table), off.predict_proba(table), rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adagrad"])
@pytest.mark.parametrize("embedding_regularization", ["minibatch_aware", None])
def test_ids_that_no_training_row_holds_keep_their_first_values(
    make_classifier, clicks, table, optimizer, embedding_regularization
):
    parameters = {"optimizer": optimizer, "embedding_regularization": embedding_regularization, "early_stopping": False}
    rows = [row for row in range(len(table)) if 7 not in [table["item"][row], *table[[row]].ragged("hist_item").values]]
    model = make_classifier(sparse_embeddings=True, **parameters)
    untrained = weights_of(model.set_params(max_epochs=1, learning_rate=1e-30).fit(table[rows], clicks[1][rows]))
    trained = weights_of(model.set_params(max_epochs=3, learning_rate=0.01).fit(table[rows], clicks[1][rows]))

    assert trained[ITEMS][7].equal(untrained[ITEMS][7])
    assert not trained[ITEMS].equal(untrained[ITEMS])


def test_a_regressor_learns_with_it(make_regressor, clicks, table):
    y = clicks[1].astype(float)
    model = make_regressor(sparse_embeddings=True, max_epochs=40, early_stopping=False).fit(table, y)

    assert roc_auc_score(clicks[1], model.predict(table)) > 0.7


@pytest.mark.parametrize("true", [True, np.True_])
def test_l2_of_whole_tables_excludes_it(make_classifier, clicks, table, true):
    model = make_classifier(embedding_regularization="l2", embedding_alpha=1e-4, sparse_embeddings=true)
    with pytest.raises(ValueError, match=r'embedding_regularization="l2".*sparse_embeddings'):
        model.fit(table, clicks[1])

    model.set_params(embedding_alpha=0.0).fit(table, clicks[1])  # which is none at all


def test_with_l2_auto_is_off(make_classifier, clicks, table, monkeypatch):
    parameters = {"embedding_regularization": "l2", "embedding_alpha": 1e-4}
    off = weights_of(make_classifier(sparse_embeddings=False, **parameters).fit(table, clicks[1]))
    monkeypatch.setattr(_optimizers, "SPARSE_FROM", 1)
    auto = weights_of(make_classifier(**parameters).fit(table, clicks[1]))

    assert all(auto[name].equal(off[name]) for name in auto)


def test_what_is_fitted_has_dense_gradients_again(make_classifier, clicks, table):
    model = make_classifier(sparse_embeddings=True).fit(table, clicks[1])
    tables = model.module_.embedding.tables
    tables({"item": [torch.tensor([2, 3])]})["item"][0].sum().backward()

    assert not tables.weight("item").grad.is_sparse
    assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(table), model.predict_proba(table))


def test_warm_start_goes_on_with_it(make_classifier, clicks, table):
    model = make_classifier(warm_start=True, max_epochs=1, early_stopping=False)
    first = weights_of(model.fit(table, clicks[1]))[ITEMS].clone()

    assert not weights_of(model.set_params(sparse_embeddings=True).fit(table, clicks[1]))[ITEMS].equal(first)


def test_interrupted_training_leaves_no_sparse_gradients_behind(make_classifier, clicks, table):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    model = make_classifier(warm_start=True).fit(table, clicks[1])
    module = model.module_
    with pytest.raises(KeyboardInterrupt):
        model.set_params(sparse_embeddings=True, callbacks=[Interrupt()]).fit(table, clicks[1])

    assert module.embedding.tables.sparse == frozenset()
