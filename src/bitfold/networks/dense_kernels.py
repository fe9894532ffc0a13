"""Compiled forward and backward passes through narrow dense layers, one tile of points at a time.

A tile stores values feature by feature, (width, TILE), so that each innermost loop runs over points
and is vectorised. Parameters are one flat array: each layer's weights (out, in), then its biases.
Importing this module imports Numba.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float32]
Network = tuple[Floats, NDArray[np.int64], Floats]

# Points in a tile, a constant so that loops need no remainder. A row then takes 1 KiB, and the rows
# of ten neurons, their inputs and their gradients fit into a first-level cache of 32 KiB.
TILE = 256


# Inlined, with the flags of those who call: were it a function of its own, whether it is compiled
# or loaded would decide which of two optimised versions of it runs, and how sums are rounded.
@compiled(inline="always")
def add_products(weights: Floats, rows: Floats, out: Floats) -> None:
    """Add weights @ rows to out: (O, I), (I, TILE), (O, TILE).

    Two outputs and four inputs at a time: what is loaded and stored serves eight products.
    """
    num_out, num_in = weights.shape
    quads, pairs = num_in - num_in % 4, num_in - num_in % 2
    for o in range(0, num_out - 1, 2):
        for i in range(0, quads, 4):
            a, b, c, d = weights[o, i], weights[o, i + 1], weights[o, i + 2], weights[o, i + 3]
            o1 = o + 1
            e, f, g, h = weights[o1, i], weights[o1, i + 1], weights[o1, i + 2], weights[o1, i + 3]
            for t in range(TILE):
                x, y, z, w = rows[i, t], rows[i + 1, t], rows[i + 2, t], rows[i + 3, t]
                out[o, t] += a * x + b * y + c * z + d * w
                out[o1, t] += e * x + f * y + g * z + h * w
        for i in range(quads, pairs, 2):
            a, b, c, d = weights[o, i], weights[o, i + 1], weights[o + 1, i], weights[o + 1, i + 1]
            for t in range(TILE):
                x, y = rows[i, t], rows[i + 1, t]
                out[o, t] += a * x + b * y
                out[o + 1, t] += c * x + d * y
        if pairs < num_in:
            a, c = weights[o, pairs], weights[o + 1, pairs]
            for t in range(TILE):
                x = rows[pairs, t]
                out[o, t] += a * x
                out[o + 1, t] += c * x
    if num_out % 2:
        for i in range(num_in):
            a = weights[num_out - 1, i]
            for t in range(TILE):
                out[num_out - 1, t] += a * rows[i, t]


@compiled(inline="always")
def add_gradients(delta: Floats, rows: Floats, weights: Floats, biases: Floats) -> None:
    """Add delta @ rows.T to weights (O, I), and the sums of delta's rows to biases (O,)."""
    num_out, num_in = weights.shape
    quads, pairs = num_in - num_in % 4, num_in - num_in % 2
    for o in range(0, num_out - 1, 2):
        for i in range(0, quads, 4):
            a = b = c = d = e = f = g = h = np.float32(0)
            for t in range(TILE):
                p, q = delta[o, t], delta[o + 1, t]
                x, y, z, w = rows[i, t], rows[i + 1, t], rows[i + 2, t], rows[i + 3, t]
                a, b, c, d = a + p * x, b + p * y, c + p * z, d + p * w
                e, f, g, h = e + q * x, f + q * y, g + q * z, h + q * w
            for k, upper, lower in ((0, a, e), (1, b, f), (2, c, g), (3, d, h)):
                weights[o, i + k] += upper
                weights[o + 1, i + k] += lower
        for i in range(quads, pairs, 2):
            a = b = c = d = np.float32(0)
            for t in range(TILE):
                p, q, x, y = delta[o, t], delta[o + 1, t], rows[i, t], rows[i + 1, t]
                a, b, c, d = a + p * x, b + p * y, c + q * x, d + q * y
            for k, upper, lower in ((0, a, c), (1, b, d)):
                weights[o, i + k] += upper
                weights[o + 1, i + k] += lower
    for o in range(num_out):
        # What has no pair: the last input, or all inputs of the last output.
        for i in range(pairs if o < num_out - num_out % 2 else 0, num_in):
            a = np.float32(0)
            for t in range(TILE):
                a += delta[o, t] * rows[i, t]
            weights[o, i] += a
        a = np.float32(0)
        for t in range(TILE):
            a += delta[o, t]
        biases[o] += a


@compiled
def _scaled(value: np.float32, slope: np.float32) -> np.float32:
    """Return slope * value; a slope of 0 gives 0, also for what is not finite, as in PyTorch."""
    return slope * value if slope != 0 else np.float32(0)


@compiled
def _fold(values: Floats, slope: np.float32) -> None:
    """Turn a layer's sums into activations: those up to 0 are multiplied by ``slope``.

    NaN stays NaN.
    """
    for o in range(values.shape[0]):
        for t in range(TILE):
            value = values[o, t]
            values[o, t] = _scaled(value, slope) if value <= 0 else value


@compiled
def _unfold(values: Floats, slope: np.float32, delta: Floats) -> None:
    """Multiply gradients by the activation's derivative, which is ``slope`` for sums up to 0.

    Activations are up to 0 where their sums are.
    """
    for o in range(values.shape[0]):
        for t in range(TILE):
            d = delta[o, t]
            delta[o, t] = _scaled(d, slope) if values[o, t] <= 0 else d


@compiled
def load(points: Floats, first: int, rows: Floats) -> int:
    """Copy a tile of points and return their number; copies of the last point fill the tile."""
    size: int = min(TILE, points.shape[0] - first)
    for t in range(TILE):
        point = first + min(t, size - 1)
        for i in range(points.shape[1]):
            rows[i, t] = points[point, i]
    return size


@compiled(fastmath={"contract"})
def forward(points: Floats, network: Network, room: tuple[Floats, Floats], outputs: Floats) -> None:
    """Evaluate all layers at all points.

    Args:
        points: (N, I).
        network: flat parameters; widths (L + 1,) of the points and of each layer; slopes (L,) of
            each layer's activation at and below 0.
        room: activations (tiles, sum of the layers' widths, TILE), written. If there are fewer
            tiles than the points need, later tiles overwrite earlier ones. Then scratch memory (3,
            widest, TILE). Both are fastest if aligned to 64 bytes.
        outputs: (N, O), written.
    """
    flat, widths, slopes = network
    activations, scratch = room
    for first in range(0, points.shape[0], TILE):
        rows = scratch[0]
        size = load(points, first, rows)
        kept = activations[(first // TILE) % activations.shape[0]]
        start = row = 0
        for layer in range(slopes.shape[0]):
            fan_in, fan_out = widths[layer], widths[layer + 1]
            middle, end = start + fan_out * fan_in, start + fan_out * (fan_in + 1)
            values = kept[row : row + fan_out]
            for o in range(fan_out):
                values[o] = flat[middle + o]
            add_products(flat[start:middle].reshape(fan_out, fan_in), rows, values)
            _fold(values, slopes[layer])
            rows, start, row = values, end, row + fan_out
        for t in range(size):
            for o in range(outputs.shape[1]):
                outputs[first + t, o] = rows[o, t]


@compiled(fastmath={"contract", "reassoc"})
def backward(
    points: Floats,
    network: Network,
    room: tuple[Floats, Floats],
    grad_outputs: Floats,
    grad_flat: Floats,
) -> None:
    """Compute the gradients of all parameters.

    Args:
        points: as for `forward`.
        network: as for `forward`.
        room: the activations that `forward` wrote, with tiles for all points; scratch memory.
        grad_outputs: (N, O).
        grad_flat: as long as the flat parameters, zeros on entry; written.
    """
    flat, widths, slopes = network
    activations, scratch = room
    delta, before = scratch[1], scratch[2]
    for first in range(0, points.shape[0], TILE):
        kept = activations[first // TILE]
        delta[: widths[-1]] = np.float32(0)  # unused points of the last tile add nothing
        for t in range(min(TILE, points.shape[0] - first)):
            for o in range(widths[-1]):
                delta[o, t] = grad_outputs[first + t, o]
        end, row = flat.shape[0], kept.shape[0]
        for layer in range(slopes.shape[0] - 1, -1, -1):
            fan_in, fan_out = widths[layer], widths[layer + 1]
            start, middle, row = end - fan_out * (fan_in + 1), end - fan_out, row - fan_out
            _unfold(kept[row : row + fan_out], slopes[layer], delta)
            rows = kept[row - fan_in : row] if layer > 0 else scratch[0]
            if layer == 0:
                load(points, first, rows)
            grad_weights = grad_flat[start:middle].reshape(fan_out, fan_in)
            add_gradients(delta, rows, grad_weights, grad_flat[middle:end])
            if layer > 0:
                before[:fan_in] = np.float32(0)
                add_products(flat[start:middle].reshape(fan_out, fan_in).T, delta, before)
                delta, before = before, delta
            end = start
