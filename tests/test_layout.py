"""FeatureLayout: what it derives from its columns, and JSON."""

import json
from dataclasses import replace

import pytest

from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn

LAYOUT = FeatureLayout(
    categorical=(IdColumn("item", 9), IdColumn("city", 4)),
    numeric=("age",),
    sequences=(
        BehaviorSequence(
            (
                BehaviorField("price", None, None),
                BehaviorField("clicked", "item", 9),
                BehaviorField("action", None, 5),
            )
        ),
        BehaviorSequence((BehaviorField("bought", "item", 9),)),
    ),
    bags=(IdColumn("tags", 6),),
    max_length=2,
    fingerprint="1f",
)


def test_json_gives_the_layout_back():
    assert FeatureLayout.from_json(LAYOUT.to_json()) == LAYOUT


def test_a_candidate_stands_once_and_is_no_context():
    assert LAYOUT.candidates == ("item",)
    assert [column.name for column in LAYOUT.context] == ["city"]


def test_a_vocabulary_has_one_table_with_all_its_columns():
    assert LAYOUT.tables == {"item": 9, "city": 4, "tags": 6, "action": 5}
    assert LAYOUT.columns_by_table["item"] == ("item", "clicked", "bought")
    assert list(LAYOUT.columns_by_table) == list(LAYOUT.tables)


def test_a_sequence_is_called_by_its_first_column_and_numbers_come_last():
    sequence = LAYOUT.sequences[0]

    assert sequence.name == "price"
    assert [field.name for field in sequence.shared] == ["clicked"]
    assert [field.name for field in sequence.behavior_only] == ["action", "price"]


def test_list_columns_take_max_length_columns_of_the_padded_matrix():
    assert LAYOUT.padded_names[:5] == ("item", "city", "age", "price_0", "price_1")
    assert len(LAYOUT.padded_names) == 3 + 2 * len(LAYOUT.list_columns)


@pytest.mark.parametrize("change", [{"max_length": 3}, {"fingerprint": "2e"}, {"numeric": ()}])
def test_layouts_of_other_encodings_differ(change):
    assert replace(LAYOUT, **change) != LAYOUT


WRONG = {
    "nothing": lambda data: data.clear(),
    "without bags": lambda data: data.pop("bags"),
    "a number for a name": lambda data: data["numeric"].append(3),
    "text for a size": lambda data: data["categorical"][0].update(n_ids="9"),
    "a size below that of padding and unknown": lambda data: data["bags"][0].update(n_ids=1),
    "no length": lambda data: data.update(max_length=0),
    "half a length": lambda data: data.update(max_length=2.5),
    "a name twice": lambda data: data["numeric"].append("item"),
    "a candidate that is no column": lambda data: data["sequences"][1]["fields"][0].update(candidate="user"),
    "a field of another size than its candidate": lambda data: data["sequences"][1]["fields"][0].update(n_ids=8),
    "numbers with a candidate": lambda data: data["sequences"][1]["fields"][0].update(n_ids=None),
    "a sequence of nothing": lambda data: data["sequences"].append({"fields": []}),
    "an unknown attribute": lambda data: data["bags"][0].update(size=3),
}


@pytest.mark.parametrize("name", WRONG)
def test_json_that_describes_no_layout_is_refused(name):
    data = json.loads(LAYOUT.to_json())
    WRONG[name](data)

    with pytest.raises(ValueError, match="Give what to_json returned"):
        FeatureLayout.from_json(json.dumps(data))


def test_text_that_is_no_json_is_refused():
    with pytest.raises(ValueError, match="Expecting"):
        FeatureLayout.from_json("{")
