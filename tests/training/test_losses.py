"""Weighted losses against their formulas."""

import math

import pytest
import torch
from sklearn.metrics import log_loss

from sklearn_din.training import BinaryLogLoss, MulticlassLogLoss


def test_binary_log_loss_is_that_of_scikit_learn():
    logits, target = torch.tensor([0.3, -2.0, 4.0]), torch.tensor([1.0, 0.0, 0.0])

    expected = log_loss(target.numpy(), torch.sigmoid(logits.double()).numpy())
    assert float(BinaryLogLoss()(logits, target)) == pytest.approx(expected, rel=1e-6)


def test_multiclass_log_loss_of_equal_logits_is_the_log_of_the_number_of_classes():
    assert float(MulticlassLogLoss()(torch.zeros(5, 4), torch.tensor([0, 1, 2, 3, 0]))) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("loss", "raw", "target"),
    [
        (BinaryLogLoss(), torch.tensor([0.3, -2.0, 4.0]), torch.tensor([1.0, 0.0, 0.0])),
        (MulticlassLogLoss(), torch.tensor([[0.1, 1.0], [2.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 1, 1])),
    ],
)
def test_weight_two_equals_a_repeated_row_and_weight_zero_an_absent_one(loss, raw, target):
    weight = torch.tensor([2.0, 0.0, 1.0])
    rows = torch.tensor([0, 0, 2])

    weighted = loss(raw, target, weight / weight.mean())
    assert float(weighted) == pytest.approx(float(loss(raw[rows], target[rows])), rel=1e-6)
