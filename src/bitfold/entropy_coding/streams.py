"""A stream of symbols: `StreamWriter`, and `StreamReader` for everything that it writes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.numbers.flags import get_flag, put_flag
from bitfold.entropy_coding.numbers.golomb import get_golomb, get_signed, put_golomb, put_signed
from bitfold.entropy_coding.numbers.plain_bits import get_long, get_plain, put_long
from bitfold.entropy_coding.rans.coder import (
    FIRST_WORDS,
    LAST,
    LOWEST,
    SEGMENT,
    SOUND,
    TRUNCATED,
    encode,
    slot,
)
from bitfold.entropy_coding.rans.symbols import Symbols

# More symbols than any single number takes.
_MOST_SYMBOLS = 128


class StreamWriter:
    """Collects symbols and codes them segment by segment.

    Args:
        sink: takes the bytes of each segment as soon as it is coded; None: `stream` returns all.

    Example:
        >>> writer = StreamWriter()
        >>> writer.write_golomb(12, order=2)
        >>> writer.write_flag(True, zeros=2**15)
        >>> reader = StreamReader(writer.stream(), offset=0)
        >>> reader.read_golomb(order=2), reader.read_flag(zeros=2**15)
        (12, True)
    """

    def __init__(self, sink: Callable[[bytes], object] | None = None) -> None:
        self._pending: list[Symbols] = []
        self._num_pending = 0
        self._coded: list[bytes] = []
        self._sink = self._coded.append if sink is None else sink
        self._room = np.empty(_MOST_SYMBOLS, np.uint32)

    def write_symbols(self, symbols: Symbols) -> None:
        """Append symbols; the array must not change afterwards."""
        self._pending.append(symbols)
        self._num_pending += len(symbols)
        if self._num_pending > SEGMENT:
            everything = np.concatenate(self._pending)
            # At least one symbol stays for the last segment.
            whole = (len(everything) - 1) // SEGMENT * SEGMENT
            for first in range(0, whole, SEGMENT):
                self._code(everything[first : first + SEGMENT], LOWEST)
            self._pending, self._num_pending = [everything[whole:].copy()], len(everything) - whole

    def write_bits(self, number: int, num_bits: int) -> None:
        """Append a number of up to 62 bits plainly."""
        self._write_room(put_long(self._room, 0, number, num_bits))

    def write_flag(self, is_set: bool, zeros: int) -> None:
        """Append a flag whose probability of being unset is ``zeros / 2**16``."""
        self._write_room(put_flag(self._room, 0, int(is_set), zeros))

    def write_golomb(self, number: int, order: int) -> None:
        """Append a number of at least 0 by an exponential Golomb code."""
        self._write_room(put_golomb(self._room, 0, number, order))

    def write_signed(self, number: int, order: int) -> None:
        """Append a number of either sign by an exponential Golomb code."""
        self._write_room(put_signed(self._room, 0, number, order))

    def write_array(self, values: NDArray[Any]) -> None:
        """Append an array's bytes, 16 bits a symbol, little-endian; their count must be even."""
        raw = np.frombuffer(values.tobytes(), "<u2").astype(np.uint32)
        for first in range(0, len(raw), SEGMENT):
            self.write_symbols(raw[first : first + SEGMENT])

    def stream(self) -> bytes:
        """Code what is left and return everything that no sink took.

        At least one symbol was written; none can be written afterwards.
        """
        self._code(np.concatenate(self._pending), LAST)
        return b"".join(self._coded)

    def _write_room(self, num_symbols: int) -> None:
        self.write_symbols(self._room[:num_symbols].copy())

    def _code(self, symbols: Symbols, first: int) -> None:
        words = np.empty(len(symbols) + FIRST_WORDS, np.uint16)
        used = encode(symbols, words, first)
        self._sink(words[len(words) - used :].astype("<u2").tobytes())


class StreamReader:
    """Reads what a `StreamWriter` wrote.

    Args:
        data: the whole file.
        offset: byte where the stream starts; it extends to the end of the file.

    Attributes:
        state: of the decoder, for compiled loops.
        words: of the stream, for compiled loops.
        item: the part that is being read.
        bits: of each part that was read before, fractions of bits included.

    Raises:
        ModelFileError: by every method, if the stream ends too early or is damaged.
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
        """Begin another part of the stream, and count the bits of the part before.

        The rANS state tells fractions of bits, so that all parts add up to the stream.

        Args:
            item: name of the part; a tensor's name stands in a tuple.
        """
        bits = self._bits_read()
        self.bits[self.item] += bits - self._before
        self.item, self._before = item, bits

    def check(self) -> None:
        """Raise the error for the first fault that a compiled loop found, if there is one."""
        fault = self.state.item(3)
        if fault == TRUNCATED:
            raise damaged(f"expected more bytes, for {self._name()}, got the end", self.position)
        if fault != SOUND:
            raise damaged(f"expected {self._name()}, got what is no code of it", self.position)

    @property
    def position(self) -> int:
        """Byte of the file up to which the stream was read."""
        return self._offset + 2 * int(self.state[1])

    @property
    def num_bytes(self) -> int:
        """Size of the stream."""
        return 2 * len(self.words)

    def read_bits(self, num_bits: int) -> int:
        """Read a number that `StreamWriter.write_bits` wrote."""
        number = int(get_long(self.state, self.words, num_bits))
        self.check()
        return number

    def read_flag(self, zeros: int) -> bool:
        """Read a flag that `StreamWriter.write_flag` wrote."""
        flag = bool(get_flag(self.state, self.words, zeros))
        self.check()
        return flag

    def read_golomb(self, order: int) -> int:
        """Read a number that `StreamWriter.write_golomb` wrote."""
        number = int(get_golomb(self.state, self.words, order))
        self.check()
        return number

    def read_signed(self, order: int) -> int:
        """Read a number that `StreamWriter.write_signed` wrote."""
        number = int(get_signed(self.state, self.words, order))
        self.check()
        return number

    def read_array(self, dtype: str, count: int) -> NDArray[Any]:
        """Read an array that `StreamWriter.write_array` wrote."""
        raw = np.empty(count * np.dtype(dtype).itemsize // 2, "<u2")
        get_plain(self.state, self.words, 16, raw)
        self.check()
        return np.frombuffer(raw.tobytes(), dtype)

    def finish(self) -> None:
        """Check that the stream ends here, in the state in which the encoder began."""
        self.enter("the end")
        num_left = len(self.words) - int(self.state[1])
        if num_left:
            raise damaged(f"expected the end, got {num_left} more words", self.position)
        if int(self.state[0]) != LAST:
            raise damaged(
                f"expected the coder's first state {LAST} at the end, got {int(self.state[0])}",
                self.position,
            )

    def _name(self) -> str:
        return self.item if isinstance(self.item, str) else repr(self.item[0])

    def _bits_read(self) -> float:
        number, num_words = self.state.item(0), self.state.item(1)
        return 16 * num_words - math.log2(max(1, number))
