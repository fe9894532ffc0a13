"""The number of bins, written, read and counted: one bit for 256, and 16 more for any other."""

from __future__ import annotations

from bitfold.entropy_coding.streams import StreamReader, StreamWriter

_USUAL, _NUM_BITS = 256, 16


def write_bin_count(writer: StreamWriter, num_bins: int) -> None:
    """Append a number of bins, 1 to 65,536."""
    writer.write_bits(int(num_bins != _USUAL), 1)
    if num_bins != _USUAL:
        writer.write_bits(num_bins - 1, _NUM_BITS)


def read_bin_count(reader: StreamReader) -> int:
    """Read a number of bins that `write_bin_count` wrote."""
    return reader.read_bits(_NUM_BITS) + 1 if reader.read_bits(1) else _USUAL


def bin_count_bits(num_bins: int) -> int:
    """The bits that `write_bin_count` takes."""
    return 1 + _NUM_BITS * (num_bins != _USUAL)
