"""The forms that docs/user_guide/forms.rst describes, and each option alone, against a network in NumPy, row by row."""

import ast
import doctest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from sklearn_din import DINClassifier
from sklearn_din.estimators._network import ARCHITECTURE
from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN
from sklearn_din.training import build_net

PAGE = Path(__file__).parents[1] / "docs" / "user_guide" / "forms.rst"
N_ROWS = 5
UNKNOWN = 1
WIDTHS = {"city": 4, "item": 3, "shop": 2, "tags": 5, "click_action": 1}

# Beside the names of options here, sizes and what acts in training only.
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
    *(("embedding_dim", value) for value in (1, WIDTHS)),
    *(("attention_hidden_layer_sizes", sizes) for sizes in ((), (5,))),
    *(("hidden_layer_sizes", sizes) for sizes in ((), (6,))),
]
OF_TRAINING = {"dropout": 0.5, "attention_dropout": 0.5, "behavior_dropout": 0.5, "embedding_init_std": 0.1}


def forms_of_the_page():
    """Return the dicts of parameters that the page assigns, by their names."""
    namespace = {}
    for example in doctest.DocTestParser().get_examples(PAGE.read_text(encoding="utf-8")):
        statement = ast.parse(example.source).body[0]
        if isinstance(statement, ast.Assign) and getattr(getattr(statement.value, "func", None), "id", "") == "dict":
            exec(example.source, namespace)
    return {name: form for name, form in namespace.items() if isinstance(form, dict) and name != "__builtins__"}


FORMS = forms_of_the_page() | {"defaults": {}}


def architecture_of(form):
    """Return all parameters of the network, the form's or else the defaults of the estimator, in small sizes."""
    parameters = DINClassifier(**form).get_params()
    architecture = {name: parameters[name] for name in ARCHITECTURE}
    n_units, n_hidden = len(architecture["attention_hidden_layer_sizes"]), len(architecture["hidden_layer_sizes"])
    small = {"attention_hidden_layer_sizes": (5, 4)[:n_units], "hidden_layer_sizes": (6, 5)[:n_hidden]}
    return architecture | small | {"embedding_dim": 3}


@pytest.fixture
def layout():
    """Two sequences over one candidate, with fields of numbers and ids that only behaviors have, and the rest."""
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
        numeric=("age",),
        sequences=(clicks, purchases),
        bags=(IdColumn("tags", 7),),
        max_length=3,
    )


@pytest.fixture
def batch():
    """Rows with 2, 0, 4, 1 and 0 clicks, one more than ``max_length`` among them; id 1 is unknown."""
    clicks = torch.tensor([0, 2, 2, 6, 7, 7])
    purchases = torch.tensor([0, 1, 4, 4, 6, 6])
    return {
        "city": torch.tensor([2, 3, 1, 2, 3]),
        "item": torch.tensor([3, 8, 2, 1, 5]),
        "shop": torch.tensor([5, 2, 2, 4, 1]),
        "age": torch.tensor([0.5, -1.0, 0.0, 2.0, 0.25], dtype=torch.float64),
        "click_price": (torch.tensor([0.1, -0.2, 0.3, 1.4, -1.5, 0.0, 0.7], dtype=torch.float64), clicks),
        "click_item": (torch.tensor([3, 4, 1, 7, 2, 2, 1]), clicks),
        "click_action": (torch.tensor([2, 2, 3, 4, 1, 4, 3]), clicks),
        "click_shop": (torch.tensor([5, 3, 1, 2, 2, 4, 4]), clicks),
        "bought_item": (torch.tensor([6, 8, 5, 1, 1, 3]), purchases),
        "tags": (torch.tensor([2, 6, 3, 1]), torch.tensor([0, 2, 2, 3, 4, 4])),
    }


def with_random_weights(network):
    """Give every parameter and statistic a random value, in double precision."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.double().state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(generator=generator)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.1)
    return network.eval()


# The oracle. First the layers.


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))  # 1 / (1 + exp(-x)) where x may be -1000


def activate(name, s, state, layer):
    """Apply one of the activation functions; ``layer`` is where its parameters are in ``state``."""
    if name == "dice":
        mean, variance = (state[f"{layer}.normalization.running_{what}"] for what in ("mean", "var"))
        p = sigmoid((s - mean) / np.sqrt(variance + 1e-8))
        return p * s + (1 - p) * state[f"{layer}.alpha"] * s
    if name == "prelu":
        return np.where(s > 0, s, state[f"{layer}.weight"] * s)
    return {"relu": lambda s: np.maximum(s, 0), "sigmoid": sigmoid, "tanh": np.tanh}[name](s)


def fully_connected(state, prefix, x, *, n_hidden, activation, batch_norm=False):
    """Go through the hidden layers (linear, batch normalization, activation, dropout) and the last, linear one."""
    for n in range(n_hidden):
        at = n * (4 if batch_norm else 3)
        x = state[f"{prefix}.hidden.{at}.weight"] @ x + state[f"{prefix}.hidden.{at}.bias"]
        if batch_norm:
            at += 1
            layer = {name: state[f"{prefix}.hidden.{at}.{name}"] for name in ("running_mean", "running_var")}
            x = (x - layer["running_mean"]) / np.sqrt(layer["running_var"] + 1e-5)
            x = x * state[f"{prefix}.hidden.{at}.weight"] + state[f"{prefix}.hidden.{at}.bias"]
        x = activate(activation, x, state, f"{prefix}.hidden.{at + 1}")
    return state[f"{prefix}.output.weight"] @ x + state[f"{prefix}.output.bias"]


# Then attention.


class History(NamedTuple):
    """One row's events of one sequence, oldest first, and its candidate."""

    candidate: np.ndarray  # the vectors of the fields that it shares with the behaviors
    behaviors: np.ndarray  # (length, width): the shared fields, the other ids, recency, the numbers and their hinges
    candidate_ids: dict  # by shared field
    behavior_ids: dict  # lists of ids by shared field


def seen_by_the_unit(a, e, interaction):
    """Return the input of the activation unit for candidate ``a`` and behavior ``e``."""
    counterpart = e[: len(a)]
    if interaction == "difference_product":
        return np.concatenate([a, e, a - counterpart, a * counterpart])
    if interaction == "outer":
        pairs = [a[i] * counterpart[j] for i in range(len(a)) for j in range(len(a))]
        return np.concatenate([a, e, pairs])
    return np.concatenate([a, e])


def attention_weights(architecture, state, prefix, history):
    scores = []
    for e in history.behaviors:
        x = seen_by_the_unit(history.candidate, e, architecture["attention_interaction"])
        n_hidden = len(architecture["attention_hidden_layer_sizes"])
        activation = architecture["attention_activation"]
        scores.append(fully_connected(state, prefix, x, n_hidden=n_hidden, activation=activation)[0])
    if architecture["attention_normalization"] == "softmax":
        return np.exp(scores) / np.exp(scores).sum()
    return sigmoid(np.array(scores)) if architecture["attention_normalization"] == "sigmoid" else scores


def interest_of(architecture, state, prefix, history):
    """Return the sum of the behaviors, weighted; zero where there are none."""
    length = len(history.behaviors)
    if length == 0:
        return np.zeros(history.behaviors.shape[1])
    if architecture["pooling"] == "attention":
        weights = attention_weights(architecture, state, prefix, history)
    else:
        weights = [1 if architecture["pooling"] == "sum" else 1 / length] * length
    return sum(weight * e for weight, e in zip(weights, history.behaviors, strict=True))


# Then what a row holds, by the names of the layout above.


def list_at(batch, name, row):
    values, offsets = batch[name]
    return values[offsets[row] : offsets[row + 1]].tolist()


def history_of(architecture, state, tables, batch, row, name, shared, ids=(), numbers=()):
    """Return the sequence ``name`` of a row; ``shared`` maps its fields to columns of the candidate."""
    hinges = {field: f"embedding.numbers.{n}.hinges" for n, field in enumerate(numbers)}
    lists = {field: list_at(batch, field, row) for field in (*shared, *ids, *numbers)}
    length = len(lists[next(iter(shared))])
    behaviors = []
    for n in range(length):
        vectors = [tables[column][lists[field][n]] for field, column in shared.items()]
        vectors += [tables[field][lists[field][n]] for field in ids]
        if architecture["recency_embedding"]:
            table = tables["recency", name]
            vectors.append(table[min(length - 1 - n, len(table) - 1)])
        for field in numbers:
            number = lists[field][n]
            slopes, shifts = state[f"{hinges[field]}.weight"][:, 0], state[f"{hinges[field]}.bias"]
            vectors += [[number], np.maximum(slopes * number + shifts, 0)]
        behaviors.append(np.concatenate(vectors))
    candidate_ids = {field: batch[column][row].item() for field, column in shared.items()}
    candidate = np.concatenate([tables[column][candidate_ids[field]] for field, column in shared.items()])
    width = len(candidate) + sum(tables[field].shape[1] for field in ids)
    width += sum(1 + len(state[f"{hinges[field]}.bias"]) for field in numbers)
    width += tables["recency", name].shape[1] if architecture["recency_embedding"] else 0
    behavior_ids = {field: lists[field] for field in shared}
    return History(candidate, np.reshape(behaviors, (length, width)), candidate_ids, behavior_ids)


def final_input(architecture, tables, batch, row, histories, interests):
    """Return what the final network sees, part by part, by name: this is the place for a further part."""
    tags = [tables["tags"][i] for i in list_at(batch, "tags", row)]
    parts = {"item": tables["item"][batch["item"][row]], "shop": tables["shop"][batch["shop"][row]]}
    parts |= {("interest", name): interest for name, interest in interests.items()}
    if architecture["interest_product"]:
        for name, history in histories.items():
            parts["product", name] = history.candidate * interests[name][: len(history.candidate)]
    parts["city"] = tables["city"][batch["city"][row]]
    parts["tags"] = np.mean(tags, axis=0) if tags else np.zeros(tables["tags"].shape[1])
    parts["age"] = [batch["age"][row].item()]
    if architecture["match_counts"]:
        for name, history in histories.items():
            for field, candidate in history.candidate_ids.items():
                n_matches = history.behavior_ids[field].count(candidate) if candidate != UNKNOWN else 0
                parts["matches", name, field] = [np.log(1 + n_matches)]
    return parts


def logits_of(architecture, network, batch, row):
    """Compute the logits of one row."""
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    tables = {name: network.embedding.weight(name).detach().numpy() for name in network.embedding.table_names}
    clicks = {
        "shared": {"click_item": "item", "click_shop": "shop"},
        "ids": ["click_action"],
        "numbers": ["click_price"],
    }
    purchases = {"shared": {"bought_item": "item"}}
    fields = {"click_price": clicks, "bought_item": purchases}  # a sequence has the name of its first field
    histories = {name: history_of(architecture, state, tables, batch, row, name, **of) for name, of in fields.items()}
    interests = {
        name: interest_of(architecture, state, f"poolings.{n}.unit.mlp", history)
        for n, (name, history) in enumerate(histories.items())
    }
    parts = final_input(architecture, tables, batch, row, histories, interests)
    logits = fully_connected(
        state,
        "mlp",
        np.concatenate(list(parts.values())),
        n_hidden=len(architecture["hidden_layer_sizes"]),
        activation=architecture["activation"],
        batch_norm=architecture["batch_norm"],
    )
    if architecture["candidate_bias"]:
        logits = logits + state["candidate_bias.weights.0"][batch["item"][row]]
        logits = logits + state["candidate_bias.weights.1"][batch["shop"][row]]
    return logits


def assert_the_network_is_that_of_numpy(architecture, layout, batch, n_outputs):
    network = with_random_weights(DIN(layout, n_outputs=n_outputs, **architecture))

    logits = network(batch).detach().numpy()

    assert logits.shape == ((N_ROWS,) if n_outputs == 1 else (N_ROWS, n_outputs))
    expected = [logits_of(architecture, network, batch, row) for row in range(N_ROWS)]
    np.testing.assert_allclose(logits.reshape(N_ROWS, n_outputs), expected, rtol=1e-6, atol=1e-6)
    assert np.ptp(expected, axis=0).min() > 0.01  # the rows differ


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_network_that_its_parameters_describe(layout, batch, form, n_outputs):
    assert_the_network_is_that_of_numpy(architecture_of(FORMS[form]), layout, batch, n_outputs)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_each_option_beside_the_defaults_does_what_it_says(layout, batch, option, value, n_outputs):
    assert_the_network_is_that_of_numpy(architecture_of({}) | {option: value}, layout, batch, n_outputs)


def test_every_option_of_the_network_is_tried_here():
    assert {option for option, _ in OPTIONS} | OF_TRAINING.keys() == set(ARCHITECTURE)


def gradient_of(architecture, layout, batch, n_outputs, *, mixed_precision):
    """Return all gradients of a training step, one after another, of a network with given weights and dropout."""
    network = with_random_weights(DIN(layout, n_outputs=n_outputs, **architecture)).float().train()
    network.set_generator(torch.Generator().manual_seed(0))
    net = build_net(network, torch.nn.Identity(), mixed_precision=mixed_precision).initialize()
    single = {name: to_single(column) for name, column in batch.items()}
    net.raw_output(single).square().mean().backward()
    return torch.cat([each.grad.flatten() for each in network.parameters() if each.grad is not None])


def to_single(column):
    if isinstance(column, tuple):
        return to_single(column[0]), column[1]
    return column.float() if column.is_floating_point() else column


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(("option", "value"), [*OPTIONS, *OF_TRAINING.items()])
def test_each_option_has_about_the_gradient_of_float32_in_mixed_precision(layout, batch, option, value, n_outputs):
    architecture = architecture_of({}) | {option: value}
    plain, mixed = (
        gradient_of(architecture, layout, batch, n_outputs, mixed_precision=mixed_precision)
        for mixed_precision in (False, True)
    )

    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, plain)
    assert torch.nn.functional.cosine_similarity(mixed, plain, dim=0) > 0.9


def test_the_page_gives_the_three_forms_as_their_sources_do():
    textbook, paper, released_code = (FORMS[name] for name in ("textbook", "paper", "released_code"))

    for form in (textbook, paper, released_code):  # what the library adds by default is off
        assert form["dropout"] == form["behavior_dropout"] == form["unknown_rate"] == 0
        assert not form["recency_embedding"]
        assert not form["match_counts"]
    # Textbook: [e; a] through ReLU layers, softmax, then [u; a] through an MLP with ReLU.
    assert textbook["attention_interaction"] == "concatenation"
    assert textbook["attention_normalization"] == "softmax"
    assert textbook["attention_activation"] == textbook["activation"] == "relu"
    assert not textbook["interest_product"]
    # Paper, section 4.3 and figure 2: out product, 36 units, no softmax, 200 and 80 units, Dice.
    assert paper["attention_interaction"] == "outer"
    assert paper["attention_normalization"] is None
    assert tuple(paper["attention_hidden_layer_sizes"]) == (36,)
    assert tuple(paper["hidden_layer_sizes"]) == (200, 80)
    assert not paper["interest_product"]
    assert paper["embedding_regularization"] == "minibatch_aware"
    # The released code, din/model.py: [a, e, a - e, a * e] through 80 and 40 sigmoids, softmax, v * a, a bias per item.
    assert released_code["attention_interaction"] == "difference_product"
    assert released_code["attention_normalization"] == "softmax"
    assert released_code["attention_activation"] == released_code["activation"] == "sigmoid"
    assert tuple(released_code["attention_hidden_layer_sizes"]) == (80, 40)
    assert released_code["interest_product"]
    assert released_code["candidate_bias"]
