"""Which processes train together."""

import threading

import pytest

from sklearn_din.training import current_processes, training_together


def test_a_fit_is_shared_inside_the_block_and_nowhere_else():
    first, second = object(), object()
    seen = [current_processes()]
    with training_together(first):
        seen.append(current_processes())
        with training_together(second):
            seen.append(current_processes())
        seen.append(current_processes())
    seen.append(current_processes())

    assert seen == [None, first, second, first, None]


def test_a_block_that_fails_is_over_too():
    with pytest.raises(KeyError), training_together(object()):
        raise KeyError

    assert current_processes() is None


def test_another_thread_trains_for_itself():
    seen = []
    with training_together(object()):
        thread = threading.Thread(target=lambda: seen.append(current_processes()))
        thread.start()
        thread.join()

    assert seen == [None]
