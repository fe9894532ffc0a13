"""The bits of flags of dead rows and columns."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.scales.dead_flags import put_dead_flags

Flags = Sequence[int] | NDArray[np.int64]


def flag_bits(flags: Flags, beside: Flags) -> float:
    """Return the bits of flags."""
    room = np.empty(1000, np.uint32)
    given = (np.array(item, np.int64) for item in (flags, beside))
    return symbol_bits(room[: put_dead_flags(room, 0, *given)])


def test_flags_are_a_probability() -> None:
    """The probabilities of all sequences of flags add up to 1, for any neighbouring flags."""
    for beside in ([0] * 5, [0, 1, 1, 0, 1]):
        total = sum(2 ** -flag_bits(flags, beside) for flags in itertools.product([0, 1], repeat=5))
        assert total == pytest.approx(1, rel=1e-4)


def test_predictable_flags_take_next_to_nothing() -> None:
    """The flag before, or the flag beside, can predict a flag."""
    runs = np.repeat([1, 0, 1], 200)
    assert flag_bits(runs, np.zeros_like(runs)) < 60
    mixed = np.random.default_rng(0).integers(0, 2, 600)
    assert flag_bits(mixed, mixed) < 40
    assert flag_bits(mixed, np.zeros_like(mixed)) > 590
