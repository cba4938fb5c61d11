"""The declaration of behavior sequences."""

import pytest

from sklearn_din.preprocessing._behavior_features import declared_sequences


def test_a_dict_is_one_sequence_and_a_list_of_dicts_several():
    assert declared_sequences(None) == ()
    assert declared_sequences({"a": "x", "b": None}) == ((("a", "x"), ("b", None)),)
    assert declared_sequences([{"a": "x"}, {"b": "x"}]) == ((("a", "x"),), (("b", "x"),))


@pytest.mark.parametrize(
    ("behavior_features", "error", "message"),
    [
        ({}, ValueError, "behavior_features is empty"),
        ([], ValueError, "behavior_features is empty"),
        ([{"a": "x"}, {}], ValueError, "behavior_features is empty, or has an empty dict"),
        (["a"], TypeError, "it has an entry of type str. Give {list column: candidate column}"),
        ({"a": 1}, TypeError, "it has 'a': 1. Give {list column: candidate column}"),
        ({1: "a"}, TypeError, "it has 1: 'a'"),
        ([{"a": "x"}, {"a": "y"}], ValueError, "names the list column 'a' twice"),
        ({"a": "x", "x": None}, ValueError, "has 'x' both as a list column and as a candidate"),
    ],
)
def test_other_declarations_raise(behavior_features, error, message):
    with pytest.raises(error, match=message):
        declared_sequences(behavior_features)
