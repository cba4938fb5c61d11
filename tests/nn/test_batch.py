"""Batches that do not fit the layout raise, in training as in inference."""

import pytest
import torch

from sklearn_din.nn import DIN


@pytest.mark.parametrize("training", [True, False])
def test_a_missing_column_is_named(layout, batch, training):
    del batch["click_action"]

    with pytest.raises(ValueError, match=r"all columns of the layout: got no \['click_action'\]"):
        DIN(layout).train(training)(batch)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "n"), [("click_price", 4), ("click_action", 6), ("click_item", 6)])
def test_fields_of_other_lengths_are_not_cut_to_one_length(layout, batch, training, name, n):
    values, offsets = batch[name]
    batch[name] = torch.cat([values, values])[:n], offsets

    with pytest.raises(ValueError, match=f"a value for each behavior: got .*'{name}': {n}"):
        DIN(layout).train(training)(batch)


def test_a_batch_that_fits_passes(layout, batch):
    assert DIN(layout)(batch).shape == (4,)
