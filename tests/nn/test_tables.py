"""Tables: their widths, initial values and look-ups."""

import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn._tables import EmbeddingTables

WIDTHS = {"city": 2, "item": 3, "shop": 5, "tags": 7, "click_action": 4}


def make_tables(layout, embedding_dim=4, recency=True):
    return EmbeddingTables(layout, embedding_dim, recency=recency, init_std=0.01)


def test_there_is_one_table_per_vocabulary_and_one_of_recency_per_sequence(layout):
    tables = make_tables(layout)

    assert {name: tuple(tables.weight(name).shape) for name in tables.widths} == {
        "city": (4, 4),
        "item": (9, 4),
        "shop": (6, 4),
        "tags": (7, 4),
        "click_action": (5, 4),
        ("recency", "click_price"): (4, 4),
        ("recency", "bought_item"): (4, 4),
    }


def test_recency_can_be_left_out(layout):
    assert set(make_tables(layout, recency=False).widths) == set(WIDTHS)


def test_recency_is_as_wide_as_the_widest_table_of_its_sequence(layout):
    widths = make_tables(layout, WIDTHS).widths

    assert widths == WIDTHS | {("recency", "click_price"): 5, ("recency", "bought_item"): 3}


@pytest.mark.parametrize(("embedding_dim", "width"), [(6, 6), ({"city": 2, "town": 3}, 3)])
def test_recency_of_numbers_alone_is_as_wide_as_the_widest_table(embedding_dim, width):
    sequence = BehaviorSequence((BehaviorField("prices", None, None),))
    layout = FeatureLayout(categorical=(IdColumn("city", 4), IdColumn("town", 4)), sequences=(sequence,))

    assert make_tables(layout, embedding_dim).widths["recency", "prices"] == width


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": None}, r"got no width for \['item'\], and one for \[\]"),
        ({"click_item": 3}, r"got no width for \[\], and one for \['click_item'\]"),
    ],
)
def test_widths_must_name_exactly_the_tables(layout, change, message):
    widths = {name: width for name, width in (WIDTHS | change).items() if width is not None}

    with pytest.raises(ValueError, match=message):
        make_tables(layout, widths)


def test_padding_starts_at_zero_and_gets_no_gradient(layout):
    tables = make_tables(layout)
    vectors = tables({"item": [torch.tensor([0, 3])]})["item"][0]
    vectors.sum().backward()

    assert tables.weight("city")[0].tolist() == [0, 0, 0, 0]
    assert vectors[0].tolist() == [0, 0, 0, 0]
    assert tables.weight("item").grad.sum(dim=1).tolist() == [0, 0, 0, 4, 0, 0, 0, 0, 0]


def test_the_newest_behavior_is_no_padding(layout):
    tables = make_tables(layout)
    name = ("recency", "bought_item")
    tables({name: [torch.tensor([0, 1])]})[name][0].sum().backward()

    assert tables.weight(name)[0].abs().min() > 0
    assert tables.weight(name).grad.sum(dim=1).tolist() == [4, 4, 0, 0]


@pytest.mark.parametrize("init_std", [0.01, 0.5])
def test_initial_values_have_the_standard_deviation(init_std):
    layout = FeatureLayout(categorical=(IdColumn("item", 2001),))
    tables = EmbeddingTables(layout, 8, recency=True, init_std=init_std)
    tables.reset_parameters(torch.Generator().manual_seed(0))

    values = tables.weight("item")[1:]
    assert values.std().item() == pytest.approx(init_std, rel=0.03)
    assert abs(values.mean().item()) < 0.03 * init_std


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_each_column_gets_the_vectors_of_its_ids(layout, dtype):
    tables = make_tables(layout)

    first, second = tables({"item": [torch.tensor([3, 1], dtype=dtype), torch.tensor([8, 8, 2], dtype=dtype)]})["item"]

    assert first.equal(tables.weight("item")[[3, 1]])
    assert second.equal(tables.weight("item")[[8, 8, 2]])


def test_columns_may_have_any_name():
    names = ["", "a.b", "keys", "weight", "weights", "training", "with space", "0", "recency", "forward"]
    layout = FeatureLayout(categorical=tuple(IdColumn(name, 3 + n) for n, name in enumerate(names)))
    tables = make_tables(layout)

    assert [len(tables.weight(name)) for name in names] == list(range(3, 13))
    assert len(tables.state_dict()) == 10
