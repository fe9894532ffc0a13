"""Compiled loops that code whole numbers by the integer tables. Importing this imports Numba."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.laplace_tables import (
    LARGEST_SCALE,
    LAST_TABLE,
    LEAST_SCALE,
    PER_OCTAVE,
    IntegerTables,
    integer_tables,
)
from bitfold.entropy_coding.rans_kernels import (
    DAMAGED,
    LOWEST,
    SOUND,
    State,
    Words,
    _fail,
    begin_segment,
    read_golomb,
    read_long,
)
from bitfold.entropy_coding.scale_syntax import ALIVE
from bitfold.entropy_coding.symbol_kernels import MASK, Symbols, put_golomb, put_long
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]

Tables = IntegerTables

Scales = tuple[int, Ints, Ints, int, int]
"""The tensor's scale; factors of the slower and the faster of its two sides; how many of the faster
there are; weights that share both."""

Model = tuple[int, Scales, Tables]
"""The location of all numbers, the scales of each, and the tables of the distribution."""

#: More symbols than one number takes.
MOST_SYMBOLS: Final = 70
_MOST_ZEROS: Final = 52
# So many low bits of a place are not looked at when its symbol is looked up.
_NEAR: Final = 6


@compiled(inline="always")
def _split(scale: int) -> tuple[int, int]:
    """Low bits that are sent plainly, and the number of the table."""
    shift = (scale - LAST_TABLE + PER_OCTAVE - 1) // PER_OCTAVE if scale > LAST_TABLE else 0
    return shift, scale - PER_OCTAVE * shift - LEAST_SCALE


@compiled(inline="always")
def _scale(scales: Scales, outer: int, inner: int) -> tuple[bool, int]:
    """Whether such weights are coded at all, and their scale."""
    total = scales[0] + int(scales[1][outer]) + int(scales[2][inner])
    return total >= ALIVE, min(max(total, LEAST_SCALE), LARGEST_SCALE)


@compiled
def _put_far(out: Symbols, at: int, beyond: int, table: int) -> int:
    """How far beyond the table's reach a distance is."""
    return int(put_golomb(out, at, beyond, max((table + LEAST_SCALE) // PER_OCTAVE, 0)))


@compiled
def put_tensor(out: Symbols, numbers: Ints, first: int, model: Model) -> tuple[int, int]:
    """Code a tensor's numbers, as many as there is room for.

    Args:
        out: room for them; for at least `MOST_SYMBOLS` times the numbers of a row and column.
        numbers: int64 (n,), in the order of memory.
        first: of the numbers to code; a multiple of those of a row and column.
        model: how they are distributed.

    Returns:
        The count of symbols, and the first number that is left.
    """
    location, scales, tables = model
    in_line, together = scales[3], scales[4]
    firsts, reaches, starts = tables
    at, room = 0, len(out) - MOST_SYMBOLS * together
    for pair in range(first // together, len(numbers) // together):
        if at > room:
            return at, pair * together
        is_alive, scale = _scale(scales, pair // in_line, pair % in_line)
        if not is_alive:
            continue
        shift, table = _split(scale)
        reach, half = reaches[table], (1 << shift) >> 1
        centre = firsts[table] + reach + 1
        for number in range(pair * together, (pair + 1) * together):
            distance = numbers[number] - location + half
            moved = distance >> shift
            inside = centre + min(max(moved, -reach - 1), reach + 1)
            start, end = starts[inside], starts[inside + 1]
            out[at] = start | ((end - start - 1) << 16)
            at += 1
            if abs(moved) > reach:
                at = _put_far(out, at, abs(moved) - reach - 1, table)
            if shift:
                at = put_long(out, at, distance & ((1 << shift) - 1), shift)
    return at, len(numbers)


@compiled
def _get_far(state: State, words: Words, moved: int, shift: int, order: int) -> int:
    """A distance of which more is told than its symbol; ``moved`` is that, or 0 if it is inside."""
    if order >= 0:
        beyond = read_golomb(state, words, order, _MOST_ZEROS)
        moved = moved + beyond if moved > 0 else moved - beyond
        if abs(moved) > 1 << 53:
            _fail(state, DAMAGED)
            return 0
    if shift == 0:
        return moved
    return (moved << shift) + int(read_long(state, words, shift)) - ((1 << shift) >> 1)


@compiled
def get_tensor(state: State, words: Words, numbers: Ints, model: Model, near: Ints) -> None:
    """Decode a tensor's numbers into ``numbers``; see `put_tensor`.

    Args:
        state: of the decoder.
        words: of the stream.
        numbers: int64 (n,), written.
        model: how they are distributed.
        near: see `near_symbols`.
    """
    location, scales, tables = model
    in_line, together = scales[3], scales[4]
    firsts, reaches, starts = tables
    for pair in range(len(numbers) // together):
        is_alive, scale = _scale(scales, pair // in_line, pair % in_line)
        if not is_alive:
            numbers[pair * together : (pair + 1) * together] = location
            continue
        shift, table = _split(scale)
        reach = reaches[table]
        centre = firsts[table] + reach + 1
        for number in range(pair * together, (pair + 1) * together):
            if state[2] == 0:
                begin_segment(state, words)
            # As `slot` and `take`, in one piece: a call that hands arrays on takes longer.
            held = state[0]
            where = held & MASK
            entry = near[table, where >> _NEAR]
            while starts[entry + 1] <= where:
                entry += 1
            held = (starts[entry + 1] - starts[entry]) * (held >> 16) + where - starts[entry]
            if held < LOWEST and state[1] < len(words):
                held = (held << 16) | np.int64(words[state[1]])
                state[1] += 1
            state[0] = held
            state[2] -= 1
            moved = entry - centre
            if abs(moved) > reach or shift:
                order = max((table + LEAST_SCALE) // PER_OCTAVE, 0) if abs(moved) > reach else -1
                moved = _get_far(state, words, moved, shift, order)
            numbers[number] = moved + location
        if state[3] != SOUND:
            return


@cache
def near_symbols(distribution: str) -> Ints:
    """Of each table and each 2^6 places of 2^16 the symbol that the first lies in: (tables, 2^10).

    As where it stands among the tables' starts.
    """
    tables = integer_tables(distribution)
    found = np.empty((len(tables.firsts), 1 << (16 - _NEAR)), np.int64)
    for row, first, reach in zip(found, tables.firsts, tables.reaches, strict=True):
        starts = tables.starts[first : first + 2 * reach + 3]
        places = np.arange(len(row)) << _NEAR
        row[:] = first + np.searchsorted(starts, places, side="right") - 1
    return found


@compiled
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
