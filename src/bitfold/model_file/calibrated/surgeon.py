"""A layer's weights rounded one column after the other. Importing this module imports Numba.

When a column's weights are rounded, the columns after it make up for the error as well as they
can. Each weight goes to the bin with the least sum of distortion and lambda times bits, under a
code that has adapted to all bins chosen before.

Source: Hassibi & Stork 1993 and Frantar & Alistarh 2022 (optimal brain surgeon, column by column by
the Cholesky factor); Conzelmann & Bamler 2025 (CERWU) for the rate.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.columns import (
    NUM_UNARY,
    Scratch,
    State,
    enter,
    learn,
    learn_sign,
    leave,
    new_scratch,
    new_state,
    predict,
    sign_context,
)
from bitfold.entropy_coding.mixing.tables import chance_bits
from bitfold.model_file.calibrated.blocks import Blocks
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Layer = tuple[Floats, Floats, Floats, Floats, Floats, Floats, float]
"""What is left of weights, the factor or (0, 0), its diagonal, importance, steps of columns,
factors of rows, lambda."""

Found = tuple[Ints, Floats]
"""All bins, and the errors of the block's columns."""

Coder = tuple[State, Scratch]

# Bins from the nearest one towards 0 that are tried, besides 0.
_TRIED: Final = 2
_BITS: Final = chance_bits()
_MOST_BIN: Final = 2.0**50


def round_columns(
    weights: Floats,
    factor: Floats | None,
    importance: Floats,
    steps: tuple[Floats, Floats],
    rate: float,
) -> tuple[Ints, Floats]:
    """Round a layer's weights.

    Args:
        weights: (columns, rows), columns being inputs; those without a step are not rounded, but
            make up for the errors of the others.
        factor: (columns, columns), upper triangular: the Cholesky factor of the inverse of the
            inputs' second moments. None: that of inputs with a mean square of 1 that do not
            depend on each other, for which no column makes up for another.
        importance: (rows,), of an error in each row.
        steps: of the first columns, and a factor for each row. A step of 0: the column gets zeros.
        rate: lambda, distortion per bit.

    Returns:
        Bins (columns with steps, rows), and what became of the weights (columns, rows).
    """
    blocks = Blocks(weights, factor, len(steps[0]))
    layer = (*blocks.layer, importance, *steps, rate)
    coder = (new_state(weights.shape[1]), new_scratch())
    for block, found in blocks:
        round_block(layer, block, found, coder)
    return blocks.numbers, blocks.left


@compiled
def round_block(layer: Layer, block: tuple[int, int], found: Found, coder: Coder) -> None:
    """Round some columns, and hand their errors on to the later ones of the block."""
    left, factor, pivots, importance, steps, factors, rate = borrowed(layer)
    numbers, errors = borrowed(found)
    state, scratch = borrowed(coder)
    first, end = block
    num_rows = left.shape[1]
    nothing = np.zeros(num_rows, np.int64)
    for column in range(first, end):
        step, pivot = steps[column], pivots[column]
        last = numbers[column - 1] if column > 0 else nothing
        before = numbers[column - 2] if column > 1 else nothing
        own, error = numbers[column], errors[column - first]
        for row in range(num_rows):
            if step > 0:
                width = step * factors[row]
                weight = left[column, row] / width
                damage = importance[row] * (width / pivot) ** 2
                enter(state, scratch, (own, last, before), row)
                own[row] = _choose(state, scratch, weight, damage, rate)
                _learn(state, scratch, last, own, row)
                error[row] = (left[column, row] - own[row] * width) / pivot
        for later in range(column + 1, end if len(factor) else 0):
            share = factor[column, later]
            for row in range(num_rows):
                left[later, row] -= error[row] * share


@inlined
def _choose(state: State, scratch: Scratch, weight: float, damage: float, rate: float) -> int:
    """The bin with the least sum of damage and rate; all bits up to it are predicted then."""
    size = min(abs(weight), _MOST_BIN)
    nearest = int(size + 0.5)
    best, least, bits = 0, np.inf, 0.0
    for bin_size in range(min(nearest, NUM_UNARY + 1) + 1):
        stop, onward = 1.0, 1.0
        if bin_size < NUM_UNARY:
            chance = predict(state, scratch, bin_size)
            stop, onward = _BITS[(65536 - chance) >> 4], _BITS[chance >> 4]
        if bin_size == 0 or bin_size >= nearest - _TRIED:
            all_bits = bits + stop + (1.0 if bin_size else 0.0)
            cost = damage * (size - bin_size) ** 2 + rate * all_bits
            if cost < least:
                best, least = bin_size, cost
        bits += onward
    if nearest > NUM_UNARY:
        best = nearest  # so far away, a bin less hardly saves bits
    return -best if weight < 0 else best


@inlined
def _learn(state: State, scratch: Scratch, last: Ints, own: Ints, row: int) -> None:
    size = abs(own[row])
    for place in range(min(size + 1, NUM_UNARY)):
        learn(state, scratch, place, 1 if size > place else 0)
    if size:
        learn_sign(state, sign_context(last, own, row), 1 if own[row] < 0 else 0)
    leave(state, size, row)
