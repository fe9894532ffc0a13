"""Tensors by mixed predictions, written, read and counted. Importing this module imports Numba."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.tensors import used_sides
from bitfold.entropy_coding.mixing.bits import OTHER, TABLE, UNUSED, new_scratch, new_state
from bitfold.entropy_coding.mixing.costs import count_table
from bitfold.entropy_coding.mixing.numbers import (
    SYMBOLS_EACH,
    Table,
    get_lines,
    get_table,
    put_lines,
    put_table,
)
from bitfold.entropy_coding.rans.symbols import Symbols, symbol_bits
from bitfold.entropy_coding.streams import StreamReader, StreamWriter

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Shape = tuple[int, int, int]
"""Sizes of a tensor's first and second dimension, and of all others together."""

# Numbers that are coded at a time.
_PART = 2**15


class _Learned:
    """What was learned from the tensors so far.

    Args:
        shapes: of all tensors, which bound the rows and columns.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.state = new_state(max((sum(_lines_of(one)) for one in shapes), default=0))
        self.scratch = new_scratch()
        # The flags of the rows of the last tensor that has such flags.
        self._neurons = np.zeros(0, np.int64)

    def sides(self, shape: Shape) -> Iterator[tuple[int, int, Ints]]:
        """The flags that a tensor has: number of the axis, first context, and what is beside."""
        outer, inner, together = shape
        if outer > 1 and inner * together > 1:
            yield 0, 0, np.full(outer, -1)
        if inner > 1 and outer * together > 1:
            yield 1, 2, self._besides(inner)

    def table(self, shape: Shape, rows: Ints, columns: Ints) -> Table:
        """What a decoder knows of a tensor once it has its flags, which the next tensor is told."""
        sides = [axis for axis, _, _ in self.sides(shape)]
        kinds = np.full(1, TABLE)
        if not sides:
            besides = self._besides(math.prod(shape))
            kinds = np.where(besides < 0, OTHER, UNUSED + besides)
        if 0 in sides:
            self._neurons = rows.copy()
        return rows, np.repeat(columns, shape[2]), kinds, not sides, 0, len(rows)

    def _besides(self, count: int) -> Ints:
        """The flags of neurons beside a tensor's columns or a vector's numbers; -1 for none."""
        neurons = self._neurons
        if not len(neurons) or count % len(neurons):
            return np.full(count, -1)
        return np.repeat(neurons, count // len(neurons))


class MixedWriter(_Learned):
    """Codes tensors one after the other, and learns from each for the next.

    Args:
        shapes: of all tensors.

    Example:
        >>> numbers = np.array([0, 3, -2, 0, 0, 1])
        >>> stream = StreamWriter()
        >>> MixedWriter([(2, 3, 1)]).write(stream, numbers, (2, 3, 1))
        >>> reader = StreamReader(stream.stream(), offset=0)
        >>> MixedReader([(2, 3, 1)]).read(reader, (2, 3, 1))
        array([ 0,  3, -2,  0,  0,  1])
    """

    def write(self, writer: StreamWriter, numbers: Ints, shape: Shape) -> None:
        """Append a tensor's numbers: int64 (n,), below 2^51 in size."""
        lines, table = self._flags(numbers, shape)
        writer.write_symbols(lines)
        parts, most = _parts(table)
        room = np.empty(most * SYMBOLS_EACH, np.uint32)
        for part in parts:
            end = put_table(room, numbers, part, self.state, self.scratch)
            writer.write_symbols(room[:end].copy())

    def count(
        self, numbers: Ints, costing: Ints, shape: Shape, sloping: Ints | None = None
    ) -> tuple[Floats, Floats, float]:
        """Count the bits of some numbers in each place, and learn those that are there.

        Args:
            numbers: int64 (n,), below 2^51 in size.
            costing: int64 (j, n), likewise.
            shape: n as a product.
            sloping: int64 (k, n), likewise; None: none.

        Returns:
            Bits of ``costing``, (j, n), and those of ``sloping`` on lines, (k, n); see
            `count_table`. The bits of flags.
        """
        lines, table = self._flags(numbers, shape)
        if sloping is None:
            sloping = np.empty((0, len(numbers)), np.int64)
        bits, smooth = np.empty(costing.shape), np.empty(sloping.shape)
        asked = (costing, sloping)
        count_table(numbers, asked, table, self.state, self.scratch, (bits, smooth))
        return bits, smooth, symbol_bits(lines)

    def _flags(self, numbers: Ints, shape: Shape) -> tuple[Symbols, Table]:
        """The symbols of a tensor's flags, and what a decoder knows then."""
        used, found = used_sides(numbers, shape), [np.zeros(0, np.uint32)]
        sides = [np.ones_like(one) for one in used]
        for axis, first, besides in self.sides(shape):
            sides[axis], room = used[axis], np.empty(len(besides), np.uint32)
            put_lines(room, sides[axis], besides, first, self.state)
            found.append(room)
        return np.concatenate(found), self.table(shape, *sides)


class MixedReader(_Learned):
    """Reads what a `MixedWriter` wrote, tensors in the same order.

    Args:
        shapes: of all tensors.
    """

    def read(self, reader: StreamReader, shape: Shape) -> Ints:
        """The numbers of the next tensor."""
        sides = np.ones(shape[0], np.int64), np.ones(shape[1], np.int64)
        for axis, first, besides in self.sides(shape):
            get_lines(reader.state, reader.words, sides[axis], besides, first, self.state)
            reader.check()
        numbers, table = np.zeros(math.prod(shape), np.int64), self.table(shape, *sides)
        for part in _parts(table)[0]:
            get_table(reader.state, reader.words, numbers, part, self.state, self.scratch)
            reader.check()
        return numbers


def _lines_of(shape: Shape) -> tuple[int, int]:
    """How many rows a tensor has, and how many numbers each."""
    return shape[0], shape[1] * shape[2]


def _parts(table: Table) -> tuple[list[Table], int]:
    """A tensor in parts of some rows, and the most numbers of a part."""
    rows, columns, kinds, is_vector, _, end = table
    step = min(max(1, _PART // len(columns)), end)
    firsts = range(0, end, step)
    parts = [(rows, columns, kinds, is_vector, at, min(at + step, end)) for at in firsts]
    return parts, step * len(columns)
