"""Compiled loops over pixels: a chain of layers, folds between neighbours, first appearances.

Arrays have the pixel last (structure of arrays), so that LLVM vectorises over pixels.
Importing this module imports Numba; the rest of the package imports it only when it samples.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bitfold.runtime.compiling import compiled

LINEAR: Final = 0
RELU: Final = 1
LEAKY_RELU: Final = 2
ABS: Final = 3

# A tile's activations of one layer should leave room for the next layer's in a core's first-level
# cache (48 KiB where this was measured).
TILE_BYTES: Final = 32_768
MIN_TILE_PX: Final = 128
MAX_TILE_PX: Final = 512


def tile_px(widest: int) -> int:
    """Choose how many pixels are carried through the layers together.

    Source: none, ours.

    Args:
        widest: widest layer, in neurons.

    Returns:
        A power of two between 128 and 512.

    >>> tile_px(10), tile_px(24), tile_px(4096)
    (512, 256, 128)
    """
    tile = MAX_TILE_PX
    while tile > MIN_TILE_PX and 4 * widest * tile > TILE_BYTES:
        tile //= 2
    return tile


class FlatChain(NamedTuple):
    """A chain of affine layers and activations as flat arrays.

    Source: none, ours.

    Args:
        weights: float32, every layer's (out, in) matrix in C order, one after the other; a layer
            with an odd number of neurons has one more row of zeros.
        biases: float32, every layer's (out,) biases, likewise.
        widths: int64 (layers + 1,), inputs first, outputs last, without the rows of zeros.
        kinds: int64 (layers,), LINEAR, RELU, LEAKY_RELU or ABS: what follows each layer.
        slopes: float32 (layers,), the slope of LEAKY_RELU below 0.
        tile: pixels carried through the layers together.
    """

    weights: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float32]
    widths: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]
    slopes: npt.NDArray[np.float32]
    tile: int


@compiled(fastmath={"contract"})
def _apply_pair(
    inputs: npt.NDArray[np.float32],
    weights: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    biases: tuple[np.float32, np.float32],
    rows: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> None:
    """Write the pre-activations of two neurons for one tile: bias + sum_i weights[i] inputs[i].

    Two neurons by four inputs at a time: 6 loads and 2 stores for 8 multiply-adds.
    """
    weights0, weights1 = weights
    bias0, bias1 = biases
    row0, row1 = rows
    num_inputs, tile = weights0.shape[0], row0.shape[0]
    for j in range(tile):
        row0[j] = bias0
        row1[j] = bias1
    rest = num_inputs % 4
    for i in range(rest):
        x0 = inputs[i]
        a0, b0 = weights0[i], weights1[i]
        for j in range(tile):
            row0[j] = row0[j] + a0 * x0[j]
            row1[j] = row1[j] + b0 * x0[j]
    for i in range(rest, num_inputs, 4):
        x0, x1, x2, x3 = inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]
        a0, a1, a2, a3 = weights0[i], weights0[i + 1], weights0[i + 2], weights0[i + 3]
        b0, b1, b2, b3 = weights1[i], weights1[i + 1], weights1[i + 2], weights1[i + 3]
        for j in range(tile):
            y0, y1, y2, y3 = x0[j], x1[j], x2[j], x3[j]
            row0[j] = row0[j] + a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3
            row1[j] = row1[j] + b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3


@compiled
def _activate(
    row: npt.NDArray[np.float32],
    kind: int,
    slope: np.float32,
    bit: int,
    words: npt.NDArray[np.uint64],
) -> None:
    """Set one bit where a pre-activation is positive, then apply the activation in place."""
    shift = np.uint64(bit)
    for j in range(words.shape[0]):
        words[j] |= np.uint64(row[j] > 0) << shift
    if kind == RELU:
        for j in range(row.shape[0]):
            row[j] = row[j] if row[j] > 0 else np.float32(0)
    elif kind == LEAKY_RELU:
        for j in range(row.shape[0]):
            row[j] = row[j] if row[j] > 0 else slope * row[j]
    else:
        for j in range(row.shape[0]):
            row[j] = abs(row[j])


@compiled
def evaluate_chain(
    points: npt.NDArray[np.float32],
    chain: FlatChain,
    values: npt.NDArray[np.float32],
    patterns: npt.NDArray[np.uint64],
) -> None:
    """Evaluate a chain at many points, with activation patterns.

    Source: none, ours.

    Args:
        points: float32 (d, N).
        chain: what to evaluate.
        values: float32 (N, outputs), written.
        patterns: uint64 (words, N), zeros on entry; neuron k becomes bit k % 64 of word k // 64.
    """
    widths, kinds, tile = chain.widths, chain.kinds, chain.tile
    source = np.zeros((widths.max() + 1, tile), np.float32)
    result = np.zeros((widths.max() + 1, tile), np.float32)
    for start in range(0, points.shape[1], tile):
        size = min(tile, points.shape[1] - start)
        source[: points.shape[0], :size] = points[:, start : start + size]
        at, bias_at, neuron = 0, 0, 0
        for layer in range(kinds.shape[0]):
            fan_in, fan_out = widths[layer], widths[layer + 1]
            for o in range(0, fan_out, 2):
                middle, end = at + fan_in, at + 2 * fan_in
                _apply_pair(
                    source,
                    (chain.weights[at:middle], chain.weights[middle:end]),
                    (chain.biases[bias_at + o], chain.biases[bias_at + o + 1]),
                    (result[o], result[o + 1]),
                )
                at = end
            bias_at += fan_out + fan_out % 2
            if kinds[layer] != LINEAR:
                for o in range(fan_out):
                    words = patterns[neuron // 64, start : start + size]
                    _activate(result[o], kinds[layer], chain.slopes[layer], neuron % 64, words)
                    neuron += 1
            source, result = result, source
        for o in range(values.shape[1]):
            for j in range(size):
                values[start + j, o] = source[o, j]


@compiled
def find_folds(
    patterns: npt.NDArray[np.uint64],
    is_first_band: bool,
    folds: npt.NDArray[np.bool_],
    is_new: npt.NDArray[np.bool_],
) -> None:
    """Mark the fold pixels of a band of rows, and the pixels whose pattern may be a new one.

    Source: none, ours.

    Args:
        patterns: uint64 (words, height + 2, width + 2), the band and one ring of pixels around it.
        is_first_band: whether the row above the band is outside the raster.
        folds: bool (height, width), written: differs from its right or lower neighbour, or, in
            the raster's left column or top row, from the ring's pixel beside it.
        is_new: bool (height, width), written: differs from its left and its upper neighbour within
            the raster. By induction in reading order, every pattern of the raster is the
            pattern of such a pixel.
    """
    num_words, height, width = patterns.shape[0], folds.shape[0], folds.shape[1]
    right = np.empty(width + 1, np.bool_)
    upper = np.empty(width, np.bool_)
    lower = np.empty(width, np.bool_)
    for row in range(-1, height):
        # right[c]: ring column c differs from column c + 1 in raster row `row`
        right[:] = False
        lower[:] = False
        for w in range(num_words):
            here, below = patterns[w, row + 1], patterns[w, row + 2]
            for c in range(width + 1):
                right[c] |= here[c] != here[c + 1]
            for c in range(width):
                lower[c] |= here[c + 1] != below[c + 1]
        if row >= 0:
            is_top = is_first_band and row == 0
            for c in range(width):
                folds[row, c] = right[c + 1] | lower[c] | (is_top & upper[c])
                is_new[row, c] = right[c] & (upper[c] | is_top)
            folds[row, 0] |= right[0]
            is_new[row, 0] = upper[0] | is_top
        upper, lower = lower, upper
