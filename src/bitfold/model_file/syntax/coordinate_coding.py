"""The coordinate predictor in a model file's stream, and the tensors that are coded by it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bitfold.entropy_coding.fixed_point_symbols import (
    SYMBOLS_EACH,
    SYMBOLS_OUTSIDE,
    get_bins,
    plain_symbols,
    put_bins,
)
from bitfold.entropy_coding.fixed_point_syntax import (
    BINS_BITS,
    LOWEST_BITS,
    MAX_NUMBER,
    PRECISION_BITS,
    STEP_BITS,
    USUAL_BINS,
    WIDTH_ORDER,
    fixed_network,
    shapes_of,
)
from bitfold.entropy_coding.rans_kernels import read_plain
from bitfold.entropy_coding.streams import StreamReader, StreamWriter, damaged
from bitfold.errors import ModelFileError
from bitfold.kolmogorov.predictors.coordinate import MAX_LAYERS, MAX_WIDTH
from bitfold.kolmogorov.weights.fixed_coordinates import fixed_coordinates
from bitfold.kolmogorov.weights.layout import Block, make_blocks, varying_coordinates
from bitfold.model_file.syntax.plan import (
    COORDINATE,
    CoordinateNetwork,
    Ints,
    Plan,
    TensorPlan,
    compact,
)
from bitfold.model_file.syntax.recipe import most_numbers
from bitfold.model_file.syntax.structure import TRANSPOSED, Item

# Weights that are coded at a time.
_CHUNK = 2**16
# Weights times parameters that a file may ask for, and more for each byte of it: about a second's
# work for a file of a kilobyte. What is written stays far below, as parameters take bits.
_LEAST_WORK, _WORK_PER_BYTE = 2**28, 2**20
# Numbers must stay whole in float64.
_LARGEST_NUMBER = 2**53


def write_network(writer: StreamWriter, plan: Plan) -> None:
    """Number of bins, unless the grid says it, hidden widths, and the parameters."""
    network = plan.coordinate
    assert network is not None
    if plan.grid is None:
        writer.bits_of(network.num_bins != USUAL_BINS, 1)
        if network.num_bins != USUAL_BINS:
            writer.bits_of(network.num_bins - 1, BINS_BITS)
    hidden = network.hidden_widths
    writer.golomb(len(hidden) - 1, 0)
    for width in hidden:
        writer.golomb(width - 1, WIDTH_ORDER)
    precision = network.precision_bits
    writer.bits_of(precision - 1, PRECISION_BITS)
    for tensor, step in zip(network.tensors, network.steps, strict=True):
        lowest = int(tensor.min())
        writer.bits_of(step, STEP_BITS)
        writer.bits_of(lowest + MAX_NUMBER, LOWEST_BITS)
        writer.put(plain_symbols(tensor.reshape(-1) - lowest, precision))


def read_network(reader: StreamReader, plan: Plan) -> None:
    """See `write_network`; refuses one that is too large for the file."""
    num_bins = USUAL_BINS if plan.grid is None else plan.grid.num_bins
    if plan.grid is None and reader.bits_of(1):
        num_bins = reader.bits_of(BINS_BITS) + 1
    hidden = _read_widths(reader)
    if num_bins < 2 or abs(plan.first_bin(num_bins)) > _LARGEST_NUMBER:
        raise damaged("expected bins at whole numbers, got others", reader.position)
    items = [tensor.item for tensor in plan.tensors if tensor.method == COORDINATE]
    shapes = shapes_of([len(varying_coordinates(_blocks(items))), *hidden, num_bins])
    found = excess(items, sum(map(math.prod, shapes)), 2 * len(reader.words))
    if found is not None:
        raise damaged(found, reader.position)
    precision = reader.bits_of(PRECISION_BITS) + 1
    steps, tensors = list[int](), list[Ints]()
    for shape in shapes:
        steps.append(reader.bits_of(STEP_BITS))
        tensors.append(_read_tensor(reader, shape, precision))
    plan.coordinate = CoordinateNetwork(tuple(tensors), tuple(steps), precision)


class CoordinateCoder:
    """Codes the numbers of tensors, each by the frequencies of its own place.

    Source: none, ours.

    Args:
        plan: with a coordinate predictor.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.coordinate is not None
        items = [tensor.item for tensor in plan.tensors if tensor.method == COORDINATE]
        self._boxes = {item.name: number for number, item in enumerate(items)}
        self._blocks = _blocks(items)
        self._chosen = varying_coordinates(self._blocks)
        self._network = fixed_network(plan.coordinate.tensors, plan.coordinate.steps)
        self._first = plan.first_bin(plan.coordinate.num_bins)

    def write(self, writer: StreamWriter, tensor: TensorPlan) -> None:
        """A tensor's numbers."""
        last = self._first + int(self._network.widths[-1]) - 1
        for part, coordinates in self._parts(tensor.item):
            numbers = tensor.numbers[part].astype(np.int64)
            num_outside = np.count_nonzero((numbers <= self._first) | (numbers >= last))
            out = np.empty(SYMBOLS_EACH * len(numbers) + SYMBOLS_OUTSIDE * num_outside, np.uint32)
            used = put_bins(out, self._network, coordinates, numbers, self._first)
            writer.put(out[:used].copy())

    def read(self, reader: StreamReader, tensor: TensorPlan) -> None:
        """See `write`."""
        numbers = np.zeros(tensor.item.size, np.int64)
        for part, coordinates in self._parts(tensor.item):
            stream = (reader.state, reader.words)
            get_bins(stream, self._network, coordinates, numbers[part], self._first)
            reader.check()
        tensor.numbers = compact(numbers)

    def _parts(self, item: Item) -> Iterator[tuple[slice, Ints]]:
        """Parts of a tensor, and the coordinates of their weights."""
        _, inner, together = item.sides
        for start in range(0, item.size, _CHUNK):
            flat = np.arange(start, min(start + _CHUNK, item.size))
            sides = (flat // (inner * together), flat // together % inner)
            outputs, inputs = reversed(sides) if item.kind == TRANSPOSED else sides
            boxes = np.full(len(flat), self._boxes[item.name])
            located = (boxes, outputs, inputs, flat % together)
            part = slice(start, start + len(flat))
            yield part, fixed_coordinates(self._blocks, located, self._chosen)


def excess(items: Sequence[Item], num_parameters: int, num_bytes: int) -> str | None:
    """What is too much to ask for in a stream of that size, if anything is."""
    most = most_numbers(num_bytes)
    if num_parameters > most:
        return f"expected at most {most:,} parameters of a predictor, got {num_parameters:,}"
    work = sum(item.size for item in items) * num_parameters
    most = _LEAST_WORK + _WORK_PER_BYTE * num_bytes
    if work > most:
        return f"expected at most {most:,} weights times parameters, got {work:,}"
    return None


def check_readable(plan: Plan, num_bytes: int) -> None:
    """Refuse to write what a reader would refuse as too much for so small a file.

    Raises:
        ModelFileError: if the coordinate predictor is that large.
    """
    if plan.coordinate is None:
        return
    items = [tensor.item for tensor in plan.tensors if tensor.method == COORDINATE]
    found = excess(items, sum(item.size for item in plan.coordinate.tensors), num_bytes)
    if found is not None:
        raise ModelFileError(
            f"Cannot write a model file of {num_bytes:,} bytes: {found}. "
            "Choose a smaller predictor_shape."
        )


def _blocks(items: Sequence[Item]) -> tuple[Block, ...]:
    return make_blocks([(item.name, item.shape, item.kind == TRANSPOSED) for item in items])


def _read_widths(reader: StreamReader) -> list[int]:
    num_layers = reader.golomb(0) + 1
    if num_layers > MAX_LAYERS:
        raise damaged(f"expected at most {MAX_LAYERS} layers, got {num_layers}", reader.position)
    widths = [reader.golomb(WIDTH_ORDER) + 1 for _ in range(num_layers)]
    if max(widths) > MAX_WIDTH:
        raise damaged(f"expected widths up to {MAX_WIDTH}, got {max(widths)}", reader.position)
    return widths


def _read_tensor(reader: StreamReader, shape: tuple[int, ...], precision_bits: int) -> Ints:
    lowest = reader.bits_of(LOWEST_BITS) - MAX_NUMBER
    numbers = np.empty(math.prod(shape), np.int64)
    read_plain(reader.state, reader.words, precision_bits, numbers)
    reader.check()
    numbers += lowest
    if np.abs(numbers).max() > MAX_NUMBER:
        raise damaged(f"expected numbers up to {MAX_NUMBER}, got more", reader.position)
    return numbers.reshape(shape)
