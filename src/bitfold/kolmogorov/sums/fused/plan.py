"""Where a fused sum keeps what, in one stretch of float32. Importing this module imports Numba.

Numba counts the references to each array that a function is handed in a tuple, at the price of
an atomic operation each time; numbers into one array cost nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.vector_lanes import LANES

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BLOCK = 4 * LANES
"""Weights in a block: four registers, enough to hide the time that one operation takes."""

TILE = 4
"""Weights whose rows of bins are worked out together, so that a bin's column is loaded once."""

PANEL = 2 * LANES
"""Rows of bins are filled up to a multiple of this."""

_CACHE_LINE = 64


class Plan(NamedTuple):
    """Sizes, and where in the scratch memory each thing lies.

    Attributes:
        num_hidden: width of the last hidden layer, H.
        num_bins: bins.
        pitch: length of a row of bins with what fills it up.
        num_columns: H + 1 rounded up to an even number; the head's rows of bins.
        rate: 1 / T of soft targets; 0 for linear ones.
        reach: bins on each side of a weight in its window.
        window: bins in a window.
        values: (sum of widths, BLOCK), then a row of ones and, if num_columns says so, of zeros.
        hidden: the last H rows of ``values`` and what follows.
        grads: like ``values``.
        grad_hidden: like ``hidden``.
        scaled: (num_columns, BLOCK), ``hidden`` in powers of two: times log2(e).
        bounds: (BLOCK,), what no logit of a weight exceeds in size, in powers of two.
        columns: (num_columns, pitch), the head's weights for each hidden value, then its biases.
        peaks: (H + 1,), the largest size in each of these rows.
        grad_columns: like ``columns``.
        grad_trunk: like all layers but the head.
        logits: (TILE, pitch), in powers of two and less a shift, and LANES to spare.
        exponentials: likewise, 2^logits, later their gradient times their sum.
        masses: (TILE,), sums of the exponentials.
        falls: (window + window and LANES to spare), exp(-k / T) backwards, then zeros.
        rises: likewise, zeros, then exp(-k / T).
        inside: (window and LANES to spare), 1 in the window, then zeros.
        sums: (window + 1,), of the first k of exp(-k / T).
        floors: (BLOCK,), the bin at or below each weight.
        fractions: (BLOCK,), how far the weight lies above it.
        ratios: (BLOCK,), exp(-abs(1 - 2 fraction) / T).
        gates: (BLOCK,), 1 for a weight within the range, else 0.
        escapes: (BLOCK,), derivative of the cost of what overshoots the range.
        size: of the memory.
    """

    num_hidden: int
    num_bins: int
    pitch: int
    num_columns: int
    rate: float
    reach: int
    window: int
    values: int
    hidden: int
    grads: int
    grad_hidden: int
    scaled: int
    bounds: int
    columns: int
    peaks: int
    grad_columns: int
    grad_trunk: int
    logits: int
    exponentials: int
    masses: int
    falls: int
    rises: int
    inside: int
    sums: int
    floors: int
    fractions: int
    ratios: int
    gates: int
    escapes: int
    size: int


@compiled
def make_plan(widths: Ints, rate: float, reach: int) -> Plan:
    """Lay the memory out for a predictor and targets.

    Args:
        widths: coordinates, hidden layers, bins.
        rate: 1 / T of soft targets, 0 for linear ones.
        reach: bins on each side of a weight in its window.
    """
    num_hidden, num_bins = widths[-2], widths[-1]
    pitch = _rounded(num_bins, PANEL)
    num_columns = _rounded(num_hidden + 1, 2)
    window = min(2 * reach, num_bins)
    sizes = (num_hidden, num_bins, pitch, num_columns, rate, reach, window)
    before, trunk = 0, 0
    for level in range(widths.shape[0] - 2):
        before += widths[level] * BLOCK
        trunk += (widths[level] + 1) * widths[level + 1]
    blocks = _block_places(before, num_columns * BLOCK)
    head = _head_places(blocks[-1] + BLOCK, num_hidden, num_columns * pitch)
    rows = _row_places(head[-1] + _rounded(trunk, LANES), TILE * pitch + LANES, window)
    return Plan(*(sizes + blocks + head + rows))


@compiled
def _block_places(before: int, last: int) -> tuple[int, int, int, int, int, int]:
    """From ``values`` to ``bounds``; the layers before the last, and the last, have these sizes."""
    grads = before + last
    scaled = grads + before + last
    return 0, before, grads, grads + before, scaled, scaled + last


@compiled
def _head_places(columns: int, num_hidden: int, size: int) -> tuple[int, int, int, int]:
    """From ``columns``, of this size, to ``grad_trunk``."""
    peaks = columns + size
    grad_columns = peaks + _rounded(num_hidden + 1, LANES)
    return columns, peaks, grad_columns, grad_columns + size


@compiled
def _row_places(
    logits: int, size: int, window: int
) -> tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]:
    """From ``logits``, of this size, to the size of the memory."""
    masses = logits + 2 * size
    falls = masses + LANES
    rises = falls + _rounded(2 * window, LANES) + LANES
    inside = rises + _rounded(2 * window, LANES) + LANES
    sums = inside + _rounded(window, LANES)
    floors = sums + _rounded(window + 1, LANES)
    ratios, escapes = floors + 2 * BLOCK, floors + 4 * BLOCK
    tables = (falls, rises, inside, sums)
    places = (floors, floors + BLOCK, ratios, ratios + BLOCK, escapes, escapes + BLOCK)
    return (logits, logits + size, masses, *tables, *places)


@compiled
def allocate(size: int) -> Floats:
    """Return zeros that start where a line of the cache does."""
    buffer = np.zeros(size + LANES, np.float32)
    start = (-buffer.ctypes.data % _CACHE_LINE) // 4
    return buffer[start : start + size]


@compiled
def _rounded(size: int, step: int) -> int:
    return (size + step - 1) // step * step
