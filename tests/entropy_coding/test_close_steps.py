"""Steps as differences: written, read and counted."""

import pytest

from bitfold.entropy_coding.close_steps import close_step_bits, read_close_steps, write_close_steps
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.errors import ModelFileError

CASES = {
    "near each other": ([0x3C41, 0x3B20, 0x3C45, 0x3B2F], [False, True, False, True]),
    "far from each other": ([0x0001, 0x7F7F, 0x3F80], [False, False, True]),
    "powers of 2": ([0x3D00, 0x3C00, 0x4080], [True, True, False]),
    "alike": ([0x3D80] * 5, [False] * 5),
}


@pytest.mark.parametrize("name", CASES)
def test_steps_are_read_as_they_were_written(name: str) -> None:
    """Steps come back, in the bits that are counted."""
    numbers, sorts = CASES[name]
    writer = StreamWriter()
    write_close_steps(writer, numbers, sorts)
    data = writer.stream()
    reader = StreamReader(data, offset=0)
    assert read_close_steps(reader, sorts) == numbers
    reader.finish()
    assert 8 * len(data) - 48 <= close_step_bits(numbers, sorts) <= 8 * len(data)


def test_common_low_bits_and_near_steps_are_short() -> None:
    """Near steps take less than the 16 bits of each, and those of few digits still less."""
    near, sorts = CASES["near each other"]
    assert close_step_bits(near, sorts) < 16 * len(near) - 12
    assert (
        close_step_bits([one & 0xFFF0 for one in near], sorts) < close_step_bits(near, sorts) - 12
    )


@pytest.mark.parametrize("number", [-1, 0, 0x7F80])
def test_steps_out_of_bounds_are_damage(number: int) -> None:
    """A step of 0, below it, or beyond all finite ones is refused."""
    writer = StreamWriter()
    writer.write_bits(0, 3)
    writer.write_signed(number - 0x3D80, 7)
    with pytest.raises(ModelFileError, match="expected a finite step above 0"):
        read_close_steps(StreamReader(writer.stream(), offset=0), [True])
