"""Weights' bins by a fixed-point network's probabilities: written, read, counted. Imports Numba.

A bin is one symbol; of more than 1,024 bins it is a symbol for a group of neighbours and a second
one for the bin within the group. The first and the last bin are followed by a Golomb number, which
says how far beyond them the number lies.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point.masses import (
    Room,
    add_up,
    frequency_of,
    group_bits,
    make_room,
    span_of,
    start_of,
    weigh_bins,
)
from bitfold.entropy_coding.fixed_point.network import FixedNetwork
from bitfold.entropy_coding.numbers.golomb import get_golomb, put_golomb
from bitfold.entropy_coding.rans.coder import SOUND, State, Words, slot, take
from bitfold.entropy_coding.rans.symbols import Symbols, packed
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.threads import in_order, parts_of

Ints = NDArray[np.int64]

Span = tuple[int, int, int]
"""See `start_of`."""

#: At most this many symbols tell a weight's bin, and these how far beyond the outer bins it lies.
SYMBOLS_EACH: Final = 2
SYMBOLS_OUTSIDE: Final = 64
# A thread of its own pays for this many weights.
_PART_WEIGHTS = 4096


def write_bins(
    writer: StreamWriter, network: FixedNetwork, coordinates: Ints, numbers: Ints, first: int
) -> None:
    """Append whole numbers by their bins.

    Args:
        writer: of the stream.
        network: its last width is the number of bins.
        coordinates: of the weights, int64 (n, coordinates).
        numbers: int64 (n,), any.
        first: the number for which the first bin stands.
    """
    last = first + int(network.widths[-1]) - 1
    num_outside = np.count_nonzero((numbers <= first) | (numbers >= last))
    out = np.empty(SYMBOLS_EACH * len(numbers) + SYMBOLS_OUTSIDE * num_outside, np.uint32)
    used = put_bins(out, network, coordinates, numbers, first)
    writer.write_symbols(out[:used].copy())


def read_bins(
    reader: StreamReader, network: FixedNetwork, coordinates: Ints, numbers: Ints, first: int
) -> None:
    """Read numbers that `write_bins` wrote into ``numbers``."""
    get_bins((reader.state, reader.words), network, coordinates, numbers, first)
    reader.check()


def bin_bits(network: FixedNetwork, coordinates: Ints, bins: Ints) -> NDArray[np.float64]:
    """The bits that `write_bins` takes for bins, one by one, without the Golomb numbers.

    Source: C. E. Shannon, 1948: minus the binary logarithm of a frequency over 2^16.

    Args:
        network: its last width is the number of bins, 2 to 65,536.
        coordinates: int64 (n, coordinates), with `FRACTION_BITS` behind the point.
        bins: int64 (n,), counted from 0.

    Returns:
        Bits (n,), at most 16, or 32 for more than 1,024 bins.
    """
    bits = np.empty(len(bins))

    def count_part(part: tuple[int, int]) -> None:
        some = slice(*part)
        count_bits(network, coordinates[some], bins[some], bits[some])

    in_order(count_part, parts_of(0, len(bins), _PART_WEIGHTS, 0), are_long=True)
    return bits


@compiled
def put_bins(
    out: Symbols, network: FixedNetwork, coordinates: Ints, numbers: Ints, first: int
) -> int:
    """Code whole numbers by their bins.

    Args:
        out: room for `SYMBOLS_EACH` for each number, and `SYMBOLS_OUTSIDE` for each in or beyond an
            outer bin.
        network: its last width is the number of bins.
        coordinates: (n, coordinates).
        numbers: (n,), any.
        first: the number for which the first bin stands.

    Returns:
        The count of symbols.
    """
    return _put_bins(out, network, coordinates, (numbers, first), make_room(network))


@compiled
def _put_bins(
    out: Symbols, network: FixedNetwork, coordinates: Ints, coded: tuple[Ints, int], room: Room
) -> int:
    """Do what `put_bins` says; the caller keeps the arrays."""
    network, coordinates, room = borrowed(network), borrowed(coordinates), borrowed(room)
    numbers, first = coded
    cumulative = room[2]
    last = len(cumulative) - 2
    shift, at = group_bits(last + 1), 0
    for number in range(len(numbers)):
        weigh_bins(network, coordinates[number], room)
        add_up(cumulative)
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
    """Read numbers that `put_bins` wrote, until ``numbers`` is full or a fault is met."""
    _get_bins(stream, network, coordinates, (numbers, first), make_room(network))


@compiled
def _get_bins(
    stream: tuple[State, Words],
    network: FixedNetwork,
    coordinates: Ints,
    coded: tuple[Ints, int],
    room: Room,
) -> None:
    """Do what `get_bins` says; the caller keeps the arrays."""
    network, coordinates, room = borrowed(network), borrowed(coordinates), borrowed(room)
    state, words = stream
    numbers, first = coded
    cumulative = room[2]
    last = len(cumulative) - 2
    shift = group_bits(last + 1)
    for number in range(len(numbers)):
        weigh_bins(network, coordinates[number], room)
        add_up(cumulative)
        index = _get(state, words, cumulative, (0, last + 1, shift))
        if shift > 0:
            span = span_of(index, shift, last + 1)
            index = span[0] + _get(state, words, cumulative, span)
        beyond = get_golomb(state, words, 0) if index in (0, last) else 0
        numbers[number] = index + first + (-beyond if index == 0 else beyond)
        if state[3] != SOUND:
            return


@compiled
def count_bits(
    network: FixedNetwork, coordinates: Ints, bins: Ints, bits: NDArray[np.float64]
) -> None:
    """Write the bits of one given bin of each weight into ``bits``.

    Args:
        network: in fixed point.
        coordinates: (n, coordinates).
        bins: (n,).
        bits: (n,), written.
    """
    _count_bits(network, coordinates, bins, bits, make_room(network))


@compiled
def _count_bits(
    network: FixedNetwork, coordinates: Ints, bins: Ints, bits: NDArray[np.float64], room: Room
) -> None:
    """Do what `count_bits` says; the caller keeps the arrays."""
    network, coordinates, room = borrowed(network), borrowed(coordinates), borrowed(room)
    masses = room[2]
    num_bins = len(masses) - 1
    shift = group_bits(num_bins)
    for number in range(len(bins)):
        weigh_bins(network, coordinates[number], room)
        group = bins[number] >> shift
        total = 16 - math.log2(frequency_of(masses, group, (0, num_bins, shift)))
        if shift > 0:
            span = span_of(group, shift, num_bins)
            total += 16 - math.log2(frequency_of(masses, bins[number] - span[0], span))
        bits[number] = total


@compiled
def _put(out: Symbols, at: int, cumulative: Ints, symbol: int, span: Span) -> int:
    start, end = start_of(cumulative, symbol, span), start_of(cumulative, symbol + 1, span)
    out[at] = packed(start, end)
    return at + 1


@compiled
def _get(state: State, words: Words, cumulative: Ints, span: Span) -> int:
    """The symbol in which the slot lies, by bisection."""
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
