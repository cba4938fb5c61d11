"""A small encoded table with one sequence, a number and a bag."""

import numpy as np
import pytest

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.utils._ragged import Ragged


@pytest.fixture
def table():
    """Four rows; the histories of items have 2, 0, 3 and 1 behaviors."""
    layout = FeatureLayout(
        categorical=(IdColumn("item", 8),),
        numeric=("age",),
        sequences=(
            BehaviorSequence((BehaviorField("hist_item", "item", 8), BehaviorField("hist_rating", None, None))),
        ),
        bags=(IdColumn("genres", 5),),
        max_length=3,
    )
    offsets = np.array([0, 2, 2, 5, 6])
    columns = {
        "item": np.array([2, 3, 4, 2], dtype=np.int32),
        "age": np.array([0.5, -1.0, 2.0, 0.0], dtype=np.float32),
        "hist_item": Ragged(np.array([3, 4, 2, 2, 7, 5], dtype=np.int32), offsets),
        "hist_rating": Ragged(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], dtype=np.float32), offsets),
        "genres": Ragged(np.array([2, 3, 4], dtype=np.int32), np.array([0, 1, 1, 3, 3])),
    }
    return EncodedTable(layout, columns)
