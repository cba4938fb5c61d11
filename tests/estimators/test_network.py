"""The parameters of the network, and the network that they describe."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_din import DINClassifier
from sklearn_din.estimators._network import ARCHITECTURE, architecture_of, make_module
from sklearn_din.layout import FeatureLayout

LAYOUT = FeatureLayout(numeric=("age", "price"))


def test_equal_networks_have_equal_parameters():
    forms = [(8, 4), [8, 4], np.array([8, 4]), (np.int64(8), 4)]
    parameters = [architecture_of(DINClassifier(hidden_layer_sizes=form)) for form in forms]

    assert parameters == [parameters[0]] * 4
    assert parameters[0]["hidden_layer_sizes"] == (8, 4)


def test_every_parameter_of_the_network_is_passed_on():
    changed = {name: f"value of {name}" for name in ARCHITECTURE}
    sizes = {"hidden_layer_sizes": (3,), "attention_hidden_layer_sizes": (5,)}

    assert architecture_of(SimpleNamespace(**(changed | sizes))) == changed | sizes


def test_no_hidden_layer_is_a_network_too():
    module = make_module(LAYOUT, 1, architecture_of(DINClassifier(hidden_layer_sizes=())))

    assert [tuple(parameter.shape) for parameter in module.mlp.parameters()] == [(1, 2), (1,)]


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "a", None])
def test_a_size_that_is_no_positive_integer_raises(size):
    with pytest.raises(ValueError, match="hidden_layer_sizes must hold positive integers"):
        architecture_of(DINClassifier(hidden_layer_sizes=(8, size)))
    with pytest.raises(ValueError, match="embedding_dim must hold positive integers"):
        architecture_of(DINClassifier(embedding_dim={"item": size}))


def test_making_a_network_draws_no_random_number():
    before = torch.get_rng_state()
    make_module(LAYOUT, 1, architecture_of(DINClassifier()))

    assert torch.equal(torch.get_rng_state(), before)
