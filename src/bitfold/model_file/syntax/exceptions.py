"""Numbers that do not lie on their tensor's grid, written and read."""

from __future__ import annotations

import numpy as np

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.numbers.golomb import golomb_bits
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file.syntax.plan import NO_EXCEPTIONS, Exceptions

_COUNT_ORDER, _GAP_ORDER, _VALUE_BITS = 0, 6, 32


def write_exceptions(writer: StreamWriter, exceptions: Exceptions) -> None:
    """Append how many exceptions there are, and the place and the float32 of each."""
    writer.write_golomb(len(exceptions.places), _COUNT_ORDER)
    values = exceptions.values.view(np.uint32).tolist()
    for gap, value in zip(_gaps(exceptions), values, strict=True):
        writer.write_golomb(gap, _GAP_ORDER)
        writer.write_bits(value, _VALUE_BITS)


def read_exceptions(reader: StreamReader, num_numbers: int) -> Exceptions:
    """Read what `write_exceptions` wrote of a tensor of `num_numbers` numbers."""
    count = reader.read_golomb(_COUNT_ORDER)
    if count > num_numbers:
        raise damaged(
            f"expected at most {num_numbers} numbers off the grid, got {count}", reader.position
        )
    if count == 0:
        return NO_EXCEPTIONS
    places, values, at = list[int](), list[int](), -1
    for _ in range(count):
        at += 1 + reader.read_golomb(_GAP_ORDER)
        values.append(reader.read_bits(_VALUE_BITS))
        if at >= num_numbers:
            raise damaged(f"expected a place below {num_numbers}, got {at}", reader.position)
        places.append(at)
    return Exceptions(np.array(places, np.int64), np.array(values, np.uint32).view(np.float32))


def exception_bits(exceptions: Exceptions) -> int:
    """The bits that `write_exceptions` takes."""
    gaps = sum(golomb_bits(gap, _GAP_ORDER) + _VALUE_BITS for gap in _gaps(exceptions))
    return golomb_bits(len(exceptions.places), _COUNT_ORDER) + gaps


def _gaps(exceptions: Exceptions) -> list[int]:
    """How many numbers stand between each exception and the one before."""
    gaps: list[int] = (np.diff(exceptions.places, prepend=-1) - 1).tolist()
    return gaps
