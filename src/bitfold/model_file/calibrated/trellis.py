"""A layer's weights rounded on a trellis, one column after the other. Imports Numba.

Within a column all paths through the trellis are followed: into each state the one with the least
sum of damage and lambda times bits survives. Then the columns after it make up for the errors, as
in `surgeon`.

Source: Viterbi 1967 for the paths; Frantar & Alistarh 2022 for the columns.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.numbers import SIZES, SYMBOLS_EACH, size_context
from bitfold.entropy_coding.trellis.costs import cost_of, fill_costs, new_costs
from bitfold.entropy_coding.trellis.numbers import put_columns
from bitfold.entropy_coding.trellis.states import (
    NEXT,
    NUM_STATES,
    number_at,
    quantiser_of,
)
from bitfold.model_file.calibrated.blocks import Blocks
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Numbers beyond their column that paths look at, with what the column before says of their sizes:
# it is only to keep the end of a column from being chosen for itself alone.
_BEYOND: Final = 32
# Costs are found anew after this count of numbers.
_FRESH: Final = 256
# Further from 0 than `tables` lets a weight be.
_MOST_SIZE: Final = 2.0**50

Layer = tuple[Floats, Floats, Floats, Floats, Floats, float]
"""What is left of weights, the factor or (0, 0), its diagonal, importance, steps, lambda."""

Found = tuple[Ints, Floats]
"""All numbers, and the errors of the block's columns."""

Coder = tuple[Ints, Floats, Ints, NDArray[np.uint32]]
"""Contexts, costs, the state of the trellis and how many numbers costs have been used for; room."""

Paths = tuple[Floats, Ints, Ints, Ints]
"""Of each state the cost of its path (2, states), and the path's last two numbers (2, states, 2);
the place and the last state of each number's step into each state (n, states)."""


def round_on_trellis(
    weights: Floats,
    factor: Floats | None,
    prices: tuple[Floats, Floats, float],
    contexts: Ints,
    *,
    together: int = 1,
) -> tuple[Ints, Floats]:
    """Round a layer's weights, see `surgeon.round_columns`.

    Args:
        weights: (columns, rows), columns being inputs; those without a step are not rounded.
        factor: (columns, columns), see `surgeon.round_columns`; None: no column makes up for
            another.
        prices: the importance of an error in each row; steps of the first columns, of which 0
            means that the column gets zeros; and lambda, distortion per bit.
        contexts: `NUM_CONTEXTS` of `new_contexts`, which learn. They tell what numbers cost: the
            same weights are rounded better by contexts that know them already.
        together: number of columns that share a flag for whether they are used; 0: no flags.

    Returns:
        Whole numbers of steps (columns with steps, rows), which lie on a trellis column by column,
        and what became of the weights (columns, rows).
    """
    importance, steps, rate = prices
    num_rows = weights.shape[1]
    blocks = Blocks(weights, factor, len(steps))
    layer = (*blocks.layer, importance, steps, rate)
    ahead = 1 + -(-_BEYOND // num_rows)
    coder = (
        contexts,
        new_costs(),
        np.array([0, _FRESH, 0]),
        np.empty(num_rows * SYMBOLS_EACH, np.uint32),
    )
    paths = _new_paths(ahead * num_rows)
    for (first, end), found in blocks:
        round_block(layer, (first, end, together), found, coder, paths)
    return blocks.numbers, blocks.left


def _new_paths(count: int) -> Paths:
    return (
        np.zeros((2, NUM_STATES)),
        np.zeros((2, NUM_STATES, 2), np.int64),
        np.zeros((count, NUM_STATES), np.int64),
        np.zeros((count, NUM_STATES), np.int64),
    )


@compiled
def round_block(
    layer: Layer, block: tuple[int, int, int], found: Found, coder: Coder, paths: Paths
) -> None:
    """Round some columns, and hand their errors on to the later ones of the block."""
    layer, coder, paths = borrowed(layer), borrowed(coder), borrowed(paths)
    left, factor, pivots, _, steps, _ = layer
    numbers, errors = borrowed(found)
    first, end, together = block
    for column in range(first, end):
        if steps[column] > 0:
            _choose_column(layer, column, numbers, coder, paths)
            step, pivot = steps[column], pivots[column]
            for row in range(left.shape[1]):
                error = left[column, row] - numbers[column, row] * step
                errors[column - first, row] = error / pivot
        _learn(numbers, column, together, coder)
        for later in range(column + 1, end if len(factor) and steps[column] > 0 else 0):
            share = factor[column, later]
            for row in range(left.shape[1]):
                left[later, row] -= errors[column - first, row] * share


@inlined
def _learn(numbers: Ints, column: int, together: int, coder: Coder) -> None:
    """Learn a column; behind columns of zeros that share a flag, the state is as before them."""
    contexts, _, trellis, room = coder
    num_rows = numbers.shape[1]
    if together == 0 or column % together == 0:
        trellis[2] = trellis[0]
    used = np.ones(len(numbers), np.int64), np.ones(num_rows, np.int64), column, column + 1
    put_columns(room, numbers.reshape(-1), used, (contexts, trellis))
    trellis[1] += num_rows
    is_last = together > 0 and (column + 1) % together == 0
    if is_last and not np.any(numbers[column + 1 - together : column + 1]):
        trellis[0] = trellis[2]


@inlined
def _choose_column(layer: Layer, column: int, numbers: Ints, coder: Coder, paths: Paths) -> None:
    """Follow all paths through a column and a little further, and take the best one's numbers."""
    left, _, pivots, importance, steps, rate = layer
    contexts, costs, trellis, _ = coder
    totals, around, places, came = paths
    num_rows = left.shape[1]
    if trellis[1] >= _FRESH:
        fill_costs(contexts, costs)
        trellis[1] = 0
    _begin(totals[0], around[0], numbers, column, trellis[0])
    last = numbers[column - 1] if column > 0 else np.zeros(num_rows, np.int64)
    count = 0
    for ahead in range(column, min(column + len(places) // num_rows, len(steps))):
        if steps[ahead] == 0:
            break
        scale = (steps[ahead] / pivots[ahead]) ** 2
        for row in range(min(num_rows, num_rows + _BEYOND - count)):
            weight, damage = left[ahead, row] / steps[ahead], importance[row] * scale
            _extend(weight, (damage, rate), abs(last[row]), costs, count & 1, count, paths)
            count += 1
    state = int(np.argmin(totals[count & 1]))
    for number in range(count - 1, -1, -1):
        before = came[number, state]
        if number < num_rows:
            place = places[number, state]
            sign = -1 if left[column, number] < 0 else 1
            numbers[column, number] = sign * number_at(place, quantiser_of(before))
        state = before


@inlined
def _begin(totals: Floats, around: Ints, numbers: Ints, column: int, state: int) -> None:
    """The only path so far, and the sizes of the two numbers before."""
    flat, at = numbers.reshape(-1), column * numbers.shape[1]
    totals[:] = np.inf
    totals[state] = 0.0
    around[state, 0] = abs(flat[at - 1]) if at > 0 else 0
    around[state, 1] = abs(flat[at - 2]) if at > 1 else 0


@inlined
def _extend(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    weight: float,
    price: tuple[float, float],
    above: int,
    costs: Floats,
    now: int,
    at: int,
    paths: Paths,
) -> None:
    """Follow each path to a number, by each of the few places that it may take."""
    totals, around, places, came = paths
    damage, rate = price
    then = 1 - now
    size = min(abs(weight), _MOST_SIZE)
    totals[then] = np.inf
    for state in range(NUM_STATES):
        if totals[now, state] < np.inf:
            quantiser = quantiser_of(state)
            left, before = around[now, state, 0], around[now, state, 1]
            context = size_context(left, before, above) + SIZES * quantiser
            nearest = int((size + quantiser) * 0.5)
            for tried in range(nearest - 2, nearest + 2):
                place = tried if tried > nearest - 2 else 0
                if place < 0 or (tried == nearest - 2 and nearest <= 1):
                    continue
                number = number_at(place, quantiser)
                total = totals[now, state] + damage * (size - number) ** 2
                total += rate * cost_of(costs[context], place)
                into = NEXT[state, place & 1]
                if total < totals[then, into]:
                    totals[then, into] = total
                    places[at, into], came[at, into] = place, state
                    around[then, into, 0], around[then, into, 1] = number, left
