"""Streams that are long, damaged or truncated."""

import numpy as np
import pytest

from bitfold.entropy_coding.numbers.plain_bits import get_plain, plain_symbols
from bitfold.entropy_coding.rans.coder import SEGMENT
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.errors import ModelFileError


def test_endless_codes_come_to_an_end() -> None:
    """A Golomb code with too many zeros is refused."""
    writer = StreamWriter()
    for _ in range(100):
        writer.write_bits(0, 1)
    with pytest.raises(ModelFileError, match="no code of it"):
        StreamReader(writer.stream(), 0).read_golomb(0)


@pytest.mark.parametrize("count", [1, SEGMENT, SEGMENT + 1, 2 * SEGMENT + 5])
def test_streams_of_several_segments(count: int) -> None:
    """Symbols in several segments are read as they were written, and none remains."""
    numbers = np.random.default_rng(0).integers(0, 2**5, count)
    writer = StreamWriter()
    writer.write_symbols(plain_symbols(numbers, 5))
    reader, found = StreamReader(writer.stream(), 0), np.empty_like(numbers)
    get_plain(reader.state, reader.words, 5, found)
    reader.finish()
    assert np.array_equal(found, numbers)


def test_a_stream_must_end_where_reading_ends() -> None:
    """A stream with too many or too few symbols is refused."""
    writer = StreamWriter()
    for _ in range(20):
        writer.write_bits(12345, 16)
    data = writer.stream()
    reader = StreamReader(data, 0)
    for _ in range(19):
        reader.read_bits(16)
    with pytest.raises(ModelFileError, match="at the end"):
        reader.finish()
    reader = StreamReader(data, 0)
    for _ in range(21):
        reader.read_bits(16)
    with pytest.raises(ModelFileError, match="at the end"):
        reader.finish()
    with pytest.raises(ModelFileError, match="more bytes"):
        StreamReader(data[:2], 0)


def test_the_bits_of_all_parts_add_up_to_the_stream() -> None:
    """The parts' bits add up to the stream's; the last part's are less exact, as states are low."""
    flags = np.random.default_rng(0).random(3000) > 60_000 / 2**16
    writer = StreamWriter()
    writer.write_golomb(9, 0)
    for flag in flags:
        writer.write_flag(bool(flag), 60_000)
    data = writer.stream()
    reader = StreamReader(data, 0)
    reader.enter("a number")
    reader.read_golomb(0)
    reader.enter("flags")
    for _ in flags:
        reader.read_flag(60_000)
    reader.finish()
    assert reader.bits["a number"] == pytest.approx(7, abs=1e-4)
    expected = (16 - np.log2(np.where(flags, 2**16 - 60_000, 60_000))).sum()
    assert reader.bits["flags"] == pytest.approx(expected, abs=12)
    assert sum(reader.bits.values()) == pytest.approx(8 * len(data), abs=1e-6)
