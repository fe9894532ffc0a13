"""Grids, the distribution of their numbers, and numbers off a grid, written and read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.bin_counts import read_bin_count, write_bin_count
from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.laplace.tables import DISTRIBUTIONS
from bitfold.entropy_coding.numbers.golomb import golomb_bits
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file.syntax.plan import (
    NO_EXCEPTIONS,
    Exceptions,
    FixedGrid,
    Plan,
    TensorPlan,
)
from bitfold.model_file.syntax.steps import read_steps, write_steps

# The limits of a grid lie within plus and minus this, so that differences are finite in float32.
_LARGEST_LIMIT = 1e30
# Golomb orders of the count of exceptions and of their distances, and the bits of a value.
_COUNT_ORDER, _GAP_ORDER, _VALUE_BITS = 0, 6, 32


def write_grids(writer: StreamWriter, plan: Plan, tensors: Sequence[TensorPlan]) -> None:
    """Append the distribution, and the grid that all tensors share or the step of each.

    Args:
        writer: of the stream.
        plan: of all tensors.
        tensors: those on a grid.
    """
    writer.write_bits(DISTRIBUTIONS.index(plan.distribution), 1)
    writer.write_bits(int(plan.grid is not None), 1)
    if plan.grid is None:
        write_steps(writer, tensors, plan.version)
        return
    write_bin_count(writer, plan.grid.num_bins)
    writer.write_array(np.array([plan.grid.minimum, plan.grid.maximum], "<f4"))


def read_grids(
    reader: StreamReader, plan: Plan, tensors: Sequence[TensorPlan], version: int
) -> None:
    """Read what `write_grids` wrote into the plan and into those of its tensors on a grid."""
    plan.distribution = DISTRIBUTIONS[reader.read_bits(1)]
    if not reader.read_bits(1):
        read_steps(reader, tensors, version)
        return
    num_bins = read_bin_count(reader)
    minimum, maximum = map(float, reader.read_array("<f4", 2))
    if not (num_bins > 1 and -_LARGEST_LIMIT <= minimum < maximum <= _LARGEST_LIMIT):
        raise damaged(
            "expected 2 bins or more between two rising limits within "
            f"{_LARGEST_LIMIT:g}, got {num_bins} between {minimum:g} and {maximum:g}",
            reader.position,
        )
    plan.grid = FixedGrid(minimum, maximum, num_bins)


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
