"""Numbers of behaviors as vectors of hinges."""

import torch

from sklearn_din.nn._numbers import NumberEmbedding


def test_a_number_stands_beside_its_hinges():
    embedding = NumberEmbedding(2)
    with torch.no_grad():
        embedding.hinges.weight.copy_(torch.tensor([[1.0], [-2.0]]))
        embedding.hinges.bias.copy_(torch.tensor([0.5, 1.0]))

    vectors = embedding(torch.tensor([1.0, -1.0, 0.0]))

    assert vectors.tolist() == [[1, 1.5, 0], [-1, 0, 3], [0, 0.5, 1]]


def test_a_mean_of_hinges_tells_middling_numbers_from_extremes():
    embedding = NumberEmbedding(16)
    embedding.reset_parameters(torch.Generator().manual_seed(0))

    middling, extreme = embedding(torch.zeros(2)).mean(0), embedding(torch.tensor([-2.0, 2.0])).mean(0)

    assert middling[0] == extreme[0]
    assert (middling[1:] - extreme[1:]).abs().max() > 0.1


def test_the_hinges_come_from_the_generator():
    first, second = NumberEmbedding(4), NumberEmbedding(4)
    for embedding in (first, second):
        embedding.reset_parameters(torch.Generator().manual_seed(3))

    assert first.hinges.weight.equal(second.hinges.weight)
    assert first.hinges.bias.equal(second.hinges.bias)
