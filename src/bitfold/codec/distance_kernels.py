"""Compiled loops that code whole numbers by the integer tables. Importing this imports Numba."""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bitfold.codec.rans_kernels import (
    DAMAGED,
    SOUND,
    State,
    Words,
    _fail,
    read_golomb,
    read_long,
    slot,
    take,
)
from bitfold.kolmogorov.integer_tables import (
    LARGEST_SCALE,
    LAST_TABLE,
    LEAST_SCALE,
    PER_OCTAVE,
    IntegerTables,
)
from bitfold.kolmogorov.sent_scales import ALIVE
from bitfold.kolmogorov.symbol_kernels import Symbols, put_golomb, put_long

Ints = NDArray[np.int64]

Tables = IntegerTables

Scales = tuple[int, Ints, Ints, int, int]
"""The tensor's scale; factors of the slower and the faster of its two sides; how many of the faster
there are; weights that share both."""

Model = tuple[int, Scales, Tables]
"""The location of all numbers, the scales of each, and the tables of the distribution."""

_MOST_ZEROS: Final = 52


@njit(cache=True, nogil=True)
def _split(scale: int) -> tuple[int, int]:
    """Low bits that are sent plainly, and the number of the table."""
    shift = (scale - LAST_TABLE + PER_OCTAVE - 1) // PER_OCTAVE if scale > LAST_TABLE else 0
    return shift, scale - PER_OCTAVE * shift - LEAST_SCALE


@njit(cache=True, nogil=True)
def _put(out: Symbols, at: int, distance: int, scale: int, tables: Tables) -> int:
    shift, number = _split(scale)
    firsts, reaches, starts = tables
    moved = (distance + ((1 << shift) >> 1)) >> shift
    reach = reaches[number]
    inside = min(max(moved, -reach - 1), reach + 1)
    if len(out):
        entry = firsts[number] + reach + 1 + inside
        start = starts[entry]
        out[at] = start | ((starts[entry + 1] - start - 1) << 16)
    at += 1
    if abs(moved) > reach:
        order = max((number + LEAST_SCALE) // PER_OCTAVE, 0)
        at = put_golomb(out, at, abs(moved) - reach - 1, order)
    low = (distance + ((1 << shift) >> 1)) & ((1 << shift) - 1)
    return int(put_long(out, at, low, shift))


@njit(cache=True, nogil=True)
def _get(state: State, words: Words, scale: int, tables: Tables) -> int:
    shift, number = _split(scale)
    firsts, reaches, starts = tables
    first, reach = firsts[number], reaches[number]
    where = slot(state, words)
    entry = first + reach + 1
    if not starts[entry] <= where < starts[entry + 1]:
        low, high = first, first + 2 * reach + 3
        while high - low > 1:
            middle = (low + high) >> 1
            if starts[middle] <= where:
                low = middle
            else:
                high = middle
        entry = low
    take(state, words, starts[entry], starts[entry + 1] - starts[entry])
    moved = int(entry - first - reach - 1)
    if abs(moved) > reach:
        order = max((number + LEAST_SCALE) // PER_OCTAVE, 0)
        beyond = read_golomb(state, words, order, _MOST_ZEROS)
        moved = moved + beyond if moved > 0 else moved - beyond
        if abs(moved) > 1 << 53:
            _fail(state, DAMAGED)
            return 0
    if shift == 0:
        return moved
    return (moved << shift) + int(read_long(state, words, shift)) - ((1 << shift) >> 1)


@njit(cache=True, nogil=True)
def _scale(scales: Scales, outer: int, inner: int) -> tuple[bool, int]:
    """Whether such weights are coded at all, and their scale."""
    total = scales[0] + int(scales[1][outer]) + int(scales[2][inner])
    return total >= ALIVE, min(max(total, LEAST_SCALE), LARGEST_SCALE)


@njit(cache=True, nogil=True)
def put_tensor(out: Symbols, numbers: Ints, model: Model) -> int:
    """Code a tensor's numbers; returns the count of symbols.

    Args:
        out: room for them; empty: only count.
        numbers: int64 (n,), in the order of memory.
        model: how they are distributed.
    """
    location, scales, tables = model
    in_line, together = scales[3], scales[4]
    at = 0
    for pair in range(len(numbers) // together):
        is_alive, scale = _scale(scales, pair // in_line, pair % in_line)
        for number in range(pair * together, (pair + 1) * together if is_alive else 0):
            at = _put(out, at, numbers[number] - location, scale, tables)
    return at


@njit(cache=True, nogil=True)
def get_tensor(state: State, words: Words, numbers: Ints, model: Model) -> None:
    """Decode a tensor's numbers into ``numbers``; see `put_tensor`."""
    location, scales, tables = model
    in_line, together = scales[3], scales[4]
    for pair in range(len(numbers) // together):
        is_alive, scale = _scale(scales, pair // in_line, pair % in_line)
        for number in range(pair * together, (pair + 1) * together):
            distance = _get(state, words, scale, tables) if is_alive else 0
            numbers[number] = distance + location
        if state[3] != SOUND:
            return


@njit(cache=True, nogil=True)
def tensor_bits(numbers: Ints, model: Model, costs: NDArray[np.float64]) -> float:
    """Bits that `put_tensor` takes, by the bits of each symbol."""
    location, scales, tables = model
    in_line, together = scales[3], scales[4]
    total = 0.0
    for pair in range(len(numbers) // together):
        is_alive, scale = _scale(scales, pair // in_line, pair % in_line)
        if not is_alive:
            continue
        shift, number = _split(scale)
        first, reach = tables[0][number], tables[1][number]
        for at in range(pair * together, (pair + 1) * together):
            moved = (numbers[at] - location + ((1 << shift) >> 1)) >> shift
            total += costs[first + reach + 1 + min(max(moved, -reach - 1), reach + 1)] + shift
            if abs(moved) > reach:
                order = max((number + LEAST_SCALE) // PER_OCTAVE, 0)
                high = ((abs(moved) - reach - 1) >> order) + 1
                total += 1 + order
                while high > 1:
                    high >>= 1
                    total += 2
    return total
