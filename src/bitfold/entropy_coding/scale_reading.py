"""Reading the locations and scales of tensors; `sent_scales.scale_symbols` writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.laplace_tables import MAX_DISTANCE
from bitfold.entropy_coding.line_kernels import get_exponents, get_flags
from bitfold.entropy_coding.scale_syntax import (
    COARSEST_UNIT,
    DEAD,
    LEAST_OWN,
    LOCATION_ORDER,
    OWN_BITS,
    SAME_UNIT,
    UNIT_BITS,
    Ints,
    Lines,
    SentScale,
    beside,
    neurons_of,
)
from bitfold.entropy_coding.streams import StreamReader, damaged


def read_scales(reader: StreamReader, sides: Sequence[tuple[int, ...]]) -> list[SentScale]:
    """What `scale_symbols` wrote.

    Args:
        reader: of the stream.
        sides: how many rows and columns each tensor has that has scales for them, or nothing.
    """
    found, neurons, unit = list[SentScale](), np.zeros(1, np.int64), COARSEST_UNIT
    has_locations = reader.bits_of(1)
    for counts in sides:
        location = reader.signed(LOCATION_ORDER) if has_locations else 0
        if abs(location) > MAX_DISTANCE:
            raise damaged("expected a location of at most 2^52, got more", reader.position)
        if reader.bits_of(1):
            found.append(SentScale(location, DEAD))
            continue
        own, lines = reader.bits_of(OWN_BITS) + LEAST_OWN, list[Lines]()
        for axis, count in enumerate(counts):
            unit = reader.bits_of(UNIT_BITS) if reader.flag(SAME_UNIT) else unit
            lines.append(_read_lines(reader, beside(neurons, count, axis), unit))
        neurons = neurons_of(lines, neurons)
        found.append(SentScale(location, own, tuple(lines)))
    return found


def _read_lines(reader: StreamReader, besides: Ints, unit: int) -> Lines:
    flags = np.zeros(len(besides), np.int64)
    get_flags(reader.state, reader.words, besides, flags)
    reader.check()
    exponents = np.full(len(flags), DEAD, np.int64)
    alive = np.empty(int((flags == 0).sum()), np.int64)
    get_exponents(reader.state, reader.words, unit, alive)
    reader.check()
    exponents[flags == 0] = alive
    return Lines(exponents, unit)
