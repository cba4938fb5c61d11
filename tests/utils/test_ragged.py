"""Ragged columns against lists of lists."""

import numpy as np
import pytest

from sklearn_din.utils._ragged import Ragged, concatenate, first_gap, from_padded, offsets_of, take_together

ROWS = [[1, 2, 3], [], [4], [5, 6]]


def ragged(rows):
    return Ragged(np.array([value for row in rows for value in row], dtype=np.int32), offsets_of([*map(len, rows)]))


def lists(column):
    return [column.values[a:b].tolist() for a, b in zip(column.offsets[:-1], column.offsets[1:], strict=True)]


def test_rows_are_taken_in_the_order_asked_for():
    assert lists(ragged(ROWS).take(np.array([3, 0, 0, 1]))) == [[5, 6], [1, 2, 3], [1, 2, 3], []]


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_newest_keeps_the_last_values_and_first_the_first(length):
    assert lists(ragged(ROWS).newest(length)) == [row[-length:] for row in ROWS]
    assert lists(ragged(ROWS).first(length)) == [row[:length] for row in ROWS]


def test_padding_stands_after_the_values():
    assert ragged(ROWS).padded(4).tolist() == [[1, 2, 3, 0], [0, 0, 0, 0], [4, 0, 0, 0], [5, 6, 0, 0]]


def test_columns_are_concatenated_row_after_row():
    assert lists(concatenate([ragged(ROWS), ragged([[7], []])])) == [*ROWS, [7], []]


def test_columns_taken_together_share_their_offsets():
    first = ragged(ROWS)
    other = Ragged(first.values * 10, first.offsets)

    taken = take_together([first, other], np.array([2, 0]))

    assert [lists(column) for column in taken] == [[[4], [1, 2, 3]], [[40], [10, 20, 30]]]
    assert taken[0].offsets is taken[1].offsets


def test_values_are_read_from_either_end_of_a_padded_array():
    padded = np.array([[0, 0, 1], [2, 3, 0], [0, 0, 0]])

    assert lists(from_padded(padded, padded != 0)) == [[1], [2, 3], []]


def test_the_first_gap_between_values_is_found():
    is_value = np.array([[0, 1, 1], [1, 0, 1], [1, 0, 0]], dtype=bool)

    assert first_gap(is_value) == (1, 1)
    assert first_gap(is_value[[0, 2]]) is None
