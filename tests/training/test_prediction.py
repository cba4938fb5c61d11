"""Raw output and attention of all rows, whatever the blocks they are computed in."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_din.nn import DIN
from sklearn_din.training import TensorTable, _prediction, predict_attention, predict_raw

CPU = torch.device("cpu")


def make_module(table, n_outputs=1):
    module = DIN(table.layout, n_outputs=n_outputs, embedding_init_std=0.5)
    module.reset_parameters(torch.Generator().manual_seed(0))
    return module.eval()


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_raw_output_is_that_of_the_module_in_evaluation_mode(table, n_outputs):
    module = make_module(table, n_outputs)
    tensors = TensorTable(table, CPU)
    with torch.no_grad():
        expected = module(tensors.batch(torch.arange(4)))

    raw = predict_raw(module.train(), tensors)
    assert raw.dtype == torch.float64
    assert_allclose(raw.numpy(), expected.numpy(), rtol=1e-5)
    assert not module.training


def test_blocks_change_nothing(table, monkeypatch):
    module, tensors = make_module(table), TensorTable(table, CPU)
    raw, weights = predict_raw(module, tensors), predict_attention(module, tensors)
    monkeypatch.setattr(_prediction, "SMALLEST_BLOCK", 1)
    monkeypatch.setattr(_prediction, "LARGEST_BLOCK", 1)

    assert_allclose(predict_raw(module, tensors).numpy(), raw.numpy(), rtol=1e-6)
    assert_allclose(predict_attention(module, tensors)["hist_item"], weights["hist_item"], rtol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_without_attention_a_row_does_not_depend_on_the_rows_beside_it(table, pooling):
    module, tensors = DIN(table.layout, pooling=pooling, embedding_init_std=1.0), TensorTable(table, CPU)
    module.reset_parameters(torch.Generator().manual_seed(0))
    alone = [predict_raw(module, tensors, torch.tensor([row])) for row in range(4)]

    assert_allclose(torch.cat(alone).numpy(), predict_raw(module, tensors).numpy(), rtol=1e-12)
    assert next(module.parameters()).dtype == torch.float32


@pytest.mark.parametrize("batch_norm", [True, False])
def test_many_rows_have_the_output_that_each_has_alone(table, batch_norm):
    module = DIN(table.layout, batch_norm=batch_norm, embedding_init_std=0.5)
    module.reset_parameters(torch.Generator().manual_seed(0))
    tensors, positions = TensorTable(table, CPU), torch.arange(100) % 4
    alone = torch.cat([predict_raw(module, tensors, torch.tensor([row])) for row in range(4)])

    assert_allclose(predict_raw(module, tensors, positions).numpy(), alone[positions].numpy(), rtol=1e-5)
    assert alone.std() > 1e-3


@pytest.mark.parametrize("predict", [predict_raw, predict_attention])
def test_a_part_of_the_network_that_is_in_training_mode_is_set_to_evaluation(table, predict):
    module = make_module(table)
    module.poolings[0].train()

    predict(module, TensorTable(table, CPU))

    assert not any(part.training for part in module.modules())


@pytest.mark.parametrize("predict", [predict_raw, predict_attention])
def test_a_network_in_evaluation_mode_is_not_written_to(table, predict, monkeypatch):
    module = make_module(table)
    monkeypatch.setattr(module, "train", None)  # a call raises

    predict(module, TensorTable(table, CPU))


def test_long_histories_make_smaller_blocks(table):
    tensors = TensorTable(table, CPU)
    assert _prediction._block(tensors) == 4096

    tensors._values["hist_item"] = torch.zeros(4 * 50)
    assert _prediction._block(tensors) == 327


def test_positions_choose_rows(table):
    module, tensors = make_module(table), TensorTable(table, CPU)

    chosen = predict_raw(module, tensors, torch.tensor([3, 1]))
    assert_allclose(chosen.numpy(), predict_raw(module, tensors).numpy()[[3, 1]], rtol=1e-6)


@pytest.mark.parametrize(("n_outputs", "shape"), [(1, (0,)), (3, (0, 3))])
def test_no_rows_have_no_output(table, n_outputs, shape):
    tensors = TensorTable(table[:0], CPU)
    module = make_module(table, n_outputs)

    assert predict_raw(module, tensors).shape == shape
    assert predict_attention(module, tensors)["hist_item"].shape == (0,)


def test_attention_of_each_history_sums_to_one_and_an_empty_one_has_no_weight(table):
    weights = predict_attention(make_module(table), TensorTable(table, CPU))["hist_item"]

    assert_allclose(np.add.reduceat(weights, [0, 2, 5]), 1, rtol=1e-6)
    assert len(weights) == 6
