"""Steps as differences from the steps before them: written, read, counted. Importing imports Numba.

Steps are bfloat16. Their bits, as whole numbers, grow with the logarithm of the step. Most tensors
have steps near those of the last tensor of the same sort, vectors or others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.numbers.golomb import golomb_bits
from bitfold.entropy_coding.streams import StreamReader, StreamWriter

# The bits of 1/16, from which the first step differs.
_FIRST = 0x3D80
# Low bits that are 0 in all steps are not sent: 3 bits say how many of 7.
_UNIT_BITS, _MOST_UNIT = 3, 7
# The bits of the largest finite bfloat16.
_LARGEST = 0x7F7F


def write_close_steps(writer: StreamWriter, numbers: Sequence[int], sorts: Sequence[bool]) -> None:
    """Append steps.

    Args:
        writer: of the stream.
        numbers: the bits of each step as a bfloat16 above 0.
        sorts: of the tensor of each.
    """
    unit = _unit(numbers)
    writer.write_bits(unit, _UNIT_BITS)
    for difference in _differences(numbers, sorts, unit):
        writer.write_signed(difference, _MOST_UNIT - unit)


def read_close_steps(reader: StreamReader, sorts: Sequence[bool]) -> list[int]:
    """Read the steps that `write_close_steps` wrote of tensors of these sorts."""
    unit, found, last = reader.read_bits(_UNIT_BITS), list[int](), dict[bool, int]()
    for sort in sorts:
        number = _before(last, sort, unit) + reader.read_signed(_MOST_UNIT - unit)
        if not 0 < number << unit <= _LARGEST:
            raise damaged(f"expected a finite step above 0, got {number << unit}", reader.position)
        last[sort] = number
        found.append(number << unit)
    return found


def close_step_bits(numbers: Sequence[int], sorts: Sequence[bool]) -> int:
    """The bits that `write_close_steps` takes."""
    unit = _unit(numbers)
    return _UNIT_BITS + sum(
        golomb_bits(2 * one if one >= 0 else -2 * one - 1, _MOST_UNIT - unit)
        for one in _differences(numbers, sorts, unit)
    )


def _differences(numbers: Sequence[int], sorts: Sequence[bool], unit: int) -> Iterator[int]:
    last = dict[bool, int]()
    for number, sort in zip(numbers, sorts, strict=True):
        yield (number >> unit) - _before(last, sort, unit)
        last[sort] = number >> unit


def _before(last: dict[bool, int], sort: bool, unit: int) -> int:
    """The last step of the same sort, else of the other sort, else the first of all."""
    return last.get(sort, last.get(not sort, _FIRST >> unit))


def _unit(numbers: Sequence[int]) -> int:
    """How many low bits are 0 in all numbers, at most 7."""
    unit = 0
    while unit < _MOST_UNIT and not any(number >> unit & 1 for number in numbers):
        unit += 1
    return unit
