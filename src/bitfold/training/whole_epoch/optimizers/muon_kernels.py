"""Steps of Muon, with AdamW for what is no matrix. Importing this module imports Numba.

Source: Jordan et al. 2024, *Muon: An optimizer for hidden layers in neural networks*.
PyTorch multiplies in bfloat16; products are float32 here, so they are nearer to the formula.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined
from bitfold.training.whole_epoch.optimizers.kernels import step_adam

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

RATE, DECAY, MOMENTUM, NESTEROV, EPSILON, STEPS, LINEAR, CUBIC, QUINTIC = range(9)
"""Places in Muon's settings: float64 (9,). The last three are the coefficients of the iteration."""

NUM_SETTINGS = 9

FIRST, ROWS, COLUMNS = range(3)
"""Places in a matrix's row: its first parameter in the flat array, and its shape."""

# Sums may be split among the lanes of a vector.
_FAST = {"contract", "reassoc"}


@compiled(error_model="numpy", fastmath=_FAST)
def step_muon(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    flat: Floats, gradient: Floats, moments: Floats, count: Doubles, adamw: Doubles,
    muon: Doubles, matrices: Ints, factors: Floats, room: Floats,
) -> None:  # fmt: skip
    """Step matrices by Muon, and the parameters between them by AdamW.

    Args:
        flat: parameters (P,), changed.
        gradient: (P,).
        moments: the state (rows, P), changed; of a matrix's parameters only the first row.
        count: number of steps with this one (1,).
        adamw: settings; see `optimizers.kernels.KIND`.
        muon: settings; see `RATE`.
        matrices: (matrices, 3), in the order of the flat array; see `FIRST`.
        factors: (matrices,), each matrix's factor of the rate, by its shape.
        room: (4 * the largest matrix,), overwritten.
    """
    done = 0
    for number in range(matrices.shape[0]):
        first, rows, columns = matrices[number]
        _step_between(flat, gradient, moments, count[0], adamw, done, first)
        done = first + rows * columns
        short, long = min(rows, columns), max(rows, columns)
        size = rows * columns
        wide = room[:size].reshape(short, long)
        _begin(wide, gradient[first:done], moments[0, first:done], rows > columns, muon)
        products = room[size : 2 * size].reshape(short, long)
        gram = room[2 * size : 2 * size + short * short].reshape(short, short)
        bend = room[3 * size : 3 * size + short * short].reshape(short, short)
        for _ in range(int(muon[STEPS])):
            _iterate(wide, products, gram, bend, muon)
        _move(flat[first:done], wide, rows > columns, factors[number], muon)
    _step_between(flat, gradient, moments, count[0], adamw, done, flat.shape[0])


@inlined
def _step_between(  # noqa: PLR0917 - as above
    flat: Floats, gradient: Floats, moments: Floats, count: float, adamw: Doubles,
    first: int, end: int,
) -> None:  # fmt: skip
    step_adam(flat[first:end], gradient[first:end], moments[:, first:end], count, adamw)


@inlined
def _begin(wide: Floats, gradient: Floats, average: Floats, is_tall: bool, muon: Doubles) -> None:
    """Update the average of gradients; write the direction of the step, at norm 1 and lying."""
    keep, new = np.float32(muon[MOMENTUM]), np.float32(1 - muon[MOMENTUM])
    short, long = wide.shape
    total = 0.0
    for row in range(short):
        for column in range(long):
            place = column * short + row if is_tall else row * long + column
            slope = gradient[place]
            mean = average[place] + new * (slope - average[place])
            average[place] = mean
            value = slope + keep * (mean - slope) if muon[NESTEROV] > 0 else mean
            wide[row, column] = value
            total += np.float64(value) * np.float64(value)
    norm = np.float32(max(math.sqrt(total), muon[EPSILON]))
    for row in range(short):
        for column in range(long):
            wide[row, column] /= norm


@inlined
def _iterate(wide: Floats, products: Floats, gram: Floats, bend: Floats, muon: Doubles) -> None:
    """One Newton-Schulz iteration: X becomes a X + (b G + c G G) X, where G = X X^T."""
    short, long = wide.shape
    for row in range(short):
        for other in range(row + 1):
            total = np.float32(0)
            for column in range(long):
                total += wide[row, column] * wide[other, column]
            gram[row, other] = total
            gram[other, row] = total
    _combine(bend, gram, gram, gram, muon[CUBIC], muon[QUINTIC])
    _combine(products, wide, bend, wide, muon[LINEAR], 1.0)
    for row in range(short):
        for column in range(long):
            wide[row, column] = products[row, column]


@inlined
def _combine(  # noqa: PLR0917 - as above
    result: Floats, plain: Floats, left: Floats, right: Floats, share: float, factor: float
) -> None:
    """Write ``share * plain + factor * left @ right``."""
    part, times = np.float32(share), np.float32(factor)
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            result[row, column] = part * plain[row, column]
        for inner in range(left.shape[1]):
            scaled = times * left[row, inner]
            for column in range(result.shape[1]):
                result[row, column] += scaled * right[inner, column]


@inlined
def _move(flat: Floats, wide: Floats, is_tall: bool, factor: float, muon: Doubles) -> None:
    """Shrink a matrix's weights, and move them."""
    shrink = np.float32(1 - muon[RATE] * muon[DECAY])
    size = np.float32(muon[RATE] * np.float64(factor))
    short, long = wide.shape
    for row in range(short):
        for column in range(long):
            place = column * short + row if is_tall else row * long + column
            flat[place] = flat[place] * shrink - size * wide[row, column]
