"""Which vectors stand where in the embedded batch, row by row."""

import numpy as np
import pytest
import torch

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import FeatureEmbedding
from sklearn_din.nn._batch import batch_size_of

WIDTHS = {"city": 2, "item": 3, "shop": 5, "tags": 7, "click_action": 4}


def vectors(embedding, name, ids):
    return embedding.weight(name).detach().numpy()[np.asarray(ids)]


def hinges(embedding, numbers):
    """Numbers of the only numeric field beside their hinges, max(0, w x + b)."""
    layer = embedding.numbers[0].hinges
    x = np.float32(numbers)[:, None]
    return np.hstack([x, np.maximum(0, x * layer.weight.detach().numpy().T + layer.bias.detach().numpy())])


def test_candidate_holds_each_of_its_columns_once(layout, batch):
    embedding = FeatureEmbedding(layout, WIDTHS)

    expected = np.hstack([vectors(embedding, "item", [3, 8, 2, 1]), vectors(embedding, "shop", [5, 2, 2, 4])])
    np.testing.assert_array_equal(embedding(batch).candidate.detach(), expected)
    assert embedding.candidate_dim == 8


def test_behaviors_hold_shared_fields_then_other_ids_then_recency_then_numbers(layout, batch):
    embedding = FeatureEmbedding(layout, WIDTHS)
    sequence = embedding(batch).sequences["click_price"]

    expected = np.hstack(
        [
            vectors(embedding, "item", [3, 4, 1, 7, 2]),
            vectors(embedding, "shop", [5, 3, 1, 2, 2]),
            vectors(embedding, "click_action", [2, 2, 3, 4, 1]),
            vectors(embedding, ("recency", "click_price"), [2, 1, 0, 1, 0]),
            hinges(embedding, [0.1, -0.2, 0.3, 1.4, -1.5]),
        ]
    )
    np.testing.assert_allclose(sequence.behaviors.detach(), expected, rtol=1e-5, atol=1e-7)
    assert sequence.offsets is batch["click_item"][1]
    assert sequence.rows.tolist() == [0, 0, 0, 2, 2]
    assert embedding.sequence_dims["click_price"] == (8, 8 + 4 + 5 + 1 + 5)


def test_a_sequence_has_the_candidate_columns_of_its_own_fields(layout, batch):
    embedding = FeatureEmbedding(layout, WIDTHS)
    sequence = embedding(batch).sequences["bought_item"]

    np.testing.assert_array_equal(sequence.candidate.detach(), vectors(embedding, "item", [3, 8, 2, 1]))
    expected = np.hstack(
        [vectors(embedding, "item", [6, 8, 5]), vectors(embedding, ("recency", "bought_item"), [0, 1, 0])]
    )
    np.testing.assert_array_equal(sequence.behaviors.detach(), expected)
    assert embedding.sequence_dims["bought_item"] == (3, 6)


def test_context_holds_categories_then_means_of_bags_then_numbers(layout, batch):
    embedding = FeatureEmbedding(layout, WIDTHS)

    tags = vectors(embedding, "tags", range(7))
    expected = np.hstack(
        [
            vectors(embedding, "city", [2, 3, 1, 2]),
            np.stack([(tags[2] + tags[6]) / 2, np.zeros(7), tags[3], np.zeros(7)]),
            [[0.5, 1.5], [-1.0, 0.25], [0.0, -0.75], [2.0, 0.0]],
        ]
    )
    np.testing.assert_allclose(embedding(batch).context.detach(), expected, rtol=1e-6)
    assert embedding.context_dim == 2 + 7 + 2


def test_recency_can_be_left_out(layout, batch):
    embedding = FeatureEmbedding(layout, WIDTHS, recency_embedding=False)

    assert embedding.sequence_dims == {"click_price": (8, 18), "bought_item": (3, 3)}
    assert embedding(batch).sequences["click_price"].behaviors.shape == (5, 18)
    assert embedding(batch).sequences["bought_item"].behaviors.shape == (3, 3)
    assert set(embedding.ids_by_table(batch)) == set(WIDTHS) == set(embedding.table_names)


def test_behaviors_older_than_the_recency_table_take_its_last_row():
    sequence = BehaviorSequence((BehaviorField("history", None, 5),))
    embedding = FeatureEmbedding(FeatureLayout(sequences=(sequence,), max_length=2), 3)
    batch = {"history": (torch.tensor([2, 3, 4, 2]), torch.tensor([0, 4]))}

    assert embedding.ids_by_table(batch)["recency", "history"][0].tolist() == [1, 1, 1, 0]


def test_candidate_and_history_share_one_vector_and_its_gradient():
    sequence = BehaviorSequence((BehaviorField("history", "item", 5),))
    layout = FeatureLayout(categorical=(IdColumn("item", 5),), sequences=(sequence,))
    embedding = FeatureEmbedding(layout, 2, recency_embedding=False)
    batch = {"item": torch.tensor([3, 4]), "history": (torch.tensor([2, 3]), torch.tensor([0, 2, 2]))}

    embedded = embedding(batch)
    behaviors = embedded.sequences["history"].behaviors
    (10 * embedded.candidate.sum() + behaviors.sum()).backward()

    assert behaviors[1].equal(embedded.candidate[0])
    assert embedding.weight("item").grad[:, 0].tolist() == [0, 0, 1, 11, 10]


def test_the_ids_of_a_table_are_those_of_all_its_columns(layout, batch):
    ids = FeatureEmbedding(layout, 4).ids_by_table(batch)

    assert {name: [column.tolist() for column in columns] for name, columns in ids.items()} == {
        "city": [[2, 3, 1, 2]],
        "item": [[3, 8, 2, 1], [3, 4, 1, 7, 2], [6, 8, 5]],
        "shop": [[5, 2, 2, 4], [5, 3, 1, 2, 2]],
        "tags": [[2, 6, 3]],
        "click_action": [[2, 2, 3, 4, 1]],
        ("recency", "click_price"): [[2, 1, 0, 1, 0]],
        ("recency", "bought_item"): [[0, 1, 0]],
    }


def test_a_recency_table_collides_with_no_column():
    sequence = BehaviorSequence((BehaviorField("recency", "keys", 5),))
    layout = FeatureLayout(categorical=(IdColumn("keys", 5), IdColumn("", 7)), sequences=(sequence,), max_length=3)
    embedding = FeatureEmbedding(layout, 2)

    assert [len(embedding.weight(name)) for name in embedding.table_names] == [5, 7, 3]
    assert embedding.table_names == ("keys", "", ("recency", "recency"))


def test_numbers_alone_are_the_context():
    embedding = FeatureEmbedding(FeatureLayout(numeric=("x", "y")), 16)
    embedded = embedding({"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([3.0, 4.0])})

    assert embedded.context.tolist() == [[1, 3], [2, 4]]
    assert embedded.candidate.shape == (2, 0)
    assert embedded.sequences == {}
    assert embedding.table_names == ()


def test_a_history_without_counterparts_has_no_candidate():
    sequence = BehaviorSequence((BehaviorField("prices", None, None),))
    embedding = FeatureEmbedding(FeatureLayout(sequences=(sequence,)), 4)
    embedded = embedding({"prices": (torch.tensor([0.5, 2.0]), torch.tensor([0, 0, 2]))})

    assert embedded.sequences["prices"].candidate.shape == (2, 0)
    np.testing.assert_allclose(embedded.sequences["prices"].behaviors[:, 4:].detach(), hinges(embedding, [0.5, 2.0]))
    assert embedded.candidate.shape == embedded.context.shape == (2, 0)


def test_reset_draws_from_the_given_generator_only(layout):
    first, second = FeatureEmbedding(layout, 4), FeatureEmbedding(layout, 4)
    before = torch.get_rng_state()
    for embedding in (first, second):
        embedding.reset_parameters(torch.Generator().manual_seed(0))

    assert all(first.weight(name).equal(second.weight(name)) for name in first.table_names)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("name", ["city", "tags"])
def test_a_batch_has_as_many_rows_as_any_of_its_columns(batch, name):
    assert batch_size_of({name: batch[name]}) == 4


def test_a_batch_without_columns_is_refused():
    with pytest.raises(ValueError, match="A batch must have at least one column: got none"):
        batch_size_of({})


def test_a_batch_without_a_column_of_the_layout_is_refused(layout, batch):
    del batch["shop"]

    with pytest.raises(ValueError, match=r"all columns of the layout: got no \['shop'\]"):
        FeatureEmbedding(layout, 4)(batch)


def test_a_layout_without_columns_is_refused():
    with pytest.raises(ValueError, match="The layout must have at least one column: got none"):
        FeatureEmbedding(FeatureLayout(), 4)
