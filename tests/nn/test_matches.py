"""How often the candidate stands in its own history."""

import numpy as np
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._matches import match_counts

LAYOUT = FeatureLayout(
    categorical=(IdColumn("item", 9),), sequences=(BehaviorSequence((BehaviorField("history", "item", 9),)),)
)


def counts_of(candidates, histories):
    offsets = torch.tensor([0, *(len(history) for history in histories)]).cumsum(0)
    batch = {
        "item": torch.tensor(candidates),
        "history": (torch.tensor([i for history in histories for i in history]), offsets),
    }
    return match_counts(LAYOUT, batch)[0].expm1().round().int().squeeze(1).tolist()


def test_each_row_counts_its_own_history():
    assert counts_of([3, 3, 5], [[3, 4, 3], [4], [3, 5]]) == [2, 0, 1]


def test_an_empty_history_has_no_match():
    assert counts_of([3, 4], [[], [4]]) == [0, 1]


def test_unknown_matches_nothing():
    assert counts_of([1, 2], [[1, 1], [1, 2]]) == [0, 1]


def test_a_history_that_shares_nothing_has_no_counts():
    layout = FeatureLayout(sequences=(BehaviorSequence((BehaviorField("history", None, 9),)),))

    assert match_counts(layout, {"history": (torch.tensor([2]), torch.tensor([0, 1]))}) == []


def test_the_final_network_sees_the_counts_of_all_shared_fields_last(layout, batch):
    seeing, blind = (DIN(layout, match_counts=match_counts) for match_counts in (True, False))

    expected = np.log1p([[1, 1, 0], [0, 0, 1], [1, 2, 0], [0, 0, 0]])  # items and shops clicked, items bought
    np.testing.assert_allclose(seeing.features(batch)[:, -3:].detach(), expected, rtol=1e-6)
    assert seeing.mlp.in_features == seeing.features(batch).shape[1] == blind.mlp.in_features + 3
    assert blind.mlp.in_features == blind.features(batch).shape[1]
