"""Locations and scales of tensors, written, read and counted. Importing this module imports Numba.

One bit says whether any location is other than 0. Then each tensor has, in this order:

- its location, if any is other than 0, as a signed Golomb number of order 2;
- one bit, whether it is dead: if so, nothing follows;
- 8 bits for its scale;
- its rows and then its columns, if it has scales for them. A flag says whether their unit differs
  from the last one (at first an octave), and if so 2 bits hold it. Then follow the flags of dead
  lines, and the exponents of the others.

Beside the flags of columns lie those of the rows of the last tensor that had rows, if as many
columns belong to each row: a neuron that is dead there mostly is dead here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.numbers.flags import put_flag
from bitfold.entropy_coding.numbers.golomb import put_signed
from bitfold.entropy_coding.numbers.plain_bits import put_bits
from bitfold.entropy_coding.rans.symbols import Symbols, symbol_bits
from bitfold.entropy_coding.scales.dead_flags import (
    flags_beside,
    get_dead_flags,
    put_dead_flags,
)
from bitfold.entropy_coding.scales.exponents import get_exponents, put_exponents
from bitfold.entropy_coding.scales.whole_scales import (
    COARSEST_UNIT,
    DEAD,
    LEAST_OWN,
    MAX_DISTANCE,
    FlatScales,
    Ints,
    Lines,
    SentScale,
    flat_scales,
)
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.runtime.compiling import compiled

_OWN_BITS, _UNIT_BITS = 8, 2
# Frequency in 2^16 of a unit that is the last one.
_SAME_UNIT = 15 << 12
# Order of the Golomb code of locations.
_LOCATION_ORDER = 2
# More symbols than a tensor takes without the two of each row and column.
_MOST_SYMBOLS = 128


def write_scales(writer: StreamWriter, scales: Sequence[SentScale]) -> None:
    """Append the scales of tensors, in the order in which the tensors are coded."""
    writer.write_symbols(scale_symbols(flat_scales(scales)))


def scale_bits(scales: FlatScales) -> float:
    """The bits that `write_scales` takes."""
    return symbol_bits(scale_symbols(scales))


def scale_symbols(scales: FlatScales) -> Symbols:
    """The symbols that `write_scales` writes."""
    num_lines = int((scales.sides[:, :, 1] - scales.sides[:, :, 0]).sum())
    out = np.empty(1 + _MOST_SYMBOLS * len(scales.own) + 2 * num_lines, np.uint32)
    found: Symbols = out[: _put_scales(out, scales)]
    return found


@compiled
def _put_scales(out: Symbols, scales: FlatScales) -> int:
    """Write the symbols of `scale_symbols`, and return their number."""
    locations, own, exponents, sides, units = scales
    has_locations = 0
    for location in locations:
        has_locations = 1 if location != 0 else has_locations
    at, last = put_bits(out, 0, has_locations, 1), COARSEST_UNIT
    neurons = np.zeros(1, np.int64)
    for tensor in range(len(own)):
        if has_locations:
            at = put_signed(out, at, locations[tensor], _LOCATION_ORDER)
        at = put_bits(out, at, int(own[tensor] == DEAD), 1)
        if own[tensor] == DEAD:
            continue
        at = put_bits(out, at, own[tensor] - LEAST_OWN, _OWN_BITS)
        before = neurons
        for axis in range(2):
            first, end = sides[tensor, axis]
            if first < 0:
                continue
            unit, lines = units[tensor, axis], exponents[first:end]
            at = _put_lines(out, at, lines, (unit, last), flags_beside(before, len(lines), axis))
            neurons = (lines == DEAD).astype(np.int64) if axis == 0 else neurons
            last = unit
    return at


@compiled
def _put_lines(out: Symbols, at: int, exponents: Ints, units: tuple[int, int], beside: Ints) -> int:
    """Append the rows or the columns of a tensor; return the new end.

    Args:
        out: room for them.
        at: where to append.
        exponents: of the lines, or `DEAD`.
        units: theirs, and the last one before.
        beside: see `put_dead_flags`.
    """
    at = put_flag(out, at, int(units[0] != units[1]), _SAME_UNIT)
    if units[0] != units[1]:
        at = put_bits(out, at, units[0], _UNIT_BITS)
    dead = exponents == DEAD
    at = put_dead_flags(out, at, dead.astype(np.int64), beside)
    return put_exponents(out, at, exponents[~dead], units[0])


def read_scales(reader: StreamReader, line_counts: Sequence[tuple[int, ...]]) -> list[SentScale]:
    """Read the scales that `write_scales` wrote.

    Args:
        reader: of the stream.
        line_counts: for each tensor the numbers of its rows and columns, or nothing if it has a
            single scale.
    """
    found, neurons, unit = list[SentScale](), np.zeros(1, np.int64), COARSEST_UNIT
    has_locations = reader.read_bits(1)
    for counts in line_counts:
        location = reader.read_signed(_LOCATION_ORDER) if has_locations else 0
        if abs(location) > MAX_DISTANCE:
            raise damaged(f"expected a location of at most 2^52, got {location}", reader.position)
        if reader.read_bits(1):
            found.append(SentScale(location, DEAD))
            continue
        own, lines = reader.read_bits(_OWN_BITS) + LEAST_OWN, list[Lines]()
        for axis, count in enumerate(counts):
            unit = reader.read_bits(_UNIT_BITS) if reader.read_flag(_SAME_UNIT) else unit
            lines.append(_read_lines(reader, flags_beside(neurons, count, axis), unit))
        neurons = (lines[0].exponents == DEAD).astype(np.int64) if lines else neurons
        found.append(SentScale(location, own, tuple(lines)))
    return found


def _read_lines(reader: StreamReader, beside: Ints, unit: int) -> Lines:
    flags = np.zeros(len(beside), np.int64)
    get_dead_flags(reader.state, reader.words, beside, flags)
    reader.check()
    exponents = np.full(len(flags), DEAD, np.int64)
    alive = np.empty(int((flags == 0).sum()), np.int64)
    get_exponents(reader.state, reader.words, unit, alive)
    reader.check()
    exponents[flags == 0] = alive
    return Lines(exponents, unit)
