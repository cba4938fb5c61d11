"""The bias of each candidate: what is added, what learns, and what leaves it alone."""

import numpy as np
import pytest
import torch

from sklearn_din import DINClassifier
from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._bias import CandidateBias
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import BinaryLogLoss, MulticlassLogLoss, Rows, TensorTable, WholeTableL2, build_net
from sklearn_din.training._prediction import predict_raw
from sklearn_din.utils._ragged import Ragged

CPU = torch.device("cpu")
SMALL = {
    "behavior_dropout": 0.0,
    "embedding_dim": 2,
    "attention_hidden_layer_sizes": (3,),
    "hidden_layer_sizes": (3,),
    "dropout": 0.0,
}


@pytest.fixture
def table():
    """Four rows with two candidate columns, of four and five ids, and a context column, whose values have no bias."""
    fields = BehaviorField("hist_item", "item", 5), BehaviorField("hist_shop", "shop", 4)
    layout = FeatureLayout(
        categorical=(IdColumn("city", 4), IdColumn("item", 5), IdColumn("shop", 4)),
        sequences=(BehaviorSequence(fields),),
        max_length=3,
    )
    offsets = np.array([0, 2, 2, 5, 6])
    columns = {
        "city": np.array([2, 3, 1, 2], dtype=np.int32),
        "item": np.array([2, 4, 2, 1], dtype=np.int32),
        "shop": np.array([3, 2, 2, 3], dtype=np.int32),
        "hist_item": Ragged(np.array([3, 4, 2, 2, 1, 3], dtype=np.int32), offsets),
        "hist_shop": Ragged(np.array([2, 2, 3, 3, 1, 2], dtype=np.int32), offsets),
    }
    return EncodedTable(layout, columns)


@pytest.fixture
def batch(table):
    return TensorTable(table, CPU).batch(torch.arange(4))


def with_biases(bias):
    """Set the bias of item k to k, and that of shop k to 10 k; of output o to the (o + 1)-fold."""
    with torch.no_grad():
        for factor, weight in zip((1, 10), bias.weights, strict=True):
            n_ids, n_outputs = weight.shape
            weight[:] = factor * torch.arange(n_ids)[:, None] * torch.arange(1, n_outputs + 1)
    return bias


def make_network(table, n_outputs=1, **parameters):
    network = DIN(table.layout, n_outputs=n_outputs, **(SMALL | {"candidate_bias": True} | parameters))
    network.reset_parameters(torch.Generator().manual_seed(0))
    return network


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_biases_of_the_candidates_columns_add_up(table, batch, n_outputs):
    bias = with_biases(CandidateBias(table.layout, n_outputs))

    # items 2, 4, 2, 1 and shops 3, 2, 2, 3
    expected = np.outer([2 + 30, 4 + 20, 2 + 20, 1 + 30], np.arange(1, n_outputs + 1))
    np.testing.assert_array_equal(bias(batch).detach(), expected)


def test_a_bias_is_zero_at_first_and_after_a_reset(table, batch):
    bias = CandidateBias(table.layout, 2)
    assert bias(batch).tolist() == [[0, 0]] * 4

    with_biases(bias).reset_parameters(torch.Generator().manual_seed(0))
    assert bias(batch).tolist() == [[0, 0]] * 4


def test_the_gradient_of_a_bias_is_the_sum_over_the_rows_of_its_candidate(table, batch):
    bias = CandidateBias(table.layout, 1)

    (bias(batch)[:, 0] * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()

    items, shops = (weight.grad[:, 0].tolist() for weight in bias.weights)
    assert items == [0, 1000, 101, 0, 10]
    assert shops == [0, 0, 110, 1001]


def test_the_bias_of_padding_never_learns(table):
    bias = CandidateBias(table.layout, 1)
    rows = {"item": torch.tensor([0, 2]), "shop": torch.tensor([0, 2])}

    bias(rows).sum().backward()

    assert bias.weights[0].grad[:, 0].tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_logits_are_those_of_the_network_without_biases_plus_the_biases(table, batch, n_outputs):
    network = make_network(table, n_outputs).eval()
    plain = make_network(table, n_outputs, candidate_bias=False).eval()
    with_biases(network.candidate_bias)

    biases = np.outer([32, 24, 22, 31], np.arange(1, n_outputs + 1))
    expected = plain(batch).detach().numpy().reshape(4, n_outputs) + biases
    np.testing.assert_allclose(network(batch).detach().reshape(4, n_outputs), expected, rtol=1e-6)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_without_candidate_bias_nothing_is_added(table, batch, n_outputs):
    network = make_network(table, n_outputs, candidate_bias=False)

    assert network.bias(batch).tolist() == [[0]]
    assert not any("bias.weights" in name for name in network.state_dict())


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_predictions_are_those_of_the_forward_pass(table, batch, n_outputs):
    network = make_network(table, n_outputs).eval()
    with_biases(network.candidate_bias)

    raw = predict_raw(network, TensorTable(table, CPU))

    assert raw.shape == ((4,) if n_outputs == 1 else (4, 3))
    np.testing.assert_allclose(raw, network(batch).detach(), rtol=1e-5)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_no_rows_are_predicted_without_biases(table, n_outputs):
    raw = predict_raw(make_network(table, n_outputs), TensorTable(table[:0], CPU))

    assert raw.shape == ((0,) if n_outputs == 1 else (0, 3))


def trained(table, n_outputs=1, **parameters):
    """Return biases and output matrix of a network after one step; the biases were 1/64 of those above."""
    network = make_network(table, n_outputs)
    for weight in with_biases(network.candidate_bias).weights:
        weight.data /= 64
    target = torch.tensor([0, 1, 1, 0])
    criterion = MulticlassLogLoss() if n_outputs > 1 else BinaryLogLoss()
    rows = Rows(TensorTable(table, CPU), torch.arange(4), target if n_outputs > 1 else target.float(), None)
    defaults = {"optimizer": "sgd", "learning_rate": 0.1, "max_epochs": 1, "batch_size": 4}
    defaults["shuffling"] = torch.Generator().manual_seed(0)
    build_net(network, criterion, **(defaults | parameters)).partial_fit(rows)
    return [weight.detach() for weight in network.candidate_bias.weights], network.mlp.output.weight.detach()


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adagrad"])
def test_weight_decay_leaves_the_biases_alone(table, optimizer, n_outputs):
    plain, plain_matrix = trained(table, n_outputs, optimizer=optimizer)
    decayed, decayed_matrix = trained(table, n_outputs, optimizer=optimizer, alpha=0.5)

    for one, other in zip(plain, decayed, strict=True):
        assert one.equal(other)
    assert not plain_matrix.equal(decayed_matrix)


def test_the_regularization_of_embeddings_leaves_the_biases_alone(table):
    plain, _ = trained(table)
    regularized, _ = trained(table, regularization=WholeTableL2(0.5))

    for one, other in zip(plain, regularized, strict=True):
        assert one.equal(other)


def test_a_step_moves_the_biases_of_the_candidates_of_the_batch_and_no_others(table):
    items, shops = trained(table)[0]

    assert (items[:, 0] != torch.arange(5) / 64).tolist() == [False, True, True, False, True]
    assert (shops[:, 0] != 10 * torch.arange(4) / 64).tolist() == [False, False, True, True]


NEEDS_A_CANDIDATE = "candidate_bias needs a candidate column.*Set candidate_bias to False, or map a list column"


@pytest.mark.parametrize(
    "layout",
    [
        FeatureLayout(categorical=(IdColumn("city", 4),)),
        FeatureLayout(sequences=(BehaviorSequence((BehaviorField("hist_action", None, 4),)),)),
    ],
    ids=["no sequence", "no shared field"],
)
def test_a_layout_without_candidates_has_no_biases(layout):
    with pytest.raises(ValueError, match=NEEDS_A_CANDIDATE):
        CandidateBias(layout, 1)
    with pytest.raises(ValueError, match=NEEDS_A_CANDIDATE):
        DIN(layout, candidate_bias=True)


def test_plain_numbers_have_no_biases():
    model = DINClassifier(candidate_bias=True, device="cpu", random_state=0)

    with pytest.raises(ValueError, match=NEEDS_A_CANDIDATE):
        model.fit(np.zeros((4, 2)), [0, 1, 0, 1])
