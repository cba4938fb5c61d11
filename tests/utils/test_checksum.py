"""Checksums of arrays."""

import zlib

import numpy as np

from sklearn_din.utils._checksum import checksum


def test_it_is_that_of_the_bytes_in_order():
    arrays = [np.arange(6, dtype=np.int32).reshape(2, 3), np.array(2.5), np.empty((0, 4)), np.array([True, False])]

    assert checksum(arrays) == zlib.crc32(b"".join(array.tobytes() for array in arrays))
    assert checksum(reversed(arrays)) != checksum(arrays)


def test_views_count_as_what_they_show():
    matrix = np.arange(12.0).reshape(3, 4)

    assert checksum([matrix.T[::-1]]) == checksum([matrix.T[::-1].copy()])
