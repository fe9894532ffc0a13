"""The map of a fused sum's scratch memory: all of its arrays lie in one stretch of float32.

Numba counts the references to each array in a tuple that a function is given, with an atomic
operation each time. One array and offsets into it cost nothing.

Importing this module imports Numba.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.vector_lanes import LANES

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BATCH = 4 * LANES
"""Weights that go through the predictor together: four registers hide an operation's latency."""

TILE = 4
"""Weights whose rows of bins are computed together, so that each column is loaded only once."""

PANEL = 2 * LANES
"""Rows of bins are padded to a multiple of this."""

_CACHE_LINE = 64


class ScratchMap(NamedTuple):
    """Sizes, and the offset of each array in the scratch memory.

    Attributes:
        num_hidden: width of the last hidden layer, H.
        num_bins: number of bins.
        pitch: length of a row of bins with its padding.
        num_columns: H + 1 rounded up to an even number: columns of the last layer.
        rate: 1 / T of soft targets; 0 for linear targets.
        reach: number of near bins on each side of a weight.
        num_near: number of near bins: those among which a weight is shared.
        values: (sum of widths, BATCH), then a row of ones, then a row of zeros if num_columns is
            H + 2.
        hidden: the last H rows of ``values`` and the rows after them.
        grads: gradients by ``values``.
        grad_hidden: gradients by ``hidden``.
        scaled: (num_columns, BATCH), ``hidden`` times log2(e).
        bounds: (BATCH,), upper bounds of the sizes of each weight's logits, times log2(e).
        columns: (num_columns, pitch), the last layer's weights for each hidden value, then biases.
        peaks: (H + 1,), the largest size in each of these rows.
        grad_columns: gradients by ``columns``.
        grad_trunk: gradients by all layers but the last, flat.
        logits: (TILE, pitch), times log2(e) and minus a shift; LANES more as padding.
        exponentials: as ``logits``: 2^logits, later the gradient by the logits times their sum.
        masses: (TILE,), sums of the exponentials.
        first_logits: (pitch,), of the first weight of a stretch; see `stretches` for these six.
        steps: (pitch,), growth of the logits from one weight to the next; LANES more as padding.
        factors: (pitch,), growth of the exponentials over a tile.
        ends: (2, pitch), gradients by the logits, gathered at a stretch's first and last weight;
            LANES more as padding.
        kinks: (BATCH,), not 0 where a hidden value's side differs from that of the weight before.
        bends: (BATCH,), not 0 where a weight's coordinates are not the mean of its neighbours'.
        falls: (2 num_near, and LANES more as padding), exp(-k / T) backwards, then zeros.
        rises: as ``falls``: zeros, then exp(-k / T).
        inside: (num_near, and LANES more as padding), 1 for each near bin, then zeros.
        sums: (num_near + 1,), sums of the first k values of exp(-k / T).
        floors: (BATCH,), the bin at or below each weight.
        fractions: (BATCH,), the weight's distance above that bin.
        ratios: (BATCH,), exp(-abs(1 - 2 fraction) / T).
        gates: (BATCH,), 1 for a weight within the range, else 0.
        escapes: (BATCH,), derivative of the cost of leaving the range.
        size: of the whole memory.
    """

    num_hidden: int
    num_bins: int
    pitch: int
    num_columns: int
    rate: float
    reach: int
    num_near: int
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
    first_logits: int
    steps: int
    factors: int
    ends: int
    kinks: int
    bends: int
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
def make_map(widths: Ints, rate: float, reach: int) -> ScratchMap:
    """Return the map for a predictor and targets.

    Args:
        widths: of coordinates, hidden layers and bins.
        rate: 1 / T of soft targets, 0 for linear targets.
        reach: number of near bins on each side of a weight.
    """
    num_hidden, num_bins = widths[-2], widths[-1]
    pitch = _rounded(num_bins, PANEL)
    num_columns = _rounded(num_hidden + 1, 2)
    num_near = min(2 * reach, num_bins)
    sizes = (num_hidden, num_bins, pitch, num_columns, rate, reach, num_near)
    before, trunk = 0, 0
    for level in range(widths.shape[0] - 2):
        before += widths[level] * BATCH
        trunk += (widths[level] + 1) * widths[level + 1]
    batch = _batch_offsets(before, num_columns * BATCH)
    head = _head_offsets(batch[-1] + BATCH, num_hidden, num_columns * pitch)
    rows = _row_offsets(head[-1] + _rounded(trunk, LANES), TILE * pitch + LANES)
    stretch = _stretch_offsets(rows[-1] + LANES, pitch)
    targets = _target_offsets(stretch[-1] + BATCH, num_near)
    return ScratchMap(*(sizes + batch + head + rows + stretch + targets))


@compiled
def _batch_offsets(before: int, last: int) -> tuple[int, int, int, int, int, int]:
    """Offsets from ``values`` to ``bounds``, by the sizes of earlier layers' and last values."""
    grads = before + last
    scaled = grads + before + last
    return 0, before, grads, grads + before, scaled, scaled + last


@compiled
def _head_offsets(columns: int, num_hidden: int, size: int) -> tuple[int, int, int, int]:
    """Offsets from ``columns`` to ``grad_trunk``; ``size`` is that of ``columns``."""
    peaks = columns + size
    grad_columns = peaks + _rounded(num_hidden + 1, LANES)
    return columns, peaks, grad_columns, grad_columns + size


@compiled
def _row_offsets(logits: int, size: int) -> tuple[int, int, int]:
    """Offsets from ``logits`` to ``masses``; ``size`` is that of ``logits``."""
    return logits, logits + size, logits + 2 * size


@compiled
def _stretch_offsets(first_logits: int, pitch: int) -> tuple[int, int, int, int, int, int]:
    """Offsets from ``first_logits`` to ``bends``."""
    steps = first_logits + pitch + LANES
    factors = steps + pitch + LANES
    ends = factors + pitch
    kinks = ends + 2 * pitch + LANES
    return first_logits, steps, factors, ends, kinks, kinks + BATCH


@compiled
def _target_offsets(
    falls: int, num_near: int
) -> tuple[int, int, int, int, int, int, int, int, int, int]:
    """Offsets from ``falls`` to the end of the memory."""
    rises = falls + _rounded(2 * num_near, LANES) + LANES
    inside = rises + _rounded(2 * num_near, LANES) + LANES
    sums = inside + _rounded(num_near, LANES)
    floors = sums + _rounded(num_near + 1, LANES)
    ratios, escapes = floors + 2 * BATCH, floors + 4 * BATCH
    tables = (falls, rises, inside, sums)
    weights = (floors, floors + BATCH, ratios, ratios + BATCH, escapes, escapes + BATCH)
    return (*tables, *weights)


@compiled
def allocate(size: int) -> Floats:
    """Return zeros that are aligned to a line of the cache."""
    buffer = np.zeros(size + LANES, np.float32)
    start = (-buffer.ctypes.data % _CACHE_LINE) // 4
    return buffer[start : start + size]


@compiled
def _rounded(size: int, step: int) -> int:
    return (size + step - 1) // step * step
