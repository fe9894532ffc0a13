"""The bits of the scales of several tensors."""

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.syntax import scale_bits
from bitfold.entropy_coding.scales.whole_scales import DEAD, Lines, SentScale, flat_scales


def test_rows_of_the_layer_before_predict_columns() -> None:
    """A neuron that is dead in one layer predicts its dead column, or columns, in the next."""
    chance = np.random.default_rng(0)
    neurons = np.where(chance.random(300) < 0.5, DEAD, 0)
    others = np.where(chance.random(300) < 0.5, DEAD, 0)

    def bits(columns: NDArray[np.int64]) -> float:
        first = SentScale(0, 0, (Lines(neurons, 3), Lines(np.zeros(2, int), 3)))
        second = SentScale(0, 0, (Lines(np.zeros(2, int), 3), Lines(columns, 3)))
        return scale_bits(flat_scales([first, SentScale(0, DEAD), second]))

    assert bits(neurons) < bits(others) - 250
    assert bits(np.repeat(neurons, 4)) < bits(np.repeat(others, 4)) - 100


def test_locations_take_one_bit_if_all_are_0() -> None:
    """Locations that are all 0 take one bit together; other locations take a few bits each."""
    assert scale_bits(flat_scales([SentScale(0, 5), SentScale(0, -3)])) == 1 + 2 * 9
    moved = [SentScale(1, 5), SentScale(-40, -3)]
    assert 1 + 2 * 9 + 5 < scale_bits(flat_scales(moved)) < 1 + 2 * 9 + 20
