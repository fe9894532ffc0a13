"""Compiled passes through narrow dense layers with any elementwise activation.

They do what `dense_kernels` does, which knows leaky_relu and relu alone. Importing this module
imports Numba.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.networks.curve_kernels import activate, derive
from bitfold.networks.dense_kernels import (
    TILE,
    Network,
    add_gradients,
    add_products,
    load,
)
from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float32]


@compiled(error_model="numpy", fastmath={"contract"})
def forward_curves(
    points: Floats, network: Network, room: tuple[Floats, Floats], outputs: Floats
) -> None:
    """Evaluate all layers at all points; as `dense_kernels.forward`.

    Args:
        points: (N, I).
        network: flat parameters; widths; codes of activations, see `curve_kernels.ABS`.
        room: as there, with tiles for all points; but the sums before activations are written.
        outputs: (N, O), written.
    """
    flat, widths, codes = network
    sums, scratch = room
    rows = scratch[0]
    for first in range(0, points.shape[0], TILE):
        size = load(points, first, rows)
        kept = sums[first // TILE]
        start = row = 0
        for layer in range(codes.shape[0]):
            fan_in, fan_out = widths[layer], widths[layer + 1]
            middle, end = start + fan_out * fan_in, start + fan_out * (fan_in + 1)
            values = kept[row : row + fan_out]
            for o in range(fan_out):
                values[o] = flat[middle + o]
            add_products(flat[start:middle].reshape(fan_out, fan_in), rows, values)
            activate(values, codes[layer], rows, fan_out, TILE)
            start, row = end, row + fan_out
        for t in range(size):
            for o in range(outputs.shape[1]):
                outputs[first + t, o] = rows[o, t]


@compiled(error_model="numpy", fastmath={"contract", "reassoc"})
def backward_curves(
    points: Floats,
    network: Network,
    room: tuple[Floats, Floats],
    grad_outputs: Floats,
    grad_flat: Floats,
) -> None:
    """Compute the gradients of all parameters; as `dense_kernels.backward`.

    Args:
        points: as for `forward_curves`.
        network: as for `forward_curves`.
        room: the sums that `forward_curves` wrote; scratch memory.
        grad_outputs: (N, O).
        grad_flat: as long as the flat parameters, zeros on entry; written.
    """
    flat, widths, codes = network
    sums, scratch = room
    rows, delta, before = scratch[0], scratch[1], scratch[2]
    for first in range(0, points.shape[0], TILE):
        kept = sums[first // TILE]
        delta[: widths[-1]] = np.float32(0)  # unused points of the last tile add nothing
        for t in range(min(TILE, points.shape[0] - first)):
            for o in range(widths[-1]):
                delta[o, t] = grad_outputs[first + t, o]
        end, row = flat.shape[0], kept.shape[0]
        for layer in range(codes.shape[0] - 1, -1, -1):
            fan_in, fan_out = widths[layer], widths[layer + 1]
            start, middle, row = end - fan_out * (fan_in + 1), end - fan_out, row - fan_out
            derive(kept[row : row + fan_out], codes[layer], delta, fan_out, TILE)
            if layer > 0:
                activate(kept[row - fan_in : row], codes[layer - 1], rows, fan_in, TILE)
            else:
                load(points, first, rows)
            grad_weights = grad_flat[start:middle].reshape(fan_out, fan_in)
            add_gradients(delta, rows, grad_weights, grad_flat[middle:end])
            if layer > 0:
                before[:fan_in] = np.float32(0)
                add_products(flat[start:middle].reshape(fan_out, fan_in).T, delta, before)
                delta, before = before, delta
            end = start
