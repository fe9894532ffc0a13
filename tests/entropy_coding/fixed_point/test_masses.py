"""Masses in fixed point against plain Python, whose whole numbers never overflow."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point.masses import (
    add_up,
    frequency_of,
    group_bits,
    make_room,
    span_of,
    start_of,
    weigh_bins,
)
from bitfold.entropy_coding.fixed_point.network import MAX_NUMBER, fixed_network, layer_shapes
from tests.model_file.plain_network import layers_of, masses, starts, symbols

Span = tuple[int, int, int]
Drawn = tuple[list[NDArray[np.int64]], list[int], NDArray[np.int64]]


def drawn_network(seed: int, num_bins: int, size: int, least_step: int) -> Drawn:
    """Return a network of whole numbers up to a size, and the coordinates of two weights."""
    chance = np.random.default_rng(seed)
    widths = (int(chance.integers(1, 6)), *chance.integers(1, 7, chance.integers(1, 4)), num_bins)
    shapes = layer_shapes([int(width) for width in widths])
    tensors = [chance.integers(-size, size + 1, shape) for shape in shapes]
    steps = chance.integers(least_step, 256, len(shapes)).tolist()
    return tensors, steps, chance.integers(0, 2**16 + 1, (2, widths[0]))


def starts_of(cumulative: NDArray[np.int64], span: Span) -> list[int]:
    """Return the starts of all symbols of a span, and 2^16."""
    return [start_of(cumulative, symbol, span) for symbol in range(num_symbols(span) + 1)]


def frequencies_of(found: NDArray[np.int64], span: Span) -> list[int]:
    """Return the frequencies of all symbols of a span."""
    return [frequency_of(found, symbol, span) for symbol in range(num_symbols(span))]


def num_symbols(span: Span) -> int:
    """Return how many symbols a span has; the last one may be of fewer bins."""
    return -(-(span[1] - span[0]) // (1 << span[2]))


@given(
    seed=st.integers(0, 2**32),
    num_bins=st.one_of(st.integers(2, 40), st.sampled_from([256, 1024, 1025, 1500])),
    size=st.sampled_from([3, 128, MAX_NUMBER]),
    least_step=st.sampled_from([0, 120, 250]),
)
@example(seed=1, num_bins=256, size=MAX_NUMBER, least_step=255)
def test_masses_and_frequencies_are_those_of_plain_python(
    seed: int, num_bins: int, size: int, least_step: int
) -> None:
    """No sum overflows for large numbers; frequencies are at least 1 and add up to 2^16."""
    tensors, steps, places = drawn_network(seed, num_bins, size, least_step)
    network = fixed_network(tensors, steps)
    room, shift = make_room(network), group_bits(num_bins)
    for place in places:
        weigh_bins(network, place, room)
        expected = masses(layers_of(tensors, steps), place.tolist())
        assert room[2].tolist() == [0, *expected]
        groups, together = symbols(expected)
        assert together == 1 << shift
        spans = (0, num_bins, shift), span_of(len(groups) - 1, shift, num_bins)
        shares = [frequencies_of(room[2], span) for span in spans]
        add_up(room[2])
        whole, within = (starts_of(room[2], span) for span in spans)
        assert whole == starts(groups)
        assert within == starts(expected[(len(groups) - 1) * together :])
        for found, frequencies in zip((whole, within), shares, strict=True):
            assert found[0] == 0
            assert found[-1] == 2**16
            assert np.diff(found).tolist() == frequencies
            assert min(frequencies) >= 1


def test_the_widest_network_overflows_nowhere() -> None:
    """Sums of 4,096 products of the largest numbers stay within int64."""
    shapes = layer_shapes([5, 4096, 2])
    for sign in (1, -1):
        tensors = [np.full(shape, MAX_NUMBER) for shape in shapes]
        tensors[2][1] *= sign
        network = fixed_network(tensors, [255] * 4)
        room = make_room(network)
        weigh_bins(network, np.full(5, 2**16), room)
        expected = [2**30 + 1] * 2 if sign > 0 else [2**30 + 1, 1]
        assert room[2].tolist() == [0, *expected]
