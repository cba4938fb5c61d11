"""Items that training never saw: what is predicted for them is what is known of unknown, not a guess.

A row is clicked with probability sigmoid(-0.5 + effect of the candidate + effect of the one item of the history). The
effect of a frequent item is 1.5 or -1.5, equally often; that of a rare one is -1.5.
"""

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier

BEHAVIORS = {"hist_item": "item"}
N_ROWS, N_TEST = 3000, 2000
FREQUENT, NEW, RARE, NEW_RARE = (0, 40), (40, 80), (1000, 1600), (2000, 2600)  # from, to
SEEDS = range(3)
GUESSING = {"unknown_rate": 0.0, "embedding_init_std": 1.0}  # unknown keeps its random vector

LARGEST_ERROR = 0.1  # of the mean probability
LARGEST_LOSS = 0.04  # nats above the loss of who knows all but what is new


def effect(items):
    return np.where((items % 2 == 0) & (items < RARE[0]), 1.5, -1.5)


def rate(of_candidate, of_history):
    return 1 / (1 + np.exp(0.5 - of_candidate - of_history))


def clicks(candidates, histories, rng):
    """Return rows and their labels."""
    X = {"item": candidates.tolist(), "hist_item": [[item] for item in histories.tolist()]}
    return X, (rng.random(len(candidates)) < rate(effect(candidates), effect(histories))).astype(int)


def fit(X, y, *, seed=0, behaviors=BEHAVIORS, min_frequency=1, **parameters):
    small = {
        "embedding_dim": 4,
        "attention_hidden_layer_sizes": (8,),
        "hidden_layer_sizes": (16,),
        "max_epochs": 8,
        "batch_size": 64,
        "device": "cpu",
        "random_state": seed,
    }
    return make_pipeline(
        BehaviorEncoder(behaviors, min_frequency=min_frequency), DINClassifier(**(small | parameters))
    ).fit(X, y)


def judge(models, X, y, best):
    """Return the largest error of the mean probability, and the mean log loss above that of the best probabilities."""
    probabilities = [model.predict_proba(X)[:, 1] for model in models]
    errors = [abs(proba.mean() - y.mean()) for proba in probabilities]
    losses = [log_loss(y, proba) for proba in probabilities]
    return max(errors), np.mean(losses) - log_loss(y, best)


@pytest.fixture(scope="module")
def frequent():
    """Training rows of frequent items only."""
    rng = np.random.default_rng(0)
    return clicks(rng.integers(*FREQUENT, N_ROWS), rng.integers(*FREQUENT, N_ROWS), rng)


@pytest.fixture(scope="module")
def models(frequent):
    """Models with the default ``unknown_rate``, one for each seed."""
    return [fit(*frequent, seed=seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def guessing(frequent):
    return [fit(*frequent, seed=seed, **GUESSING) for seed in SEEDS]


@pytest.mark.parametrize("new", ["candidate", "history"])
def test_the_probability_of_new_items_is_the_mean_over_items(models, guessing, new):
    rng = np.random.default_rng(1)
    known, unknown = rng.integers(*FREQUENT, N_TEST), rng.integers(*NEW, N_TEST)
    X, y = clicks(unknown, known, rng) if new == "candidate" else clicks(known, unknown, rng)
    best = np.mean([rate(effect(known), other) for other in (-1.5, 1.5)], axis=0)

    error, loss = judge(models, X, y, best)
    assert error < LARGEST_ERROR
    assert loss < LARGEST_LOSS
    # The contrast: with the random vector that unknown starts with, neither holds.
    error, loss = judge(guessing, X, y, best)
    assert error > LARGEST_ERROR
    assert loss > LARGEST_LOSS


@pytest.fixture(scope="module")
def with_rare():
    """Training rows in which 15 % of the candidates and of the past items are rare."""
    rng = np.random.default_rng(0)

    def draw():
        return np.where(rng.random(N_ROWS) < 0.15, rng.integers(*RARE, N_ROWS), rng.integers(*FREQUENT, N_ROWS))

    return clicks(draw(), draw(), rng)


@pytest.fixture(scope="module")
def by_frequency(with_rare):
    """Models by ``min_frequency`` and ``unknown_rate``."""
    return {
        (frequency, rate): fit(*with_rare, min_frequency=frequency, unknown_rate=rate, candidate_bias=True)
        for frequency, rate in [(5, 0.05), (5, 0.0), (1, 0.05)]
    }


@pytest.mark.parametrize("new", ["candidate", "history", "both"])
def test_new_items_are_like_the_rare_ones_that_min_frequency_makes_unknown(by_frequency, new):
    rng = np.random.default_rng(1)
    known, unknown = rng.integers(*FREQUENT, N_TEST), rng.integers(*NEW_RARE, N_TEST)
    items = {"candidate": (unknown, known), "history": (known, unknown), "both": (unknown, unknown)}[new]
    X, y = clicks(*items, rng)
    best = rate(effect(items[0]), effect(items[1]))  # where both are new one rate, whose entropy is the least loss

    for unknown_rate in (0.05, 0.0):
        error, loss = judge([by_frequency[5, unknown_rate]], X, y, best)
        assert error < LARGEST_ERROR
        assert loss < LARGEST_LOSS
    # The contrast: where all items are kept, unknown is like an item of the training rows, and those differ.
    error, loss = judge([by_frequency[1, 0.05]], X, y, best)
    assert error > LARGEST_ERROR
    assert loss > LARGEST_LOSS


def test_min_frequency_makes_the_rare_items_unknown(by_frequency):
    n_frequent, n_special = FREQUENT[1] - FREQUENT[0], 2
    encoder = by_frequency[5, 0.05][0]

    assert n_frequent <= encoder.layout_.tables["item"] - n_special < n_frequent + 30
    assert by_frequency[1, 0.05][0].layout_.tables["item"] > 400


class Unknown(Callback):
    """Keeps the vectors of unknown before the first step."""

    def on_train_begin(self, net, **kwargs):
        self.vectors = vectors_of_unknown(net.module_)


def vectors_of_unknown(module):
    return {name: module.embedding.weight(name)[1].detach().clone() for name in module.embedding.layout.tables}


SHOWN = pytest.mark.parametrize(
    ("parameters", "is_learnt"),
    [({}, True), ({"min_frequency": 5, "unknown_rate": 0.0}, True), ({"unknown_rate": 0.0}, False)],
    ids=["unknown_rate", "min_frequency", "neither"],
)


@SHOWN
@pytest.mark.parametrize("behaviors", [{"hist_item": "item"}, {"hist_item": None}], ids=["shared", "behavior-only"])
def test_every_vector_of_unknown_is_learnt_where_training_shows_it(with_rare, behaviors, parameters, is_learnt):
    X, y = with_rare
    X = X | {"item": np.array(X["item"]).astype(str)} if behaviors["hist_item"] is None else X  # a category then
    before = Unknown()
    model = fit(X, y, behaviors=behaviors, max_epochs=1, callbacks=[before], **parameters)[-1]

    after = vectors_of_unknown(model.module_)
    assert list(after) == (["item"] if behaviors["hist_item"] else ["item", "hist_item"])
    for name, vector in after.items():
        moved = (vector - before.vectors[name]).abs().max().item()
        assert moved > 1e-3 if is_learnt else moved == 0


@SHOWN
def test_the_bias_of_unknown_is_learnt_where_training_shows_it(with_rare, parameters, is_learnt):
    model = fit(*with_rare, candidate_bias=True, max_epochs=1, **parameters)[-1]

    bias = abs(model.module_.candidate_bias.weights[0][1].item())
    assert bias > 1e-3 if is_learnt else bias == 0


def test_the_bias_of_unknown_is_that_of_the_rare_items(by_frequency):
    biases = {key: model[-1].module_.candidate_bias.weights[0][1].item() for key, model in by_frequency.items()}

    # rare items are clicked less than the others, so their common bias is negative
    assert biases[5, 0.05] < -0.05
    assert biases[5, 0.0] < -0.05


def test_a_user_without_history_is_not_taken_for_one_who_lost_it_in_training():
    rng = np.random.default_rng(0)
    lengths = rng.choice([0, 1, 2], 2 * N_ROWS, p=[0.2, 0.5, 0.3])
    X = {
        "item": rng.integers(0, 40, len(lengths)).tolist(),
        "hist_item": [rng.integers(0, 40, length).tolist() for length in lengths],
    }
    y = (rng.random(len(lengths)) < np.where(lengths == 0, 0.05, 0.5)).astype(int)
    model = fit(X, y, behavior_dropout=0.8)

    new_users = {"item": list(range(40)), "hist_item": [[]] * 40}
    assert model.predict_proba(new_users)[:, 1].mean() == pytest.approx(0.05, abs=0.05)
