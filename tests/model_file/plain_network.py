"""The coordinate predictor in plain Python, written from docs/file-format.md alone.

It shares no code with bitfold: Python's whole numbers cannot overflow, and nothing is rounded.
"""

import math
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

ONE = 2**30
MOST = 2**29 - 1
Shape = tuple[int, ...]


class Layer(NamedTuple):
    """Weights in steps, the step as a factor and a shift, and biases in fixed point."""

    weights: list[list[int]]
    factor: int
    shift: int
    biases: list[int]


class Tensor(NamedTuple):
    """Layer, kind, and the numbers of outputs, inputs and offsets."""

    layer: int
    kind: int
    sides: tuple[int, int, int]
    is_transposed: bool


def read_layers(d: Any, num_inputs: int, num_bins: int) -> list[Layer]:
    """Read the network of a stream."""
    hidden = [d.golomb(3) + 1 for _ in range(d.golomb(0) + 1)]
    layers, precision = [], d.bits(4) + 1
    for ins, outs in pairwise([num_inputs, *hidden, num_bins]):
        both = (read_tensor(d, n, precision) for n in (ins * outs, outs))
        (flat, factor, shift), (biases, *step) = both
        rows = [flat[ins * j : ins * (j + 1)] for j in range(outs)]
        layers.append(Layer(rows, factor, shift, [(n * step[0] << 16) >> step[1] for n in biases]))
    return layers


def read_tensor(d: Any, count: int, precision: int) -> tuple[list[int], int, int]:
    """Read a tensor's numbers of steps, and its step."""
    code, lowest = d.bits(8), d.bits(19) - 2**17
    numbers = [lowest + d.bits(precision) for _ in range(count)]
    return numbers, 8 + code % 8, 31 - code // 8


def layers_of(tensors: Sequence[Any], steps: Sequence[int]) -> list[Layer]:
    """Return a network's layers from alternating arrays of weights and biases and step codes."""
    layers = []
    for number in range(0, len(tensors), 2):
        (factor, shift), (other, away) = (
            (8 + step % 8, 31 - step // 8) for step in steps[number : number + 2]
        )
        biases = [(n * other << 16) >> away for n in tensors[number + 1].tolist()]
        layers.append(Layer(tensors[number].tolist(), factor, shift, biases))
    return layers


def tensors_of(named: Sequence[tuple[str, Shape, bool]]) -> list[Tensor]:
    """Return the positions of tensors, from name, shape and transposition."""
    found, owner, first, counts = [], "", 0, [0, 0]
    for name, shape, is_transposed in named:
        before, _, last = name.rpartition(".")
        if before != owner:
            owner, first, counts = before, first + max(counts), [0, 0]
        is_bias = "bias" in last
        one, two, *rest = (*shape, 1, 1)
        sides = (two, one) if is_transposed else (one, two)
        kind = 2**16 if is_bias else 2**15 if len(shape) < 2 else 0
        layer = first + counts[is_bias]
        found.append(Tensor(layer, kind, (*sides, math.prod(rest)), is_transposed))
        counts[is_bias] += 1
    return found


def inputs_of(tensors: Sequence[Tensor]) -> list[int]:
    """Return the indices of those of the five coordinates that the network reads."""
    many = [
        len({one.layer for one in tensors}) > 1,
        *(any(one.sides[side] > 1 for one in tensors) for side in range(3)),
        len({one.kind for one in tensors}) > 1,
    ]
    return [number for number in range(5) if many[number]] or [0]


def coordinates(tensors: Sequence[Tensor], number: int, index: int) -> list[int]:
    """Return all five coordinates of a weight, by its tensor and its index in memory."""
    layer, kind, (outputs, inputs, offsets), is_transposed = tensors[number]
    offset, rest = index % offsets, index // offsets
    output, one = divmod(rest, inputs)
    if is_transposed:
        one, output = divmod(rest, outputs)
    layers = max(tensor.layer for tensor in tensors) + 1
    places = ((layer, layers), (output, outputs), (one, inputs), (offset, offsets))
    return [*((i << 16) // max(1, n - 1) for i, n in places), kind]


def masses(layers: Sequence[Layer], values: Sequence[int]) -> list[int]:
    """Return the masses of all bins for some inputs."""
    x = list(values)
    for depth, (weights, factor, shift, biases) in enumerate(layers):
        x = [
            min(max((sum(map(int.__mul__, row, x)) * factor >> shift) + bias, -MOST), MOST)
            for row, bias in zip(weights, biases, strict=True)
        ]
        if depth < len(layers) - 1:
            x = [y if y >= 0 else (y * 5243) >> 19 for y in x]
    found, top = [], max(x)
    for z in x:
        t = (min(top - z, 22 << 16) * 94548) >> 16
        p = 7278155
        for c in (57046302, 257060388, 744163153, ONE):
            p = c - (p * (t % 2**16) >> 16)
        found.append((p >> (t >> 16)) + 1)
    return found


def starts(weights: Sequence[int]) -> list[int]:
    """Return the starts of the symbols of some masses, and 2^16."""
    left, total, found, below = 2**16 - len(weights), sum(weights), [], 0
    for number, mass in enumerate([*weights, 0]):
        found.append(number + below * left // total)
        below += mass
    return found


def symbols(of_bins: Sequence[int]) -> tuple[list[int], int]:
    """Return the masses of groups of bins, and the number of bins in a group."""
    size = 1
    while math.ceil(len(of_bins) / size) > 1024:
        size *= 2
    return [sum(of_bins[at : at + size]) for at in range(0, len(of_bins), size)], size


def read_bin(d: Any, of_bins: Sequence[int]) -> int:
    """Read a weight's bin, or the distance below the first or above the last bin."""
    groups, size = symbols(of_bins)
    index = read_symbol(d, starts(groups))
    if size > 1:
        index = index * size + read_symbol(d, starts(of_bins[index * size : (index + 1) * size]))
    if index == 0:
        return -int(d.golomb(0))
    return index + int(d.golomb(0)) if index == len(of_bins) - 1 else index


def read_symbol(d: Any, begins: Sequence[int]) -> int:
    """Read a symbol by the starts of all symbols."""
    slot = d.slot()
    found = max(number for number, start in enumerate(begins) if start <= slot)
    d.take(begins[found], begins[found + 1] - begins[found])
    return found


def as_float(bits: int) -> float:
    """Return the float32 of some bits."""
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def value(
    q: int, step: float | None, fixed: tuple[int, float, float] | None, offset: float
) -> float:
    """Return a number on its grid."""
    if fixed is None:
        assert step is not None
        return q * step + offset
    bins, low, high = fixed
    width = (high - low) / (bins - 1)
    return (q + round(-low / width)) * width + low
