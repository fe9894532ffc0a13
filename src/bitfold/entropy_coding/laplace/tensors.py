"""Tensors of whole numbers by the integer tables: written, read, counted. Imports Numba.

A number is a symbol for its distance from the location. A distance beyond its table's reach has one
of the two outer symbols and a Golomb number. Scales beyond the last table use the tables of its
octave: a distance is divided by a power of 2, and its low bits follow plainly.
"""

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.laplace.tables import LAST_TABLE, IntegerTables, integer_tables
from bitfold.entropy_coding.numbers.golomb import get_golomb, put_golomb
from bitfold.entropy_coding.numbers.plain_bits import get_long, put_long
from bitfold.entropy_coding.rans.coder import (
    DAMAGED,
    LOWEST,
    SOUND,
    State,
    Words,
    begin_segment,
    fail,
)
from bitfold.entropy_coding.rans.symbols import MASK, Symbols, packed
from bitfold.entropy_coding.scales.whole_scales import (
    ALIVE,
    LARGEST_SCALE,
    LEAST_SCALE,
    PER_OCTAVE,
    SentScale,
)
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

Scales = tuple[int, Ints, Ints, int, int]
"""The tensor's scale; exponents of its slower and of its faster dimension; the size of the faster
dimension; how many numbers share a place in both."""

Model = tuple[int, Scales, IntegerTables]
"""The location of all numbers, the scales of each, and the tables of the distribution."""

Shape = tuple[int, int, int]
"""Sizes of a tensor's first and second dimension, and of all others together."""

#: More symbols than one number takes.
MOST_SYMBOLS: Final = 70
# The lookup of a symbol ignores this many low bits of its slot.
_NEAR: Final = 6
# There is room for the symbols of this many numbers at a time.
_PART = 2**14
_NO_EXPONENTS = np.zeros(1, np.int64)


def one_scale(scale: int, count: int) -> Scales:
    """The same scale for ``count`` numbers."""
    return scale, _NO_EXPONENTS, _NO_EXPONENTS, 1, max(1, count)


def model_of(scale: SentScale, shape: Shape, is_transposed: bool, distribution: str) -> Model:
    """The distribution of the numbers of a tensor.

    Args:
        scale: as sent.
        shape: sizes of the tensor's first and second dimension, and of all others together.
        is_transposed: whether rows, which are outputs, are the second dimension.
        distribution: one of `DISTRIBUTIONS`.
    """
    tables, count = integer_tables(distribution), math.prod(shape)
    if not scale.lines:
        return scale.location, one_scale(scale.own, count), tables
    rows, columns = (side.exponents for side in scale.lines)
    outer, inner = (columns, rows) if is_transposed else (rows, columns)
    _, in_line, together = shape
    return scale.location, (scale.own, outer, inner, in_line, together), tables


def write_numbers(writer: StreamWriter, numbers: Ints, model: Model) -> None:
    """Append a tensor's numbers: int64 (n,), in the order of memory."""
    together, at = model[1][4], 0
    room = np.empty(MOST_SYMBOLS * (together + min(len(numbers), _PART)), np.uint32)
    while at < len(numbers):
        count, at = put_tensor(room, numbers, at, model)
        writer.write_symbols(room[:count].copy())


def read_numbers(reader: StreamReader, numbers: Ints, model: Model, distribution: str) -> None:
    """Read numbers that `write_numbers` wrote into ``numbers``."""
    get_tensor(reader.state, reader.words, numbers, model, near_symbols(distribution))
    reader.check()


@compiled
def put_tensor(out: Symbols, numbers: Ints, first: int, model: Model) -> tuple[int, int]:
    """Append a tensor's numbers while there is room.

    Args:
        out: room for at least `MOST_SYMBOLS` times the numbers that share a place.
        numbers: int64 (n,), in the order of memory.
        first: of the numbers to code; a multiple of those that share a place.
        model: the distribution of the numbers.

    Returns:
        The count of symbols, and the first number that is left.
    """
    location, scales, tables = borrowed(model)
    out, numbers = borrowed(out), borrowed(numbers)
    in_line, together = scales[3], scales[4]
    firsts, reaches, starts = tables
    at, room = 0, len(out) - MOST_SYMBOLS * together
    for pair in range(first // together, len(numbers) // together):
        if at > room:
            return at, pair * together
        is_alive, scale = _scale_at(scales, pair // in_line, pair % in_line)
        if not is_alive:
            continue
        shift, table = split_scale(scale)
        reach, half = reaches[table], (1 << shift) >> 1
        centre = firsts[table] + reach + 1
        for number in range(pair * together, (pair + 1) * together):
            distance = numbers[number] - location + half
            moved = distance >> shift
            inside = centre + min(max(moved, -reach - 1), reach + 1)
            out[at] = packed(starts[inside], starts[inside + 1])
            at += 1
            if abs(moved) > reach:
                at = put_golomb(out, at, abs(moved) - reach - 1, _escape_order(table))
            if shift:
                at = put_long(out, at, distance & ((1 << shift) - 1), shift)
    return at, len(numbers)


@compiled
def get_tensor(state: State, words: Words, numbers: Ints, model: Model, near: Ints) -> None:
    """Read numbers that `put_tensor` wrote, until ``numbers`` is full or a fault is met.

    Args:
        state: of the decoder.
        words: of the stream.
        numbers: int64 (n,), written.
        model: the distribution of the numbers.
        near: of `near_symbols`.
    """
    location, scales, tables = borrowed(model)
    state, words, numbers = borrowed(state), borrowed(words), borrowed(numbers)
    near = borrowed(near)
    in_line, together = scales[3], scales[4]
    firsts, reaches, starts = tables
    for pair in range(len(numbers) // together):
        is_alive, scale = _scale_at(scales, pair // in_line, pair % in_line)
        if not is_alive:
            numbers[pair * together : (pair + 1) * together] = location
            continue
        shift, table = split_scale(scale)
        reach = reaches[table]
        centre = firsts[table] + reach + 1
        for number in range(pair * together, (pair + 1) * together):
            if state[2] == 0:
                begin_segment(state, words)
            # `slot` and `take` in one piece: a call that hands arrays on takes longer.
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
                order = _escape_order(table) if abs(moved) > reach else -1
                moved = _get_rest(state, words, moved, shift, order)
            numbers[number] = moved + location
        if state[3] != SOUND:
            return


@compiled
def tensor_bits(numbers: Ints, model: Model, costs: NDArray[np.float64]) -> float:
    """The bits that `put_tensor` takes.

    Args:
        numbers: int64 (n,), in the order of memory.
        model: the distribution of the numbers.
        costs: the bits of each symbol, of `table_bits`.
    """
    location, scales, tables = model
    in_line, together = scales[3], scales[4]
    total = 0.0
    for pair in range(len(numbers) // together):
        is_alive, scale = _scale_at(scales, pair // in_line, pair % in_line)
        if not is_alive:
            continue
        shift, table = split_scale(scale)
        for at in range(pair * together, (pair + 1) * together):
            symbol, escape = bits_of(numbers[at] - location, shift, table, tables, costs)
            total += symbol + escape
    return total


@inlined
def bits_of(
    distance: int, shift: int, table: int, tables: IntegerTables, costs: NDArray[np.float64]
) -> tuple[float, float]:
    """The bits of a distance from the location: of its symbol, and beyond the table's reach.

    Args:
        distance: in bins.
        shift: how many low bits are plain, and
        table: the number of the table; both of `split_scale`.
        tables: of the distribution.
        costs: the bits of each symbol, of `table_bits`.
    """
    entry, reach = tables[0][table], tables[1][table]
    moved = (distance + ((1 << shift) >> 1)) >> shift
    bits = costs[entry + reach + 1 + min(max(moved, -reach - 1), reach + 1)] + shift
    escape = 0.0
    if abs(moved) > reach:
        order = _escape_order(table)
        high = ((abs(moved) - reach - 1) >> order) + 1
        escape += 1 + order
        while high > 1:
            high >>= 1
            escape += 2
    return bits, escape


@compiled
def _get_rest(state: State, words: Words, moved: int, shift: int, order: int) -> int:
    """A distance of which more follows than its symbol.

    Args:
        state: of the decoder.
        words: of the stream.
        moved: the distance that the symbol says, without low bits.
        shift: number of low bits.
        order: of the Golomb number that says how far beyond ``moved`` it is; -1: there is none.
    """
    if order >= 0:
        beyond = get_golomb(state, words, order)
        moved = moved + beyond if moved > 0 else moved - beyond
        if abs(moved) > 1 << 53:
            fail(state, DAMAGED)
            return 0
    if shift == 0:
        return moved
    return (moved << shift) + int(get_long(state, words, shift)) - ((1 << shift) >> 1)


@compiled(inline="always")
def split_scale(scale: int) -> tuple[int, int]:
    """How many low bits are plain, and the number of the table."""
    shift = (scale - LAST_TABLE + PER_OCTAVE - 1) // PER_OCTAVE if scale > LAST_TABLE else 0
    return shift, scale - PER_OCTAVE * shift - LEAST_SCALE


@compiled(inline="always")
def _escape_order(table: int) -> int:
    """Order of the Golomb numbers of distances beyond a table's reach."""
    return max((table + LEAST_SCALE) // PER_OCTAVE, 0)


@compiled(inline="always")
def _scale_at(scales: Scales, outer: int, inner: int) -> tuple[bool, int]:
    """Whether the numbers at a place are alive, and their scale."""
    total = scales[0] + int(scales[1][outer]) + int(scales[2][inner])
    return total >= ALIVE, min(max(total, LEAST_SCALE), LARGEST_SCALE)


@cache
def near_symbols(distribution: str) -> Ints:
    """A first guess of a slot's symbol, never too high: (tables, 2^10), by the slot's high bits.

    Symbols are numbered as in `IntegerTables.starts`.
    """
    tables = integer_tables(distribution)
    found = np.empty((len(tables.firsts), 1 << (16 - _NEAR)), np.int64)
    for row, first, reach in zip(found, tables.firsts, tables.reaches, strict=True):
        starts = tables.starts[first : first + 2 * reach + 3]
        slots = np.arange(len(row)) << _NEAR
        row[:] = first + np.searchsorted(starts, slots, side="right") - 1
    return found
