"""A network of whole numbers: written, read and counted. Importing this module imports Numba.

First its shape:

- the number of bins, unless the reader knows it, see `bin_counts`;
- the number of hidden layers, less 1, as a Golomb number of order 0;
- the width of each, less 1, as a Golomb number of order 3.

Then its parameters: 4 bits for their precision, less 1, and for each tensor 8 bits for its step, 19
bits for its lowest number, and each number, counted from the lowest, in the bits of the precision.
The bits of parameters do not depend on their values, so that lambda does not change its own
counterweight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bitfold.entropy_coding.bin_counts import bin_count_bits, read_bin_count, write_bin_count
from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.fixed_point.network import (
    MAX_LAYERS,
    MAX_NUMBER,
    MAX_WIDTH,
    STEP_BITS,
    Ints,
    WholeNetwork,
)
from bitfold.entropy_coding.numbers.golomb import golomb_bits
from bitfold.entropy_coding.numbers.plain_bits import get_plain, plain_symbols
from bitfold.entropy_coding.precision import MAX_PREDICTOR_BITS
from bitfold.entropy_coding.streams import StreamReader, StreamWriter

_PRECISION_BITS, _LOWEST_BITS = 4, 19
# Orders of the Golomb numbers.
_LAYERS_ORDER, _WIDTH_ORDER = 0, 3


def write_shape(writer: StreamWriter, hidden: Sequence[int], num_bins: int | None) -> None:
    """Append the widths of hidden layers, and before them the number of bins unless it is None."""
    if num_bins is not None:
        write_bin_count(writer, num_bins)
    writer.write_golomb(len(hidden) - 1, _LAYERS_ORDER)
    for width in hidden:
        writer.write_golomb(width - 1, _WIDTH_ORDER)


def read_shape(reader: StreamReader, num_bins: int | None) -> tuple[list[int], int]:
    """Read the widths of hidden layers and the number of bins that `write_shape` wrote.

    Args:
        reader: of the stream.
        num_bins: if the stream does not hold it.
    """
    if num_bins is None:
        num_bins = read_bin_count(reader)
    num_layers = reader.read_golomb(_LAYERS_ORDER) + 1
    if num_layers > MAX_LAYERS:
        raise damaged(f"expected at most {MAX_LAYERS} layers, got {num_layers}", reader.position)
    widths = [reader.read_golomb(_WIDTH_ORDER) + 1 for _ in range(num_layers)]
    if max(widths) > MAX_WIDTH:
        raise damaged(f"expected widths up to {MAX_WIDTH}, got {max(widths)}", reader.position)
    return widths, num_bins


def shape_bits(hidden: Sequence[int], num_bins: int) -> int:
    """The bits that `write_shape` takes, with the number of bins."""
    widths = sum(golomb_bits(width - 1, _WIDTH_ORDER) for width in hidden)
    return bin_count_bits(num_bins) + golomb_bits(len(hidden) - 1, _LAYERS_ORDER) + widths


def write_parameters(writer: StreamWriter, network: WholeNetwork) -> None:
    """Append the precision, and each tensor's step, lowest number and numbers."""
    precision = network.precision_bits
    writer.write_bits(precision - 1, _PRECISION_BITS)
    for tensor, step in zip(network.tensors, network.steps, strict=True):
        lowest = int(tensor.min())
        writer.write_bits(step, STEP_BITS)
        writer.write_bits(lowest + MAX_NUMBER, _LOWEST_BITS)
        writer.write_symbols(plain_symbols(tensor.reshape(-1) - lowest, precision))


def read_parameters(reader: StreamReader, shapes: Sequence[tuple[int, ...]]) -> WholeNetwork:
    """Read the network that `write_parameters` wrote, by the shapes of its tensors."""
    precision = reader.read_bits(_PRECISION_BITS) + 1
    steps, tensors = list[int](), list[Ints]()
    for shape in shapes:
        steps.append(reader.read_bits(STEP_BITS))
        tensors.append(_read_tensor(reader, shape, precision))
    return WholeNetwork(tuple(tensors), tuple(steps), precision)


def parameter_bits(sizes: Sequence[int], precision_bits: int) -> int:
    """The bits that `write_parameters` takes for tensors of these sizes.

    Args:
        sizes: of the tensors.
        precision_bits: 2 to 16; 32 means 16.
    """
    each = min(precision_bits, MAX_PREDICTOR_BITS)
    return _PRECISION_BITS + sum(STEP_BITS + _LOWEST_BITS + each * size for size in sizes)


def _read_tensor(reader: StreamReader, shape: tuple[int, ...], precision_bits: int) -> Ints:
    lowest = reader.read_bits(_LOWEST_BITS) - MAX_NUMBER
    numbers = np.empty(math.prod(shape), np.int64)
    get_plain(reader.state, reader.words, precision_bits, numbers)
    reader.check()
    numbers += lowest
    largest = int(np.abs(numbers).max())
    if largest > MAX_NUMBER:
        raise damaged(f"expected numbers up to {MAX_NUMBER}, got {largest}", reader.position)
    return numbers.reshape(shape)
