"""Nothing but a row's own behaviors reaches its score, and nothing but real behaviors reaches the statistics."""

import copy

import numpy as np
import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN

OPTIONS = [
    {},
    {"attention_normalization": None, "attention_interaction": "outer"},
    {"attention_normalization": "sigmoid", "attention_interaction": "concatenation", "batch_norm": True},
    {"pooling": "mean"},
]


@pytest.fixture
def layout():
    """Return one sequence over one candidate."""
    history = BehaviorSequence((BehaviorField("hist_item", "item", 12),))
    return FeatureLayout(categorical=(IdColumn("item", 12),), sequences=(history,), max_length=8)


def make_batch(items, histories):
    offsets = torch.tensor([0, *np.cumsum([len(history) for history in histories])])
    values = torch.tensor([item for history in histories for item in history], dtype=torch.int32)
    return {"item": torch.tensor(items, dtype=torch.int32), "hist_item": (values, offsets)}


@pytest.mark.parametrize("options", OPTIONS)
def test_a_score_does_not_depend_on_the_histories_of_other_rows(layout, randomize, options):
    network = randomize(DIN(layout, **options)).eval()

    short = network(make_batch([3, 4, 5], [[5, 6], [], [7]]))
    long = network(make_batch([3, 4, 5], [[5, 6], [], [7, 8, 9, 10, 11, 2, 3, 4]]))
    alone = [network(make_batch([item], [history])) for item, history in [(3, [5, 6]), (4, [])]]

    np.testing.assert_allclose(long[:2].detach(), short[:2].detach(), rtol=1e-12)
    np.testing.assert_allclose(torch.cat(alone).detach(), short[:2].detach(), rtol=1e-12)
    assert abs(long[2] - short[2]) > 1e-6


@pytest.mark.parametrize("training", [True, False])
def test_empty_histories_beside_a_row_change_neither_its_interest_nor_the_statistics(layout, randomize, training):
    network = randomize(DIN(layout, recency_embedding=False, behavior_dropout=0.0)).train(training)
    results = []
    for items, histories in [([3, 4], [[5, 6, 2], [7]]), ([3, 8, 9, 4], [[5, 6, 2], [], [], [7]])]:
        embedding, pooling = copy.deepcopy((network.embedding, network.poolings[0]))
        interest, _ = pooling(*embedding(make_batch(items, histories)).sequences["hist_item"])
        results.append((interest, pooling.unit.mlp.hidden[1].normalization.running_mean))

    (interest, statistics), (interest_beside, statistics_beside) = results
    np.testing.assert_allclose(interest_beside[[0, 3]].detach(), interest.detach(), rtol=1e-12)
    np.testing.assert_allclose(statistics_beside, statistics, rtol=1e-12)


def test_the_statistics_of_dice_are_those_of_the_real_positions(layout):
    network = DIN(layout, recency_embedding=False, behavior_dropout=0.0, embedding_init_std=1.0).double()
    items, histories = [3, 4, 5], [[5, 6, 2, 9], [], [7]]
    table = network.embedding.weight("item").detach().numpy()
    first = network.poolings[0].unit.mlp.first
    weight, bias = first.weight.detach().numpy(), first.bias.detach().numpy()

    network(make_batch(items, histories))

    units = []
    for item, history in zip(items, histories, strict=True):
        for behavior in history:
            a, e = table[item], table[behavior]
            units.append(weight @ np.concatenate([a, e, a - e, a * e]) + bias)
    mean = sum(units) / 5
    variance = sum((unit - mean) ** 2 for unit in units) / 4
    normalization = network.poolings[0].unit.mlp.hidden[1].normalization
    np.testing.assert_allclose(normalization.running_mean, mean, rtol=1e-9)
    np.testing.assert_allclose(normalization.running_var, variance, rtol=1e-9)


def test_reordering_the_rows_reorders_the_scores(layout, randomize):
    network = randomize(DIN(layout, dropout=0.0, behavior_dropout=0.0)).train()

    first = network(make_batch([3, 4, 5], [[5, 6], [], [7, 8, 9]])).detach()
    second = network(make_batch([5, 3, 4], [[7, 8, 9], [5, 6], []])).detach()

    np.testing.assert_allclose(second, first[[2, 0, 1]], rtol=1e-9)
