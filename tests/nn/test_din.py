"""The whole network against an independent one in NumPy that goes row by row."""

import copy

import numpy as np
import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.nn._dropout import Dropout
from sklearn_din.nn._layers import BatchNormalization

SIZES = {"embedding_dim": 3, "attention_hidden_layer_sizes": (5, 4), "hidden_layer_sizes": (6, 5)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward_layers(state, prefix, x):
    """Go through the layers of one fully connected network with Dice, by the names of its tensors."""
    n = 0
    while f"{prefix}hidden.{n}.weight" in state:
        s = state[f"{prefix}hidden.{n}.weight"] @ x + state[f"{prefix}hidden.{n}.bias"]
        mean = state[f"{prefix}hidden.{n + 1}.normalization.running_mean"]
        variance = state[f"{prefix}hidden.{n + 1}.normalization.running_var"]
        p = sigmoid((s - mean) / np.sqrt(variance + 1e-8))
        x = p * s + (1 - p) * state[f"{prefix}hidden.{n + 1}.alpha"] * s
        n += 3  # linear, Dice, dropout
    return state[f"{prefix}output.weight"] @ x + state[f"{prefix}output.bias"]


def list_at(batch, name, row):
    values, offsets = batch[name]
    return values[offsets[row] : offsets[row + 1]].tolist()


def attend(state, prefix, a, behaviors):
    """Return the interest of one history: softmax over the scores on ``[a, e, a - e, a * e]``."""
    if not behaviors:
        return np.zeros(state[f"{prefix}hidden.0.weight"].shape[1] - 3 * len(a))
    scores = []
    for e in behaviors:
        counterpart = e[: len(a)]
        scores.append(forward_layers(state, prefix, np.concatenate([a, e, a - counterpart, a * counterpart]))[0])
    weights = np.exp(scores) / np.exp(scores).sum()
    return weights @ np.array(behaviors)


def logits_of_numpy(network, batch):
    """Compute the logits of the layout of the fixture, row by row."""
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    table = {name: network.embedding.weight(name).detach().numpy() for name in network.embedding.table_names}
    logits = []
    for row in range(4):
        item, shop = table["item"][batch["item"][row]], table["shop"][batch["shop"][row]]
        fields = ["click_item", "click_shop", "click_action", "click_price"]
        clicks = list(zip(*(list_at(batch, name, row) for name in fields), strict=True))
        recency = table["recency", "click_price"]
        slope, shift = (state[f"embedding.numbers.0.hinges.{part}"] for part in ("weight", "bias"))
        clicks = [
            np.concatenate(
                [
                    *(table["item"][i], table["shop"][s], table["click_action"][a], recency[len(clicks) - 1 - n]),
                    *([price], np.maximum(0, slope[:, 0] * price + shift)),
                ]
            )
            for n, (i, s, a, price) in enumerate(clicks)
        ]
        bought = list_at(batch, "bought_item", row)
        recency = table["recency", "bought_item"]
        bought = [np.concatenate([table["item"][i], recency[len(bought) - 1 - n]]) for n, i in enumerate(bought)]
        a = np.concatenate([item, shop])
        interest = attend(state, "poolings.0.unit.mlp.", a, clicks)
        other = attend(state, "poolings.1.unit.mlp.", item, bought)
        tags = [table["tags"][i] for i in list_at(batch, "tags", row)]
        parts = [a, interest, other, a * interest[:6], item * other[:3]]
        parts += [table["city"][batch["city"][row]], np.mean(tags, axis=0) if tags else np.zeros(3)]
        matches = [
            list_at(batch, name, row).count(batch[candidate][row].item())
            for name, candidate in [("click_item", "item"), ("click_shop", "shop"), ("bought_item", "item")]
        ]
        x = np.concatenate([*parts, [batch["age"][row].item(), batch["income"][row].item()], np.log1p(matches)])
        logits.append(forward_layers(state, "mlp.", x))
    return np.array(logits)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_logits_are_those_of_the_network_in_numpy(layout, batch, randomize, n_outputs):
    network = randomize(DIN(layout, n_outputs=n_outputs, **SIZES)).eval()

    logits = network(batch).detach()

    assert logits.shape == ((4,) if n_outputs == 1 else (4, 3))
    expected = logits_of_numpy(network, batch)
    np.testing.assert_allclose(logits, expected[:, 0] if n_outputs == 1 else expected, rtol=1e-6)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_logits_are_the_final_network_of_the_features(layout, batch, n_outputs):
    network = DIN(layout, n_outputs=n_outputs).eval()

    logits = network.mlp(network.features(batch))

    assert logits.reshape(network(batch).shape).equal(network(batch))


def test_without_interest_product_the_features_lack_it(layout, batch):
    network = DIN(layout, interest_product=True, **SIZES).eval()
    plain = DIN(layout, interest_product=False, **SIZES).eval()
    plain.embedding.load_state_dict(network.embedding.state_dict())
    plain.poolings.load_state_dict(network.poolings.state_dict())

    features, expected = plain.features(batch), network.features(batch)

    start = 6 + (3 * 4 + 4) + 6  # candidate, then the interests
    assert features.equal(torch.cat([expected[:, :start], expected[:, start + 6 + 3 :]], dim=1))


@pytest.mark.parametrize("option", ["softmax", "sigmoid", None])
def test_attention_weights_are_those_of_each_sequence(layout, batch, option):
    network = DIN(layout, attention_normalization=option, recency_embedding=False, **SIZES).eval()

    weights = network.attention_weights(batch)

    start = 6 + 13
    interest = network.features(batch)[:, start : start + 3]  # of the purchases: their items
    vectors = network.embedding.weight("item")[batch["bought_item"][0].long()]
    products = weights["bought_item"][:, None] * vectors
    assert list(weights) == ["click_price", "bought_item"]
    assert weights["click_price"].shape == (5,)
    torch.testing.assert_close(interest[0], products[0])
    torch.testing.assert_close(interest[1], products[1] + products[2])
    if option == "softmax":
        assert weights["bought_item"][0].item() == 1
        assert weights["bought_item"][1:].sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [1, 0.5, 0.5]), ("sum", [1, 1, 1])])
def test_the_base_models_weigh_all_behaviors_alike(layout, batch, pooling, expected):
    network = DIN(layout, pooling=pooling, recency_embedding=False, **SIZES).eval()
    vectors = network.embedding.weight("item").detach()

    features = network.features(batch).detach()

    assert network.attention_weights(batch)["bought_item"].tolist() == expected
    torch.testing.assert_close(features[1, 19:22], expected[1] * (vectors[8] + vectors[5]))
    assert features[2, 19:22].tolist() == [0, 0, 0]


def test_a_layout_without_sequences_is_the_base_model():
    layout = FeatureLayout(categorical=(IdColumn("city", 4),), numeric=("age",))
    network = DIN(layout, embedding_dim=2).eval()

    features = network.features({"city": torch.tensor([3, 2]), "age": torch.tensor([0.5, 1.0])})

    expected = torch.cat([network.embedding.weight("city")[[3, 2]], torch.tensor([[0.5], [1.0]])], dim=1)
    assert features.equal(expected)
    assert len(network.poolings) == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention_interaction": "outer", "attention_normalization": None},
        {
            "attention_interaction": "concatenation",
            "attention_activation": "relu",
            "activation": "relu",
            "interest_product": False,
        },
        {"attention_hidden_layer_sizes": (), "hidden_layer_sizes": (), "attention_normalization": "sigmoid"},
        {"activation": "prelu", "attention_activation": "tanh", "attention_dropout": 0.2, "batch_norm": True},
        {"pooling": "mean", "activation": "sigmoid"},
    ],
)
def test_every_option_trains_the_vectors_with_finite_gradients(layout, batch, options):
    network = DIN(layout, embedding_init_std=1.0, **options)
    network.reset_parameters(torch.Generator().manual_seed(0))
    network.set_generator(torch.Generator().manual_seed(0))

    network(batch).square().sum().backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), name
    assert network.embedding.weight("item").grad[3].abs().sum() > 0


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_of_empty_histories_has_finite_logits(layout, batch, training):
    network = DIN(layout).train(training)
    none = torch.zeros(5, dtype=torch.int64)
    for name in layout.list_columns:
        batch[name] = (batch[name][0][:0], none)

    logits = network(batch)
    logits.sum().backward()

    assert logits.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)


def test_no_rows_give_no_logits(layout, batch):
    none = torch.zeros(1, dtype=torch.int64)
    empty = {name: (column[0][:0], none) if isinstance(column, tuple) else column[:0] for name, column in batch.items()}

    assert DIN(layout).eval()(empty).shape == (0,)


def test_a_network_built_without_memory_starts_from_one_generator_only(layout, batch):
    before = torch.get_rng_state()
    networks = []
    for _ in range(2):
        with torch.device("meta"):
            network = DIN(layout, activation="prelu", batch_norm=True, attention_dropout=0.1)
        network.to_empty(device="cpu")
        for tensor in network.state_dict().values():
            tensor.fill_(77)
        network.reset_parameters(torch.Generator().manual_seed(5))
        networks.append(network)

    assert torch.get_rng_state().equal(before)
    for (name, first), second in zip(networks[0].state_dict().items(), networks[1].state_dict().values(), strict=True):
        assert first.equal(second), name
        assert not (first == 77).any(), name
    assert networks[0].eval()(batch).isfinite().all()


def test_another_seed_gives_another_network(layout):
    network = DIN(layout)
    network.reset_parameters(torch.Generator().manual_seed(5))
    first = copy.deepcopy(network.state_dict())
    network.reset_parameters(torch.Generator().manual_seed(6))

    names = ["embedding.tables.weights.0", "poolings.0.unit.mlp.hidden.0.weight", "mlp.output.weight"]
    assert not any(first[name].equal(network.state_dict()[name]) for name in names)


def test_all_dropout_draws_from_the_generator_that_is_set(layout, batch):
    network = DIN(layout, dropout=0.5, attention_dropout=0.5)
    before = torch.get_rng_state()
    outputs = []
    for seed in (0, 0, 1):
        network.set_generator(torch.Generator().manual_seed(seed))
        outputs.append(network(batch).detach())

    assert outputs[0].equal(outputs[1])
    assert not outputs[0].equal(outputs[2])
    assert torch.get_rng_state().equal(before)


def test_a_copy_has_weights_and_a_generator_of_its_own(layout, batch):
    network = DIN(layout, dropout=0.5)
    network.set_generator(torch.Generator().manual_seed(0))
    other = copy.deepcopy(network)

    expected = network(batch)
    assert other(batch).equal(expected)
    other.mlp.output.bias.data += 1
    assert not other.mlp.output.bias.equal(network.mlp.output.bias)


def test_unknown_options_are_refused(layout):
    with pytest.raises(ValueError, match=r"pooling names no known option: got 'max'.*'attention', 'mean', 'sum'"):
        DIN(layout, pooling="max")
    with pytest.raises(ValueError, match="interaction names no known option: got 'sum'"):
        DIN(layout, attention_interaction="sum")
    with pytest.raises(ValueError, match="normalization names no known option: got 'max'"):
        DIN(layout, attention_normalization="max")
    with pytest.raises(ValueError, match="activation names no known option: got 'gelu'"):
        DIN(layout, attention_activation="gelu")
    with pytest.raises(ValueError, match="activation names no known option: got 'gelu'"):
        DIN(layout, activation="gelu")


def test_a_layout_without_columns_is_refused():
    with pytest.raises(ValueError, match="The layout must have at least one column"):
        DIN(FeatureLayout())


def test_widths_by_table_reach_the_network():
    history = BehaviorSequence((BehaviorField("hist_item", "item", 10),))
    layout = FeatureLayout(categorical=(IdColumn("item", 10), IdColumn("user", 5)), sequences=(history,))
    network = DIN(layout, embedding_dim={"item": 3, "user": 2}, recency_embedding=False)

    assert network.mlp.in_features == 3 + 3 + 3 + 2 + 1


def test_dropout_of_the_final_network_and_of_the_attention_are_set_apart(layout):
    network = DIN(layout, dropout=0.3, attention_dropout=0.2)

    assert [layer.p for layer in network.mlp.hidden if isinstance(layer, Dropout)] == [0.3, 0.3]
    assert [layer.p for layer in network.poolings.modules() if isinstance(layer, Dropout)] == [0.2] * 4


@pytest.mark.parametrize("batch_norm", [True, False])
def test_batch_normalization_is_that_of_the_final_network(layout, batch_norm):
    network = DIN(layout, attention_activation="relu", activation="relu", batch_norm=batch_norm)

    normalizations = [name for name, module in network.named_modules() if isinstance(module, BatchNormalization)]
    assert normalizations == (["mlp.hidden.1", "mlp.hidden.5"] if batch_norm else [])


def test_the_initial_vectors_have_the_standard_deviation():
    network = DIN(FeatureLayout(categorical=(IdColumn("item", 2001),)), embedding_init_std=0.5)
    network.reset_parameters(torch.Generator().manual_seed(0))

    assert network.embedding.weight("item").std().item() == pytest.approx(0.5, rel=0.03)
