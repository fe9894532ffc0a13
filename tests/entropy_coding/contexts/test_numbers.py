"""The symbols of numbers by adaptive bits."""

import numpy as np

from bitfold.entropy_coding.contexts.adaptive_bits import new_contexts
from bitfold.entropy_coding.contexts.numbers import NUM_CONTEXTS, SYMBOLS_EACH, put_table


def test_there_is_room_for_the_largest_numbers() -> None:
    """Each number takes at most as many symbols as the buffer has room for."""
    numbers = np.full(100, -(2**51) + 1)
    used = (np.ones(1, np.int64), np.ones(100, np.int64), 0, 1)
    room = np.empty(100 * SYMBOLS_EACH, np.uint32)
    assert put_table(room, numbers, used, new_contexts(NUM_CONTEXTS)) <= len(room)
