"""Tensors by the coder that needs no parameters, written and read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bitfold.entropy_coding.adaptive_kernels import (
    Ints,
    Shape,
    get_flags,
    get_table,
    has_flags,
    new_contexts,
    put_flags,
    put_table,
    used_sides,
)
from bitfold.entropy_coding.streams import StreamReader

# Numbers that are coded at a time, with room for so many symbols each.
_PART, _MOST_SYMBOLS = 2**15, 60

Symbols = np.typing.NDArray[np.uint32]


class ContextWriter:
    """Codes tensors one after the other; what is learned of one serves the next.

    Source: none, ours.
    """

    def __init__(self) -> None:
        self.contexts = new_contexts()
        self._room = np.empty(0, np.uint32)

    def symbols(self, numbers: Ints, shape: Shape) -> Iterator[Symbols]:
        """The symbols of a tensor, part by part; each is to be used before the next is asked for.

        Args:
            numbers: int64 (n,), below 2^51 in size.
            shape: n as a product.
        """
        outer, inner, together = shape
        in_row = inner * together
        rows, columns = used_sides(numbers, shape)
        self._reserve(max(_PART, in_row, outer, inner) * _MOST_SYMBOLS)
        for flags, other, is_row in ((rows, in_row, True), (columns, outer * together, False)):
            if has_flags(len(flags), other):
                yield self._room[: put_flags(self._room, flags, self.contexts, is_row)]
            else:
                flags[:] = 1
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
        self.contexts = new_contexts()

    def read(self, reader: StreamReader, shape: Shape) -> Ints:
        """The numbers of the next tensor."""
        outer, inner, together = shape
        in_row = inner * together
        numbers = np.zeros(outer * in_row, np.int64)
        rows, columns = np.ones(outer, np.int64), np.ones(inner, np.int64)
        for flags, other, is_row in ((rows, in_row, True), (columns, outer * together, False)):
            if has_flags(len(flags), other):
                get_flags(reader.state, reader.words, flags, self.contexts, is_row)
        wide = np.repeat(columns, together)
        step = max(1, _PART // in_row)
        for first in range(0, outer, step):
            used = (rows, wide, first, min(first + step, outer))
            get_table(reader.state, reader.words, numbers, used, self.contexts)
            reader.check()
        return numbers
