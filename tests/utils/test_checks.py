"""Checks of data: what passes, and what the messages name."""

import numpy as np
import pytest

from sklearn_din.utils._checks import (
    check_columns_exist,
    check_finite,
    check_is_list,
    check_is_scalar,
    check_same_lengths,
)
from sklearn_din.utils._columns import read_column


def test_fields_of_different_length_raise_with_both_columns_row_and_lengths():
    first, other = read_column("items", [[1], [2, 3]]), read_column("shops", [[1], [2]])

    check_same_lengths(first, first)
    with pytest.raises(ValueError, match=r"'items' and 'shops' must have the same length.*row 1 has 2 and 1"):
        check_same_lengths(first, other)


def test_single_values_are_no_list_column():
    with pytest.raises(TypeError, match="Column 'a' must hold a list in each row: row 1 has 5"):
        check_is_list(read_column("a", [None, 5]))


def test_text_gets_the_hint_how_to_split_it():
    with pytest.raises(TypeError, match=r"Column 'a' must hold a list .*row 0 has '1,2'.*\.str\.split\(\",\"\)"):
        check_is_list(read_column("a", ["1,2"]))


def test_lists_are_no_single_values():
    with pytest.raises(
        TypeError, match="Column 'a' cannot be numeric, because it holds lists: .*row 1 has the value 5"
    ):
        check_is_scalar(read_column("a", [[], [5]]), "numeric", "Average it.")


def test_a_wrong_name_raises_with_the_columns_there_are():
    check_columns_exist(["a"], ["a", "b"], "bag_features")
    with pytest.raises(ValueError, match="bag_features names the column 'c', which X does not have. .* are 'a', 'b'"):
        check_columns_exist(["a", "c"], ["a", "b"], "bag_features")


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_infinity_raises_with_column_row_and_value(value):
    column = read_column("h", [[0.0], [1.0, value]])

    with pytest.raises(ValueError, match=rf"Column 'h' holds infinity.*row 1 has {value!r}".replace("+", r"\+")):
        check_finite(column, np.array([0.0, 1.0, value]))
