"""Tensors on a trellis, written and read. Importing this module imports Numba."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.adaptive_bits import new_contexts
from bitfold.entropy_coding.contexts.numbers import NUM_CONTEXTS, SYMBOLS_EACH
from bitfold.entropy_coding.contexts.tensors import (
    Shape,
    flag_symbols,
    read_flags,
    used_sides,
)
from bitfold.entropy_coding.rans.symbols import Symbols
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.entropy_coding.trellis.numbers import get_columns, put_columns

Ints = NDArray[np.int64]

# Numbers that are coded at a time.
_PART = 2**15


class TrellisWriter:
    """Codes tensors one after the other, and learns from each for the next.

    Attributes:
        contexts: of all bits; copy them to undo the learning of a tensor.

    Example:
        >>> numbers = np.array([0, 2, -3, 0, 0, 1])      # in columns: 0 0, 2 0, -3 1
        >>> stream = StreamWriter()
        >>> TrellisWriter().write(stream, numbers, (2, 3, 1))
        >>> TrellisReader().read(StreamReader(stream.stream(), offset=0), (2, 3, 1))
        array([ 0,  2, -3,  0,  0,  1])
    """

    def __init__(self) -> None:
        self.contexts = new_contexts(NUM_CONTEXTS)

    def write(self, writer: StreamWriter, numbers: Ints, shape: Shape) -> None:
        """Append a tensor's numbers, see `symbols`."""
        for symbols in self.symbols(numbers, shape):
            writer.write_symbols(symbols.copy())

    def symbols(self, numbers: Ints, shape: Shape) -> Iterator[Symbols]:
        """The symbols that `write` writes, part by part; the next part overwrites the one before.

        Args:
            numbers: int64 (n,), below 2^51 in size, on a trellis.
            shape: n as a product.
        """
        sides = used_sides(numbers, shape)
        room = np.empty(max(_PART, *shape) * SYMBOLS_EACH, np.uint32)
        yield from flag_symbols(room, sides, shape, self.contexts)
        by_column, trellis = _by_column(numbers, shape), np.zeros(1, np.int64)
        for used in _parts(shape, *sides):
            yield room[: put_columns(room, by_column, used, (self.contexts, trellis))]


class TrellisReader:
    """Reads what a `TrellisWriter` wrote, tensors in the same order."""

    def __init__(self) -> None:
        self.contexts = new_contexts(NUM_CONTEXTS)

    def read(self, reader: StreamReader, shape: Shape) -> Ints:
        """The numbers of the next tensor."""
        outer, inner, together = shape
        sides = read_flags(reader, shape, self.contexts)
        by_column, trellis = np.zeros(outer * inner * together, np.int64), np.zeros(1, np.int64)
        for used in _parts(shape, *sides):
            get_columns(reader.state, reader.words, by_column, used, (self.contexts, trellis))
            reader.check()
        return np.ascontiguousarray(by_column.reshape(-1, outer).T).reshape(-1)


def _by_column(numbers: Ints, shape: Shape) -> Ints:
    return np.ascontiguousarray(numbers.reshape(shape[0], -1).T).reshape(-1)


def _parts(shape: Shape, rows: Ints, columns: Ints) -> Iterator[tuple[Ints, Ints, int, int]]:
    """A tensor in parts of some columns."""
    outer, inner, together = shape
    wide, count = np.repeat(columns, together), inner * together
    step = max(1, _PART // outer)
    for first in range(0, count, step):
        yield wide, rows, first, min(first + step, count)
