"""What a history loses in training, and what it keeps."""

import numpy as np
import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._behavior_dropout import BehaviorDropout

LAYOUT = FeatureLayout(
    categorical=(IdColumn("item", 99),), sequences=(BehaviorSequence((BehaviorField("history", "item", 99),)),)
)


def batch_of(lengths):
    """Histories whose behaviors are numbered from 0 on."""
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    return {"item": torch.full((len(lengths),), 2), "history": (torch.arange(int(offsets[-1])), offsets)}


def dropped(lengths, p=0.8, seed=0):
    dropout = BehaviorDropout(LAYOUT.sequences, p)
    dropout.generator = torch.Generator().manual_seed(seed)
    batch, factors = dropout(batch_of(lengths))
    return *batch["history"], factors["history"]


def test_what_is_left_stays_in_its_row_and_in_order():
    (numbers, left, _), starts = dropped([9, 0, 1, 30]), torch.tensor([0, 9, 9, 10, 40])

    assert 0 < len(numbers) < 40
    assert (numbers.diff() > 0).all()
    assert left.equal(torch.searchsorted(numbers, starts))


def test_all_fields_of_a_behavior_go_and_all_other_columns_stay(layout, batch):
    dropout = BehaviorDropout(layout.sequences, 0.8)
    dropout.generator = torch.Generator().manual_seed(0)
    thinned, factors = dropout(batch)

    price, offsets = thinned["click_price"]
    places = [batch["click_price"][0].tolist().index(value) for value in price.tolist()]  # the prices differ
    assert 0 < len(places) < 5
    for field in layout.sequences[0].fields:
        assert thinned[field.name][0].equal(batch[field.name][0][places])
        assert thinned[field.name][1].equal(offsets)
    assert set(factors) == {"click_price", "bought_item"}
    in_sequences = {field.name for sequence in layout.sequences for field in sequence.fields}
    assert all(thinned[name] is batch[name] for name in set(batch) - in_sequences)
    assert set(thinned) == set(batch)


def test_half_of_the_greatest_share_is_lost_on_average_and_rows_differ():
    lengths = [40] * 2000
    _, left, _ = dropped(lengths, p=0.6)

    shares = 1 - left.diff().numpy() / 40
    assert shares.mean() == pytest.approx(0.3, abs=0.01)
    # Variance of a uniform share, and of the number kept at that share.
    assert shares.var() == pytest.approx(0.6**2 / 12 + (0.3 - 0.6**2 / 3) / 40, abs=0.003)


def test_only_an_empty_history_is_empty():
    _, left, _ = dropped([1, 0, 2] * 500, p=0.99)

    lengths = left.diff().reshape(500, 3)
    assert (lengths[:, 0] == 1).all()
    assert (lengths[:, 1] == 0).all()
    assert set(lengths[:, 2].tolist()) == {1, 2}


def test_each_behavior_is_as_likely_to_stay_as_any_other():
    numbers, left, _ = dropped([3] * 6000, p=0.8)

    stay = torch.bincount(numbers % 3) / 6000
    np.testing.assert_allclose(stay, left[-1].item() / 18000, atol=0.02)


def test_the_factor_is_what_a_sum_is_too_small_by():
    _, left, factor = dropped([8, 0, 3], p=0.9)

    expected = [length / n if n else 1 for length, n in zip([8, 0, 3], left.diff().tolist(), strict=True)]
    np.testing.assert_allclose(factor[:, 0], expected)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_no_rows_and_offsets_of_any_integers_do(dtype):
    dropout = BehaviorDropout(LAYOUT.sequences, 0.8)
    no_rows, _ = dropout({"item": torch.zeros(0), "history": (torch.zeros(0), torch.zeros(1, dtype=dtype))})
    some, _ = dropout({"item": torch.zeros(1), "history": (torch.arange(9), torch.tensor([0, 9], dtype=dtype))})

    assert no_rows["history"][1].tolist() == [0]
    assert no_rows["history"][1].dtype == some["history"][1].dtype == dtype


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.8, False)])
def test_nothing_is_lost_without_it_and_in_inference(p, training):
    batch = batch_of([3, 4])
    same, factors = BehaviorDropout(LAYOUT.sequences, p).train(training)(batch)

    assert same is batch
    assert factors == {}


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_shares_out_of_range_are_refused(p):
    with pytest.raises(ValueError, match="behavior_dropout must be at least 0 and below 1"):
        BehaviorDropout((), p)


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
    [
        {"pooling": "mean"},
        {"pooling": "sum"},
        {"attention_normalization": "sigmoid"},
        {"attention_normalization": None},
    ],
)
def test_without_recency_the_final_network_sees_on_average_what_it_sees_in_inference(parameters):
    relu = {"attention_activation": "relu", "interest_product": False, "recency_embedding": False}
    training, inference = features(**relu, **parameters)

    np.testing.assert_allclose(training.mean(0), inference, atol=0.1, rtol=0.05)


def test_each_sequence_has_its_own_factor(layout, batch):
    network = DIN(layout, pooling="sum", recency_embedding=False, behavior_dropout=0.8, embedding_init_std=1.0)
    network.set_generator(torch.Generator().manual_seed(0))
    for name in ("click_price", "click_item", "click_action", "click_shop", "bought_item"):
        values, offsets = batch[name]
        batch[name] = values[:1].repeat(len(values)), offsets  # what is left, scaled, is then what there was

    with torch.no_grad():
        np.testing.assert_allclose(
            network.train().features(batch), network.eval().features(batch), rtol=1e-5, atol=1e-6
        )


def test_match_counts_are_those_of_the_whole_history():
    training, inference = features()

    assert (training[:, -1] == inference[-1]).all()
    assert inference[-1].item() == pytest.approx(np.log(4))


def test_distances_count_from_the_newest_that_is_left():
    network = DIN(LAYOUT, embedding_dim=2, behavior_dropout=0.8)
    network.set_generator(torch.Generator().manual_seed(1))
    thinned, _ = network.train().behavior_dropout(batch_of([8] * 50))

    left = thinned["history"][1].diff().tolist()
    expected = [distance for length in left for distance in reversed(range(length))]
    assert network.embedding.ids_by_table(thinned)["recency", "history"][0].tolist() == expected
    assert sum(left) < 400


def test_another_draw_drops_others():
    assert not dropped([30], seed=0)[0].equal(dropped([30], seed=1)[0])
