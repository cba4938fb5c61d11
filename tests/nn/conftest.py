"""A layout with a column of every kind, and a batch of it."""

import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn


@pytest.fixture
def layout():
    """Return two sequences over one candidate, with fields of ids and numbers that only behaviors have, and a bag."""
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
        numeric=("age", "income"),
        sequences=(clicks, purchases),
        bags=(IdColumn("tags", 7),),
        max_length=4,
    )


@pytest.fixture
def batch():
    """Return four rows: the second has no click, the third no purchase, the last neither."""
    clicks = torch.tensor([0, 3, 3, 5, 5])
    purchases = torch.tensor([0, 1, 3, 3, 3])
    return {
        "city": torch.tensor([2, 3, 1, 2], dtype=torch.int32),
        "item": torch.tensor([3, 8, 2, 1], dtype=torch.int32),
        "shop": torch.tensor([5, 2, 2, 4], dtype=torch.int32),
        "age": torch.tensor([0.5, -1.0, 0.0, 2.0]),
        "income": torch.tensor([1.5, 0.25, -0.75, 0.0]),
        "click_price": (torch.tensor([0.1, -0.2, 0.3, 1.4, -1.5]), clicks),
        "click_item": (torch.tensor([3, 4, 1, 7, 2], dtype=torch.int32), clicks),
        "click_action": (torch.tensor([2, 2, 3, 4, 1], dtype=torch.int32), clicks),
        "click_shop": (torch.tensor([5, 3, 1, 2, 2], dtype=torch.int32), clicks),
        "bought_item": (torch.tensor([6, 8, 5], dtype=torch.int32), purchases),
        "tags": (torch.tensor([2, 6, 3], dtype=torch.int32), torch.tensor([0, 2, 2, 3, 3])),
    }


@pytest.fixture
def randomize():
    """Return a function that gives every parameter and statistic of a module a random value, in double precision."""

    def randomize(module, seed=0):
        generator = torch.Generator().manual_seed(seed)
        module.double()
        with torch.no_grad():
            for name, tensor in module.state_dict().items():
                if not tensor.is_floating_point():
                    continue
                tensor.normal_(generator=generator)
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.1)
        return module

    return randomize
