"""The bits of exponents of rows and columns."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.scales.exponents import put_exponents


def exponent_bits(exponents: Sequence[int] | NDArray[np.int64], unit: int = 3) -> float:
    """Return the bits of exponents, which are in eighths of an octave."""
    room = np.empty(5000, np.uint32)
    return symbol_bits(room[: put_exponents(room, 0, np.array(exponents, np.int64), unit)])


@pytest.mark.parametrize("unit", [1, 3])
def test_exponents_are_a_probability(unit: int) -> None:
    """The probabilities of all pairs add up to 1; repeated and small exponents take fewer bits."""
    every = range(-120, 121, 2**unit)
    total = sum(2 ** -exponent_bits(pair, unit) for pair in itertools.product(every, every))
    assert total == pytest.approx(1, rel=1e-3)
    assert exponent_bits([24, 24], unit) < exponent_bits([24, 32], unit)
    assert exponent_bits([8], unit) < exponent_bits([32], unit)


def test_long_runs_of_exponents_stay_short() -> None:
    """Long runs of one exponent take few bits, and a new exponent after them stays cheap."""
    assert exponent_bits([8] * 4000) < 50
    assert exponent_bits([8] * 4000 + [-120]) < 65
    draws = np.random.default_rng(0).integers(0, 2, 4000)
    assert exponent_bits(8 * draws) == pytest.approx(4000, rel=0.02)
