"""Round trips through a writer and its reader, with a count of the written bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.streams import StreamReader, StreamWriter


class CountingWriter(StreamWriter):
    """A writer that adds up the bits of its symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.num_bits = 0.0

    def write_symbols(self, symbols: NDArray[np.uint32]) -> None:
        """Count the symbols too."""
        self.num_bits += symbol_bits(symbols)
        super().write_symbols(symbols)


def round_trip(write: Callable[[StreamWriter], None], read: Callable[[StreamReader], Any]) -> Any:
    """Write, read, and require that the reader consumes all written bits and no more.

    Returns:
        What was read, and the bits that were written.
    """
    writer = CountingWriter()
    write(writer)
    num_bits = writer.num_bits
    writer.write_bits(0b1011, 4)
    reader = StreamReader(writer.stream(), 0)
    found = read(reader)
    assert reader.read_bits(4) == 0b1011
    reader.finish()
    return found, num_bits


def symbols_of(put: Callable[..., int], room: int, *arguments: object) -> NDArray[np.uint32]:
    """Return the symbols of a compiled writer, and check that its count without an array agrees."""
    out = np.empty(room, np.uint32)
    count = put(out, 0, *arguments)
    assert put(np.empty(0, np.uint32), 0, *arguments) == count
    return out[:count]
