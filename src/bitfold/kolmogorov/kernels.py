"""Compiled cross-entropy: a few weights' rows of bins at a time, with gradients along the way.

The rows stay in the first-level cache from their logits to their last gradient, so nothing of size
weights by bins is ever written. Four weights go together, so that a column of the head is loaded
once for the four. Importing this module imports Numba.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TILE = 4
LANES = 16

# exp(x) = 2^n exp(r), n = round(x / ln 2), abs(r) <= ln(2) / 2. ln 2 is split in two so that r is
# exact (Cody & Waite 1980); the Taylor polynomial of degree 6 is off by less than
# 0.35^7 / 7! = 1.3e-7 of exp(r), which is float32's own rounding.
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# Below this 2^n has no normal float32: exp is 0 there to within 1e-37.
_SMALLEST = np.float32(-86.0)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _logits(hidden: Floats, columns: Floats, bias: Floats, rows: Floats) -> None:
    """Write bias + hidden @ columns for a tile: hidden (4, H), rows (4, B)."""
    row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
    for j in range(bias.shape[0]):
        start = bias[j]
        row0[j] = start
        row1[j] = start
        row2[j] = start
        row3[j] = start
    for h in range(columns.shape[0]):
        column = columns[h]
        f0, f1, f2, f3 = hidden[0, h], hidden[1, h], hidden[2, h], hidden[3, h]
        for j in range(bias.shape[0]):
            value = column[j]
            row0[j] += f0 * value
            row1[j] += f1 * value
            row2[j] += f2 * value
            row3[j] += f3 * value


@njit(cache=True, nogil=True, fastmath={"contract"})
def _exponentials(row: Floats, largest: np.float32, powers: NDArray[np.int32], out: Floats) -> None:
    """Write exp(row - largest), by loops that LLVM vectorises; ``powers`` is scratch."""
    for j in range(row.shape[0]):
        x = row[j] - largest
        x = x if x > _SMALLEST else _SMALLEST
        n = np.floor(x * _LOG2_E + np.float32(0.5))
        r = (x - n * _LN2_HIGH) - n * _LN2_LOW
        p = np.float32(1 / 720)
        p = p * r + np.float32(1 / 120)
        p = p * r + np.float32(1 / 24)
        p = p * r + np.float32(1 / 6)
        p = p * r + np.float32(0.5)
        p = p * r + np.float32(1)
        out[j] = p * r + np.float32(1)
        # The exponent's field of 2^n; (n + 127) 2^23 is exact, and stays in 32 bits this way.
        powers[j] = np.int32((n + np.float32(127)) * np.float32(8388608))
    two_to_n = powers.view(np.float32)
    for j in range(row.shape[0]):
        out[j] = out[j] * two_to_n[j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _sum(row: Floats) -> np.float32:
    total = np.float32(0)
    for j in range(row.shape[0]):
        total += row[j]
    return total


@njit(cache=True, nogil=True)
def _largest(row: Floats, lanes: Floats) -> np.float32:
    """Return the largest value, lane by lane: LLVM does not vectorise a maximum by itself."""
    lanes[:] = row[0]
    whole = row.shape[0] - row.shape[0] % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            value = row[start + lane]
            lanes[lane] = value if value > lanes[lane] else lanes[lane]
    largest: np.float32 = row[0]
    for lane in range(LANES):
        largest = lanes[lane] if lanes[lane] > largest else largest
    for j in range(whole, row.shape[0]):
        largest = row[j] if row[j] > largest else largest
    return largest


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _spread(
    rows: Floats, factors: Floats, column: Floats, grad_row: Floats, products: Floats
) -> None:
    """Add factors @ rows to a row of the head's gradient, and write rows @ column: both (4,)."""
    row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
    f0, f1, f2, f3 = factors[0], factors[1], factors[2], factors[3]
    p0 = p1 = p2 = p3 = np.float32(0)
    for j in range(column.shape[0]):
        x0, x1, x2, x3, value = row0[j], row1[j], row2[j], row3[j], column[j]
        grad_row[j] += f0 * x0 + f1 * x1 + f2 * x2 + f3 * x3
        p0 += x0 * value
        p1 += x1 * value
        p2 += x2 * value
        p3 += x3 * value
    products[0], products[1], products[2], products[3] = p0, p1, p2, p3


@njit(cache=True, nogil=True)
def _load(hidden: Floats, start: int, tile: Floats) -> int:
    """Copy four weights' hidden values, zeros behind the last; return how many there are."""
    size: int = min(TILE, hidden.shape[0] - start)
    tile[:] = np.float32(0)
    tile[:size] = hidden[start : start + size]
    return size


@njit(cache=True, nogil=True)
def _softmax(rows: Floats, out: Floats, inverse: Floats, size: int) -> Floats:
    """Write exp(rows - largest) and 1 / its sum, 0 behind the last weight; return logsumexps."""
    powers, lanes = np.empty(rows.shape[1], np.int32), np.empty(LANES, np.float32)
    logsumexp = np.zeros(TILE, np.float32)
    inverse[:] = np.float32(0)
    for r in range(size):
        largest = _largest(rows[r], lanes)
        _exponentials(rows[r], largest, powers, out[r])
        mass = _sum(out[r])
        inverse[r] = np.float32(1) / mass
        logsumexp[r] = largest + np.float32(math.log(mass))
    return logsumexp


@njit(cache=True, nogil=True)
def summed_rows(
    weights: tuple[Floats, Floats],
    head: tuple[Floats, Floats, Floats],
    window: tuple[NDArray[np.int64], Floats, Floats],
) -> float:
    """Sum the cross-entropy of all weights, and work out its gradients.

    Source: none, ours.

    Args:
        weights: hidden values (N, H) and their gradient (N, H), written.
        head: columns (H, B), biases (B,) and their gradient (H + 1, B), added to: columns, then
            biases.
        window: bins (window, N), shares (window, N), and the logits there (window, N), written.

    Returns:
        Nats.
    """
    hidden, grad_hidden = weights
    columns, bias, grad_head = head
    bins, shares, near = window
    num_hidden = hidden.shape[1]
    tile = np.zeros((TILE, num_hidden), np.float32)
    rows = np.empty((TILE, bias.shape[0]), np.float32)
    exponentials = np.zeros((TILE, bias.shape[0]), np.float32)
    inverse, factors, products = np.zeros((3, TILE), np.float32)
    total = 0.0
    for start in range(0, hidden.shape[0], TILE):
        size = _load(hidden, start, tile)
        _logits(tile, columns, bias, rows)
        logsumexp = _softmax(rows, exponentials, inverse, size)
        # The derivative by the logits is softmax minus shares: first the one, then the other.
        for h in range(num_hidden):
            for r in range(TILE):
                factors[r] = tile[r, h] * inverse[r]
            _spread(exponentials, factors, columns[h], grad_head[h], products)
            for r in range(size):
                grad_hidden[start + r, h] = products[r] * inverse[r]
        _spread(exponentials, inverse, bias, grad_head[num_hidden], products)
        for r in range(size):
            i = start + r
            for k in range(bins.shape[0]):
                b, share = bins[k, i], shares[k, i]
                near[k, i] = rows[r, b]
                total -= share * rows[r, b]
                for h in range(num_hidden):
                    grad_hidden[i, h] -= share * columns[h, b]
                    grad_head[h, b] -= share * tile[r, h]
                grad_head[num_hidden, b] -= share
            total += logsumexp[r]
    return total


@njit(cache=True, nogil=True)
def bin_rows(
    indices: NDArray[np.int64], hidden: Floats, columns: Floats, bias: Floats, nats: Floats
) -> None:
    """Write the code length of one given bin for each weight, -ln of its softmax probability.

    Source: none, ours.

    Args:
        indices: int64 (N,), bins.
        hidden: (N, H).
        columns: (H, B).
        bias: (B,).
        nats: (N,), written.
    """
    tile = np.zeros((TILE, hidden.shape[1]), np.float32)
    rows = np.empty((TILE, bias.shape[0]), np.float32)
    exponentials = np.zeros((TILE, bias.shape[0]), np.float32)
    inverse = np.zeros(TILE, np.float32)
    for start in range(0, hidden.shape[0], TILE):
        size = _load(hidden, start, tile)
        _logits(tile, columns, bias, rows)
        logsumexp = _softmax(rows, exponentials, inverse, size)
        for r in range(size):
            nats[start + r] = logsumexp[r] - rows[r, indices[start + r]]
