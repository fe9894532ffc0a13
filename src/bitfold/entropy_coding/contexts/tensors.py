"""Tensors by adaptive bits, written and read. Importing this module imports Numba."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.adaptive_bits import new_contexts
from bitfold.entropy_coding.contexts.numbers import (
    NUM_CONTEXTS,
    SYMBOLS_EACH,
    get_table,
    get_used,
    put_table,
    put_used,
)
from bitfold.entropy_coding.rans.symbols import Symbols
from bitfold.entropy_coding.streams import StreamReader, StreamWriter

Ints = NDArray[np.int64]

Shape = tuple[int, int, int]
"""Sizes of a tensor's first and second dimension, and of all others together."""

# Numbers that are coded at a time.
_PART = 2**15
# Rows or columns of fewer numbers than this have no flags.
_LEAST_FLAGGED = 4


class ContextWriter:
    """Codes tensors one after the other, and learns from each for the next.

    Attributes:
        contexts: of all bits; copy them to undo the learning of a tensor.
    """

    def __init__(self) -> None:
        self.contexts = new_contexts(NUM_CONTEXTS)
        self._room = np.empty(0, np.uint32)

    def write(self, writer: StreamWriter, numbers: Ints, shape: Shape) -> None:
        """Append a tensor's numbers: int64 (n,), below 2^51 in size."""
        for symbols in self.symbols(numbers, shape):
            writer.write_symbols(symbols.copy())

    def symbols(self, numbers: Ints, shape: Shape) -> Iterator[Symbols]:
        """The symbols that `write` writes, part by part; the next part overwrites the one before.

        Args:
            numbers: int64 (n,), below 2^51 in size.
            shape: n as a product.
        """
        outer, inner, together = shape
        in_row = inner * together
        self._reserve(max(_PART, in_row, outer, inner) * SYMBOLS_EACH)
        rows, columns = used_sides(numbers, shape)
        yield from flag_symbols(self._room, (rows, columns), shape, self.contexts)
        wide = np.repeat(columns, together)
        step = max(1, _PART // in_row)
        for first in range(0, outer, step):
            used = (rows, wide, first, min(first + step, outer))
            yield self._room[: put_table(self._room, numbers, used, self.contexts)]

    def _reserve(self, size: int) -> None:
        if len(self._room) < size:
            self._room = np.empty(size, np.uint32)


class ContextReader:
    """Reads what a `ContextWriter` wrote, tensors in the same order."""

    def __init__(self) -> None:
        self.contexts = new_contexts(NUM_CONTEXTS)

    def read(self, reader: StreamReader, shape: Shape) -> Ints:
        """The numbers of the next tensor."""
        outer, inner, together = shape
        in_row = inner * together
        numbers = np.zeros(outer * in_row, np.int64)
        rows, columns = read_flags(reader, shape, self.contexts)
        wide = np.repeat(columns, together)
        step = max(1, _PART // in_row)
        for first in range(0, outer, step):
            used = (rows, wide, first, min(first + step, outer))
            get_table(reader.state, reader.words, numbers, used, self.contexts)
            reader.check()
        return numbers


def flag_symbols(
    room: Symbols, sides: tuple[Ints, Ints], shape: Shape, contexts: Ints
) -> Iterator[Symbols]:
    """The symbols of the flags that a tensor has; a side without flags counts as used.

    Args:
        room: for the flags of one side; the next side's overwrite them.
        sides: see `used_sides`; becomes what a reader knows.
        shape: of the tensor.
        contexts: learn.
    """
    for axis, flags in enumerate(sides):
        if axis in flagged(shape):
            yield room[: put_used(room, flags, contexts, axis == 0)]
        else:
            flags[:] = 1


def read_flags(reader: StreamReader, shape: Shape, contexts: Ints) -> tuple[Ints, Ints]:
    """Read what `flag_symbols` wrote: the sides of a tensor."""
    sides = np.ones(shape[0], np.int64), np.ones(shape[1], np.int64)
    for axis in flagged(shape):
        get_used(reader.state, reader.words, sides[axis], contexts, axis == 0)
    return sides


def used_sides(numbers: Ints, shape: Shape) -> tuple[Ints, Ints]:
    """Which rows, and which of the second dimension, have any number but 0: int64, 1 or 0."""
    outer, inner, together = shape
    used = (numbers != 0).reshape(outer, inner, together).any(axis=2)
    return used.any(axis=1).astype(np.int64), used.any(axis=0).astype(np.int64)


def flagged(shape: Shape) -> list[int]:
    """The axes that have flags: 0 for rows, 1 for the second dimension."""
    outer, inner, together = shape
    counts = (outer, inner * together), (inner, outer * together)
    return [axis for axis, pair in enumerate(counts) if pair[0] > 1 and pair[1] >= _LEAST_FLAGGED]
