"""Many candidates of one user against the network on rows in which the lists of the user are repeated."""

from dataclasses import replace

import pytest
import torch

from sklearn_din.estimators._network import ARCHITECTURE
from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN, MLP, ActivationUnit
from sklearn_din.nn._inference import layers_in_inference, linear
from sklearn_din.nn._ranking import GROUP, PAIRS, pair_scores, ranking_features

N_CANDIDATES = 5
CLICKS = ("click_price", "click_item", "click_action", "click_shop")
SMALL = {"attention_hidden_layer_sizes": (5, 4), "hidden_layer_sizes": (6, 5), "embedding_dim": 3}

# Beside sizes and what acts in training only.
OPTIONS = [
    *(("attention_activation", name) for name in ("dice", "prelu", "relu", "sigmoid", "tanh")),
    *(("activation", name) for name in ("dice", "prelu", "relu", "sigmoid", "tanh")),
    *(("attention_normalization", name) for name in ("softmax", "sigmoid", None)),
    *(("attention_interaction", name) for name in ("difference_product", "outer", "concatenation")),
    *(("pooling", name) for name in ("attention", "mean", "sum")),
    *(("interest_product", value) for value in (True, False)),
    *(("batch_norm", value) for value in (True, False)),
    *(("recency_embedding", value) for value in (True, False)),
    *(("match_counts", value) for value in (True, False)),
    *(("candidate_bias", value) for value in (True, False)),
    *(("attention_hidden_layer_sizes", sizes) for sizes in ((), (5,))),
    *(("hidden_layer_sizes", sizes) for sizes in ((), (6,))),
    ("embedding_dim", {"city": 4, "item": 3, "shop": 2, "tags": 5, "colors": 2, "click_action": 1}),
]
OF_TRAINING = {"dropout", "attention_dropout", "behavior_dropout", "embedding_init_std"}


@pytest.fixture
def layout():
    """A sequence with fields of all kinds, one with a shared field; bags, and the rest."""
    clicks = BehaviorSequence(
        (
            BehaviorField("click_price", None, None),
            BehaviorField("click_item", "item", 9),
            BehaviorField("click_action", None, 5),
            BehaviorField("click_shop", "shop", 6),
        )
    )
    purchases = BehaviorSequence((BehaviorField("bought_item", "item", 9),))
    return FeatureLayout(
        categorical=(IdColumn("city", 4), IdColumn("item", 9), IdColumn("shop", 6)),
        numeric=("age", "price"),
        sequences=(clicks, purchases),
        bags=(IdColumn("tags", 7), IdColumn("colors", 7)),
        max_length=3,
    )


@pytest.fixture
def batch():
    """Five candidates, of which the lists differ; the first row has four clicks, one more than ``max_length``."""
    clicks = torch.tensor([0, 4, 4, 6, 7, 7])
    purchases = torch.tensor([0, 2, 3, 4, 6, 6])
    carts = torch.tensor([0, 3, 4, 4, 6, 6])
    return {
        "city": torch.tensor([2, 3, 1, 2, 3]),
        "item": torch.tensor([2, 8, 7, 1, 3]),
        "shop": torch.tensor([5, 2, 2, 4, 1]),
        "age": torch.tensor([0.5, -1.0, 0.0, 2.0, 0.25], dtype=torch.float64),
        "price": torch.tensor([0.25, 1.0, 0.5, -2.0, 1.25], dtype=torch.float64),
        "click_price": (torch.tensor([0.1, -0.2, 0.3, 1.4, -1.5, 0.0, 0.7], dtype=torch.float64), clicks),
        "click_item": (torch.tensor([7, 2, 1, 7, 2, 2, 1]), clicks),
        "click_action": (torch.tensor([2, 2, 3, 4, 1, 4, 3]), clicks),
        "click_shop": (torch.tensor([5, 2, 1, 2, 2, 4, 4]), clicks),
        "bought_item": (torch.tensor([3, 8, 5, 1, 1, 3]), purchases),
        "cart_action": (torch.tensor([2, 3, 1, 2, 2, 3]), carts),
        "tags": (torch.tensor([2, 6, 3, 1]), torch.tensor([0, 2, 2, 3, 4, 4])),
        "colors": (torch.tensor([3, 4, 3, 1]), torch.tensor([0, 1, 3, 3, 4, 4])),
    }


def first_of(column):
    """Return the list of the first row."""
    values, offsets = column
    return values[: offsets[1]]


def repeated(batch, of_user):
    """Return the batch with the lists of its first row in all rows."""
    lists = {name: first_of(batch[name]) for name in of_user}
    rows = {
        name: (values.repeat(N_CANDIDATES), len(values) * torch.arange(N_CANDIDATES + 1))
        for name, values in lists.items()
    }
    return batch | rows


def shared(batch, of_user):
    """Return the batch with the lists of its first row in the first row, and empty ones in the others."""
    lists = {name: first_of(batch[name]) for name in of_user}
    rows = {name: (values, torch.tensor([0] + [len(values)] * N_CANDIDATES)) for name, values in lists.items()}
    return batch | rows


def with_random_weights(module):
    """Give every parameter and statistic a random value, in double precision."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.double().state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(generator=generator)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.1)
    return module.eval()


def assert_ranking_is_the_network_on_repeated_rows(layout, batch, of_user, architecture):
    network = with_random_weights(DIN(layout, **SMALL | architecture))

    with torch.inference_mode():
        features = ranking_features(network, shared(batch, of_user), of_user)
        expected = network.features(repeated(batch, of_user))

    torch.testing.assert_close(features, expected, rtol=1e-6, atol=1e-6)
    assert features.std(0).max() > 0.01  # the candidates differ


ALL_LISTS = frozenset({*CLICKS, "bought_item", "tags", "colors"})


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_each_option_gives_what_the_network_gives_on_repeated_rows(layout, batch, option, value):
    assert_ranking_is_the_network_on_repeated_rows(layout, batch, ALL_LISTS, {option: value})


def test_every_option_of_the_network_is_tried_here():
    assert {option for option, _ in OPTIONS} | OF_TRAINING == set(ARCHITECTURE)


@pytest.mark.parametrize("of_user", [(), CLICKS, ("bought_item",), ("tags",), ("colors",), (*CLICKS, "tags")])
@pytest.mark.parametrize("pooling", ["attention", "sum"])
def test_lists_of_the_candidates_stay_their_own(layout, batch, of_user, pooling):
    assert_ranking_is_the_network_on_repeated_rows(layout, batch, frozenset(of_user), {"pooling": pooling})


@pytest.mark.parametrize("of_user", [(), ("cart_action",)])
@pytest.mark.parametrize("pooling", ["attention", "sum"])
def test_a_sequence_without_counterparts_has_one_interest(layout, batch, of_user, pooling):
    carts = BehaviorSequence((BehaviorField("cart_action", None, 4),))
    layout = replace(layout, sequences=(carts,))
    network = with_random_weights(DIN(layout, **SMALL, pooling=pooling)).float()

    with torch.inference_mode():
        features = ranking_features(network, shared(batch, of_user), frozenset(of_user))
        expected = network.features(repeated(batch, of_user))

    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_a_user_without_a_past_has_no_interest(layout, batch, pooling):
    empty = torch.tensor([0] * (N_CANDIDATES + 1))
    nothing = {name: (batch[name][0][:0], empty) for name in ALL_LISTS}

    assert_ranking_is_the_network_on_repeated_rows(layout, batch | nothing, ALL_LISTS, {"pooling": pooling})


@pytest.mark.parametrize("interaction", ["difference_product", "outer", "concatenation"])
@pytest.mark.parametrize(("n_candidates", "length"), [(3, GROUP + 1), (PAIRS // GROUP + 1, 2 * GROUP), (PAIRS + 1, 1)])
def test_pairs_in_several_blocks_have_the_scores_of_the_unit(interaction, n_candidates, length):
    unit = with_random_weights(ActivationUnit(2, 3, (4, 3), interaction=interaction))
    generator = torch.Generator().manual_seed(1)
    candidate = torch.randn(n_candidates, 2, generator=generator, dtype=torch.float64)
    behaviors = torch.randn(length, 3, generator=generator, dtype=torch.float64)

    with torch.inference_mode():
        scores = pair_scores(unit, candidate, behaviors)
        expected = unit(candidate, behaviors.repeat(n_candidates, 1), length * torch.arange(n_candidates + 1))

    torch.testing.assert_close(scores.flatten(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", ["dice", "prelu", "relu"])
def test_single_precision_has_the_scores_of_double_precision(activation):
    unit = with_random_weights(ActivationUnit(8, 12, (16, 8), activation=activation))
    generator = torch.Generator().manual_seed(1)
    candidate = 0.1 * torch.randn(100, 8, generator=generator, dtype=torch.float64)
    behaviors = 0.1 * torch.randn(20, 12, generator=generator, dtype=torch.float64)

    with torch.inference_mode():
        expected = pair_scores(unit, candidate, behaviors)
        scores = pair_scores(unit.float(), candidate.float(), behaviors.float())

    torch.testing.assert_close(scores.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 200])
@pytest.mark.parametrize("has_bias", [True, False])
def test_linear_is_a_matrix_product_for_any_number_of_rows(n, has_bias):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((n, 5), (3, 5), (3,)))

    with torch.inference_mode():
        product = linear(x, weight, bias if has_bias else None)

    expected = x.double() @ weight.double().T + (bias.double() if has_bias else 0)
    torch.testing.assert_close(product.double(), expected, rtol=1e-5, atol=1e-5)


def test_linear_of_no_columns_is_the_bias():
    with torch.inference_mode():
        product = linear(torch.zeros(100, 0), torch.zeros(2, 0), torch.tensor([1.0, -2.0]))

    assert product.tolist() == [[1.0, -2.0]] * 100


def test_linear_has_a_gradient_where_one_is_wanted():
    weight = torch.ones(1, 2, requires_grad=True)

    linear(torch.ones(100, 2), weight, None).sum().backward()

    assert weight.grad.tolist() == [[100.0, 100.0]]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("has_normalization", [True, False])
@pytest.mark.parametrize("activation", ["dice", "prelu", "tanh"])
def test_layers_in_inference_compute_what_the_layers_do(activation, has_normalization, first):
    mlp = with_random_weights(MLP(3, (4, 5), 2, activation=activation, dropout=0.5, batch_norm=has_normalization))
    layers = [*mlp.hidden, mlp.output][first:]
    x = torch.randn(7, 4 if first else 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = x

    with torch.inference_mode():
        for layer in layers:
            expected = layer(expected)
        scale, steps = layers_in_inference(layers)
        before = x.clone()
        y = x if scale is None else x * scale
        for step in steps:
            y = step(y)

    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(x, before)


@pytest.mark.parametrize("alpha", [1.0, 1 - 1e-7, 1 + 1e-3, -5.0, 0.0, 100.0])
def test_dice_has_its_value_in_inference_for_any_alpha(alpha):
    mlp = with_random_weights(MLP(3, (4,), 1)).float()
    torch.nn.init.constant_(mlp.hidden[1].alpha, alpha)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))

    with torch.inference_mode():
        _, steps = layers_in_inference([*mlp.hidden, mlp.output])
        y = steps[2](steps[1](steps[0](x)))
        expected = mlp.double()(x.double())

    torch.testing.assert_close(y.double(), expected, rtol=2e-6, atol=2e-6 * max(1, abs(alpha)))
