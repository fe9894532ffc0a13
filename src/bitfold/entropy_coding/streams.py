"""Writing and reading the stream of symbols, item by item."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans_kernels import (
    FIRST_WORDS,
    LAST,
    LOWEST,
    SEGMENT,
    SOUND,
    TRUNCATED,
    encode,
    read_golomb,
    read_long,
    read_plain,
    slot,
    take,
)
from bitfold.entropy_coding.symbol_kernels import ONE, put_flag, put_golomb, put_long
from bitfold.errors import ModelFileError

_MOST_ZEROS = 52


class StreamWriter:
    """Collects symbols and codes them segment by segment.

    Source: none, ours.
    """

    def __init__(self) -> None:
        self._pending: list[NDArray[np.uint32]] = []
        self._num_pending = 0
        self._coded: list[bytes] = []

    def put(self, symbols: NDArray[np.uint32]) -> None:
        """Append symbols, see `rans_kernels.Symbols`."""
        self._pending.append(symbols)
        self._num_pending += len(symbols)
        if self._num_pending > SEGMENT:
            everything = np.concatenate(self._pending)
            # Something stays for the last segment.
            whole = (len(everything) - 1) // SEGMENT * SEGMENT
            for first in range(0, whole, SEGMENT):
                self._code(everything[first : first + SEGMENT], LOWEST)
            self._pending, self._num_pending = [everything[whole:].copy()], len(everything) - whole

    def symbol(self, start: int, frequency: int) -> None:
        """Append one symbol."""
        self.put(np.array([start | ((frequency - 1) << 16)], np.uint32))

    def bits_of(self, number: int, num_bits: int) -> None:
        """Append a number of up to 62 bits plainly."""
        out = np.empty(5, np.uint32)
        self.put(out[: put_long(out, 0, number, num_bits)])

    def flag(self, is_set: bool, unset: int) -> None:
        """Append a flag that is unset in so many of 2^16 cases."""
        out = np.empty(1, np.uint32)
        put_flag(out, 0, is_set, unset)
        self.put(out)

    def golomb(self, number: int, order: int = 0) -> None:
        """Append a number of at least 0 by an exponential Golomb code."""
        out = np.empty(64, np.uint32)
        self.put(out[: put_golomb(out, 0, number, order)])

    def plain(self, values: NDArray[Any]) -> None:
        """Append the bytes of an array, 16 bits a symbol, little-endian; their count is even."""
        raw = np.frombuffer(values.tobytes(), "<u2").astype(np.uint32)
        for first in range(0, len(raw), SEGMENT):
            self.put(raw[first : first + SEGMENT])

    def stream(self) -> bytes:
        """All that was written, at least one symbol; then nothing more can be."""
        self._code(np.concatenate(self._pending), LAST)
        return b"".join(self._coded)

    def _code(self, symbols: NDArray[np.uint32], first: int) -> None:
        words = np.empty(len(symbols) + FIRST_WORDS, np.uint16)
        used = encode(symbols, words, first)
        self._coded.append(words[len(words) - used :].astype("<u2").tobytes())


class StreamReader:
    """Reads what a `StreamWriter` wrote.

    Args:
        data: the whole file.
        offset: where the stream starts; it goes on to the end.

    Attributes:
        item: what is being read.
        bits: that the items before it took, fractions of bits included.

    Raises:
        ModelFileError: by every method, if the stream ends too early or is no such stream.
    """

    def __init__(self, data: bytes, offset: int) -> None:
        self.item: str | tuple[str] = "coder"
        self.bits: dict[str | tuple[str], float] = defaultdict(float)
        self._offset = offset
        if (len(data) - offset) % 2:
            raise damaged("expected an even number of bytes in the stream", len(data) - 1)
        self.words = np.frombuffer(data, "<u2", offset=offset).astype(np.uint16)
        self.state = np.array([LAST, 0, 0, SOUND], np.int64)
        self._before = self._bits_read()
        slot(self.state, self.words)
        self.check()

    def enter(self, item: str | tuple[str]) -> None:
        """Say what is read from now on, a tensor (by its name in a tuple) or another part.

        And count what was read of the item before.

        The numbers that rANS works on tell fractions of bits: all items add up to the stream.
        """
        bits = self._bits_read()
        self.bits[self.item] += bits - self._before
        self.item, self._before = item, bits

    def _name(self) -> str:
        return self.item if isinstance(self.item, str) else repr(self.item[0])

    def _bits_read(self) -> float:
        return 16 * int(self.state[1]) - math.log2(max(1, int(self.state[0])))

    @property
    def position(self) -> int:
        """Byte of the file up to which the stream was read."""
        return self._offset + 2 * int(self.state[1])

    def check(self) -> None:
        """Refuse to go on with what cannot be right."""
        if self.state[3] == TRUNCATED:
            raise damaged(f"expected more bytes, for {self._name()}, got the end", self.position)
        if self.state[3] != SOUND:
            raise damaged(f"expected {self._name()}, got what is no code of it", self.position)

    def take(self, start: int, frequency: int) -> None:
        """Remove a symbol that was found by `slot`."""
        take(self.state, self.words, start, frequency)
        self.check()

    def slot(self) -> int:
        """Where in 2^16 the next symbol lies."""
        return int(slot(self.state, self.words))

    def bits_of(self, num_bits: int) -> int:
        """A number that was written plainly."""
        number = int(read_long(self.state, self.words, num_bits))
        self.check()
        return number

    def flag(self, unset: int) -> bool:
        """Whether a flag is set that is unset in so many of 2^16 cases."""
        if self.slot() < unset:
            self.take(0, unset)
            return False
        self.take(unset, ONE - unset)
        return True

    def golomb(self, order: int = 0) -> int:
        """See `StreamWriter.golomb`."""
        number = int(read_golomb(self.state, self.words, order, _MOST_ZEROS))
        self.check()
        return number

    def signed(self, order: int) -> int:
        """A number that was written by `put_signed`."""
        unsigned = self.golomb(order)
        return -(unsigned + 1) // 2 if unsigned % 2 else unsigned // 2

    def plain(self, dtype: str, count: int) -> NDArray[Any]:
        """An array that was written by `StreamWriter.plain`."""
        raw = np.empty(count * np.dtype(dtype).itemsize // 2, "<u2")
        read_plain(self.state, self.words, 16, raw)
        self.check()
        return np.frombuffer(raw.tobytes(), dtype)

    def finish(self) -> None:
        """Refuse a stream that goes on, or whose last symbols do not lead to the first state."""
        self.enter("the end")
        if int(self.state[1]) != len(self.words):
            raise damaged("expected the end, got more bytes", self.position)
        if int(self.state[0]) != LAST:
            raise damaged("expected the coder's first state at the end, got another", self.position)


def damaged(what: str, offset: int) -> ModelFileError:
    """The error for a file that is none of ours, or no longer."""
    return ModelFileError(
        f"Cannot read a model file: {what} at byte {offset:,}. "
        "Get the file again from where it came from.",
        offset,
    )
