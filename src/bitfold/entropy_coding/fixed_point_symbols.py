"""Compiled loops that code bins by the coordinate predictor's frequencies. Imports Numba."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point_kernels import (
    group_bits,
    make_room,
    span_of,
    start_of,
    weigh_bins,
)
from bitfold.entropy_coding.fixed_point_syntax import FixedNetwork
from bitfold.entropy_coding.rans_kernels import (
    SOUND,
    State,
    Words,
    read_golomb,
    slot,
    take,
)
from bitfold.entropy_coding.symbol_kernels import Symbols, put_golomb
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]

Span = tuple[int, int, int]
"""See `start_of`."""

_MOST_ZEROS: Final = 52
SYMBOLS_EACH: Final = 2
"""At most so many symbols say in which bin a weight lies, and `SYMBOLS_OUTSIDE` how far out."""
SYMBOLS_OUTSIDE: Final = 64


@compiled
def put_bins(
    out: Symbols, network: FixedNetwork, coordinates: Ints, numbers: Ints, first: int
) -> int:
    """Code whole numbers by their bins; returns the count of symbols.

    Args:
        out: room for `SYMBOLS_EACH` for each number, and `SYMBOLS_OUTSIDE` for each in or beyond an
            edge bin.
        network: whose last width is the number of bins.
        coordinates: (n, coordinates).
        numbers: (n,), any.
        first: the number that the first bin stands for.
    """
    room = make_room(network)
    cumulative = room[2]
    last = len(cumulative) - 2
    shift, at = group_bits(last + 1), 0
    for number in range(len(numbers)):
        weigh_bins(network, coordinates[number], room)
        index = numbers[number] - first
        inside = min(max(index, 0), last)
        group = inside >> shift
        at = _put(out, at, cumulative, group, (0, last + 1, shift))
        if shift > 0:
            span = span_of(group, shift, last + 1)
            at = _put(out, at, cumulative, inside - span[0], span)
        if inside in (0, last):
            at = put_golomb(out, at, abs(index - inside), 0)
    return at


@compiled
def get_bins(
    stream: tuple[State, Words],
    network: FixedNetwork,
    coordinates: Ints,
    numbers: Ints,
    first: int,
) -> None:
    """Decode whole numbers into ``numbers``; see `put_bins`."""
    state, words = stream
    room = make_room(network)
    cumulative = room[2]
    last = len(cumulative) - 2
    shift = group_bits(last + 1)
    for number in range(len(numbers)):
        weigh_bins(network, coordinates[number], room)
        index = _get(state, words, cumulative, (0, last + 1, shift))
        if shift > 0:
            span = span_of(index, shift, last + 1)
            index = span[0] + _get(state, words, cumulative, span)
        beyond = read_golomb(state, words, 0, _MOST_ZEROS) if index in (0, last) else 0
        numbers[number] = index + first + (-beyond if index == 0 else beyond)
        if state[3] != SOUND:
            return


@compiled
def _put(out: Symbols, at: int, cumulative: Ints, symbol: int, span: Span) -> int:
    start = start_of(cumulative, symbol, span)
    out[at] = start | ((start_of(cumulative, symbol + 1, span) - start - 1) << 16)
    return at + 1


@compiled
def _get(state: State, words: Words, cumulative: Ints, span: Span) -> int:
    where = slot(state, words)
    first, end, shift = span
    low, high = 0, (end - first + (1 << shift) - 1) >> shift
    while high - low > 1:
        middle = (low + high) >> 1
        if start_of(cumulative, middle, span) <= where:
            low = middle
        else:
            high = middle
    start = start_of(cumulative, low, span)
    take(state, words, start, start_of(cumulative, low + 1, span) - start)
    return low


def plain_symbols(numbers: Ints, num_bits: int) -> Symbols:
    """Numbers of 0 to 2^num_bits - 1, up to 16 bits each, plainly."""
    width = 16 - num_bits
    symbols = (numbers << width) | (((1 << width) - 1) << 16)
    return symbols.astype(np.uint32)
