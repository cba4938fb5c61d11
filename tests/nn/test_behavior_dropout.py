"""What a history loses in training, and what it keeps."""

import numpy as np
import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._behavior_dropout import BehaviorDropout
from sklearn_din.nn._embedding import EmbeddedSequence


def sequence_of(lengths):
    """Histories whose behaviors are numbered from 0 on."""
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    n = int(offsets[-1])
    rows = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return EmbeddedSequence(torch.zeros(len(lengths), 1), torch.arange(n)[:, None].float(), offsets, rows)


def dropped(lengths, p=0.8, seed=0):
    dropout = BehaviorDropout(p)
    dropout.generator = torch.Generator().manual_seed(seed)
    return dropout(sequence_of(lengths))


def test_what_is_left_stays_in_its_row_and_in_order():
    whole, (left, _) = sequence_of([9, 0, 1, 30]), dropped([9, 0, 1, 30])

    numbers = left.behaviors[:, 0].long()
    assert 0 < len(numbers) < 40
    assert (numbers.diff() > 0).all()
    assert left.rows.equal(whole.rows[numbers])
    assert left.offsets.equal(torch.searchsorted(left.rows, torch.arange(5)))
    assert left.candidate is not None


def test_half_of_the_greatest_share_is_lost_on_average_and_rows_differ():
    lengths = [40] * 2000
    left, _ = dropped(lengths, p=0.6)

    shares = 1 - left.offsets.diff().numpy() / 40
    assert shares.mean() == pytest.approx(0.3, abs=0.01)
    # Variance of a uniform share, and of the number kept at that share.
    assert shares.var() == pytest.approx(0.6**2 / 12 + (0.3 - 0.6**2 / 3) / 40, abs=0.003)


def test_the_factor_is_what_a_sum_is_too_small_by():
    (left, factor) = dropped([8, 0, 3], p=0.9)

    kept = left.offsets.diff()
    expected = [length / n if n else 1 for length, n in zip([8, 0, 3], kept.tolist(), strict=True)]
    np.testing.assert_allclose(factor[:, 0], expected)


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.8, False)])
def test_nothing_is_lost_without_it_and_in_inference(p, training):
    sequence = sequence_of([3, 4])

    assert BehaviorDropout(p).train(training)(sequence) == (sequence, None)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_shares_out_of_range_are_refused(p):
    with pytest.raises(ValueError, match="behavior_dropout must be at least 0 and below 1"):
        BehaviorDropout(p)


LAYOUT = FeatureLayout(
    categorical=(IdColumn("item", 9),), sequences=(BehaviorSequence((BehaviorField("history", "item", 9),)),)
)


def features(n_rows=4000, **parameters):
    """What the final network sees in training of one row many times, and in inference."""
    network = DIN(LAYOUT, embedding_dim=2, behavior_dropout=0.8, embedding_init_std=1.0, **parameters)
    network.reset_parameters(torch.Generator().manual_seed(0))
    network.set_generator(torch.Generator().manual_seed(1))
    history = torch.tensor([3, 4, 5, 3, 6, 7, 3, 8])
    batch = {
        "item": torch.full((n_rows,), 3),
        "history": (history.repeat(n_rows), torch.arange(0, 8 * n_rows + 1, 8)),
    }
    with torch.no_grad():
        return network.train().features(batch), network.eval().features(batch)[0]


@pytest.mark.parametrize(
    "parameters",
    [{"pooling": "mean"}, {"pooling": "sum"}, {"attention_normalization": "sigmoid"}],
)
def test_the_final_network_sees_in_training_on_average_what_it_sees_in_inference(parameters):
    relu = {"attention_activation": "relu", "interest_product": False}
    training, inference = features(**relu, **parameters)

    is_left = training[:, 2:-1].any(dim=1)  # a row that lost all has a zero interest
    assert is_left.float().mean() > 0.95
    np.testing.assert_allclose(training[is_left].mean(0), inference, atol=0.1, rtol=0.05)


def test_match_counts_are_those_of_the_whole_history():
    training, inference = features()

    assert (training[:, -1] == inference[-1]).all()
    assert inference[-1].item() == pytest.approx(np.log(4))


def test_a_behavior_keeps_its_distance_from_the_newest():
    network = DIN(LAYOUT, embedding_dim=2, behavior_dropout=0.8)
    network.set_generator(torch.Generator().manual_seed(1))
    batch = {"item": torch.full((50,), 3), "history": (torch.full((400,), 4), torch.arange(0, 401, 8))}

    embedded = network.embedding(batch).sequences["history"]
    left, _ = network.train().behavior_dropout(embedded)
    table = network.embedding.weight(("recency", "history"))
    for row in range(50):
        vectors = left.behaviors[left.offsets[row] : left.offsets[row + 1], 2:]
        distances = [int((table == vector).all(dim=1).nonzero()) for vector in vectors]
        assert distances == sorted(distances, reverse=True)
    assert len(left.behaviors) < 400


def test_another_draw_drops_others():
    assert not dropped([30], seed=0)[0].behaviors.equal(dropped([30], seed=1)[0].behaviors)
