"""The coordinate predictor, and the tensors that it codes, written and read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.fixed_point.bins import read_bins, write_bins
from bitfold.entropy_coding.fixed_point.network import fixed_network, layer_shapes
from bitfold.entropy_coding.fixed_point.syntax import (
    read_parameters,
    read_shape,
    write_parameters,
    write_shape,
)
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.errors import ModelFileError
from bitfold.kolmogorov.weights.fixed_coordinates import fixed_coordinates
from bitfold.kolmogorov.weights.layout import Block, make_blocks, varying_coordinates
from bitfold.model_file.syntax.plan import COORDINATE, Ints, Plan, TensorPlan, compact
from bitfold.model_file.syntax.recipe import most_numbers
from bitfold.model_file.syntax.structure import Item

# Weights that are coded at a time.
_CHUNK = 2**16
# Weights times parameters that a file may ask for, and more for each byte of it: about a second's
# work for a file of a kilobyte. Written files stay far below, as parameters take bits.
_LEAST_WORK, _WORK_PER_BYTE = 2**28, 2**20
# Numbers must stay whole in float64.
_LARGEST_NUMBER = 2**53


def write_network(writer: StreamWriter, plan: Plan) -> None:
    """Append the plan's coordinate predictor; a grid that all tensors share tells its bins."""
    network = plan.coordinate
    assert network is not None
    write_shape(writer, network.hidden_widths, network.num_bins if plan.grid is None else None)
    write_parameters(writer, network)


def read_network(reader: StreamReader, plan: Plan) -> None:
    """Read the predictor that `write_network` wrote into the plan.

    Raises:
        ModelFileError: if it is too large for the file, or damaged.
    """
    hidden, num_bins = read_shape(reader, None if plan.grid is None else plan.grid.num_bins)
    if num_bins < 2:
        raise damaged(f"expected 2 bins or more, got {num_bins}", reader.position)
    first = plan.first_bin(num_bins)
    if abs(first) > _LARGEST_NUMBER:
        raise damaged(
            f"expected bins numbered within 2^53, got a first bin of number {first:g}",
            reader.position,
        )
    items = [tensor.item for tensor in plan.coded_by((COORDINATE,))]
    shapes = layer_shapes([len(varying_coordinates(_blocks(items))), *hidden, num_bins])
    found = excess(items, sum(map(math.prod, shapes)), reader.num_bytes)
    if found is not None:
        raise damaged(found, reader.position)
    plan.coordinate = read_parameters(reader, shapes)


class CoordinateCoder:
    """Codes the numbers of tensors by the probabilities that a network gives their coordinates.

    Args:
        plan: with a coordinate predictor.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.coordinate is not None
        items = [tensor.item for tensor in plan.coded_by((COORDINATE,))]
        self._blocks_of = {item.name: number for number, item in enumerate(items)}
        self._blocks = _blocks(items)
        self._chosen = varying_coordinates(self._blocks)
        self._network = fixed_network(plan.coordinate.tensors, plan.coordinate.steps)
        self._first = plan.first_bin(plan.coordinate.num_bins)

    def write(self, writer: StreamWriter, tensor: TensorPlan) -> None:
        """Append a tensor's numbers."""
        for part, coordinates in self._parts(tensor.item):
            numbers = tensor.numbers[part].astype(np.int64)
            write_bins(writer, self._network, coordinates, numbers, self._first)

    def read(self, reader: StreamReader, tensor: TensorPlan) -> None:
        """Read the numbers that `write` wrote into the tensor's plan."""
        numbers = np.zeros(tensor.item.size, np.int64)
        for part, coordinates in self._parts(tensor.item):
            read_bins(reader, self._network, coordinates, numbers[part], self._first)
        tensor.numbers = compact(numbers)

    def _parts(self, item: Item) -> Iterator[tuple[slice, Ints]]:
        """Parts of a tensor, and the coordinates of their weights."""
        for start in range(0, item.size, _CHUNK):
            flat = np.arange(start, min(start + _CHUNK, item.size))
            located = (np.full(len(flat), self._blocks_of[item.name]), *item.box.locate(flat))
            part = slice(start, start + len(flat))
            yield part, fixed_coordinates(self._blocks, located, self._chosen)


def excess(items: Sequence[Item], num_parameters: int, num_bytes: int) -> str | None:
    """The limit that a predictor exceeds in a stream of this size, as "expected ..., got ..."."""
    most = most_numbers(num_bytes)
    if num_parameters > most:
        return f"expected at most {most:,} parameters of a predictor, got {num_parameters:,}"
    work = sum(item.size for item in items) * num_parameters
    most = _LEAST_WORK + _WORK_PER_BYTE * num_bytes
    if work > most:
        return f"expected at most {most:,} weights times parameters, got {work:,}"
    return None


def check_readable(plan: Plan, num_bytes: int) -> None:
    """Refuse to write a predictor that a reader would refuse in so small a file.

    Raises:
        ModelFileError: if the coordinate predictor is too large.
    """
    if plan.coordinate is None:
        return
    items = [tensor.item for tensor in plan.coded_by((COORDINATE,))]
    found = excess(items, sum(item.size for item in plan.coordinate.tensors), num_bytes)
    if found is not None:
        raise ModelFileError(
            f"Cannot write a model file of {num_bytes:,} bytes: {found}. "
            "Choose a smaller predictor_shape."
        )


def _blocks(items: Sequence[Item]) -> tuple[Block, ...]:
    return make_blocks([(item.name, item.shape, item.box.is_transposed) for item in items])
