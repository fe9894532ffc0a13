"""The grids of tensors and the distribution of their numbers, written and read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.bin_counts import read_bin_count, write_bin_count
from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.laplace.tables import DISTRIBUTIONS
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file.syntax.plan import FixedGrid, Plan, TensorPlan
from bitfold.model_file.syntax.steps import read_steps, write_steps

# The limits of a grid lie within plus and minus this, so that differences are finite in float32.
_LARGEST_LIMIT = 1e30


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
