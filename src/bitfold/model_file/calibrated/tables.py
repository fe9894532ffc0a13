"""A table of weights on a grid or a trellis, for a given lambda. Importing this imports Numba."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.adaptive_bits import new_contexts
from bitfold.entropy_coding.contexts.numbers import NUM_CONTEXTS
from bitfold.entropy_coding.contexts.tensors import Shape, flagged
from bitfold.model_file.calibrated.surgeon import round_columns
from bitfold.model_file.calibrated.trellis import round_on_trellis
from bitfold.model_file.planning.grids import OnGrid, coarse

Floats = NDArray[np.float64]

#: A step's square times the importance of the weight, over lambda; 12 / (2 ln 2) at high rates.
STEP_SHARE: Final = 8.0
# The same on a trellis, whose numbers are twice as dense; chosen on two networks' validation
# pictures, see decision 64.
_TRELLIS_SHARE: Final = 5.0
# Tables of fewer weights have no trellis: contexts of two quantisers cost more to learn than the
# trellis saves.
_LEAST_ON_TRELLIS: Final = 512
# Tables of smaller modules have none: their rows differ, and mixed predictions suit them better.
_LEAST_MODULE: Final = 2**12
# The contexts of a trellis are numbers of other rows. If the sizes of rows spread by more than this
# (standard deviation of natural logarithms), scales of rows on a grid take fewer bits.
_MOST_SPREAD: Final = 0.5
# No number may be further than 2^50 steps from 0.
_MOST_STEPS: Final = 2.0**48


@dataclass
class Known:
    """What is known of a table before it is rounded, and learned for the next lambda.

    Attributes:
        in_large: whether it is part of a module of which `is_large` holds.
        on_trellis: whether a trellis takes fewer bits than a grid; None: not known yet.
        contexts: of numbers on a trellis, which tell the costs of the next ones.
    """

    in_large: bool
    on_trellis: bool | None = None
    contexts: NDArray[np.int64] | None = None


class Table(NamedTuple):
    """A table of weights.

    Attributes:
        weights: (columns, rows), columns being inputs. More columns than ``is_used`` are not
            rounded, but make up for errors.
        factor: see `round_columns`; None: no weight makes up for another.
        importance: (rows,), of an error in each row.
        is_used: (columns,); the others get zeros.
        shape: of the tensor.
        known: is learned at each lambda.
    """

    weights: Floats
    factor: Floats | None
    importance: Floats
    is_used: NDArray[np.bool_]
    shape: Shape
    known: Known


def is_large(num_weights: int) -> bool:
    """Whether tables of a module of this size may be rounded on a trellis."""
    return num_weights >= _LEAST_MODULE


def _suits_trellis(table: Table) -> bool:
    """Whether a trellis takes fewer bits than a grid for a table."""
    if not table.known.in_large or math.prod(table.shape) < _LEAST_ON_TRELLIS:
        return False
    largest = float(np.abs(table.weights).max(initial=0.0)) or 1.0
    used = table.weights[: len(table.is_used)][table.is_used]
    squares = np.square(used / largest).sum(axis=0)
    logarithms = np.log(squares[squares > 0]) / 2
    return not len(logarithms) or float(logarithms.std()) <= _MOST_SPREAD


def rounded_table(table: Table, square: float, rate: float) -> tuple[OnGrid, Floats]:
    """Round each weight to the number with the least sum of damage and lambda times bits.

    Costs on a trellis are first those of the numbers at the lambda before.

    Args:
        table: of weights.
        square: the step's square, over lambda and its share.
        rate: lambda, what a bit is worth.

    Returns:
        The tensor on its grid, and what became of the weights (columns, rows).
    """
    known = table.known
    if known.on_trellis is None:
        known.on_trellis = _suits_trellis(table)
    share = _TRELLIS_SHARE if known.on_trellis else STEP_SHARE
    largest = float(np.abs(table.weights).max(initial=0.0))
    step = allowed_step(math.sqrt(share * rate * square), largest)
    steps = np.where(table.is_used, step, 0.0)
    weights = np.ascontiguousarray(table.weights)
    if known.on_trellis:
        together = table.shape[2] if 1 in flagged(table.shape) else 0
        prices = table.importance, steps, rate
        if known.contexts is None:
            known.contexts = new_contexts(NUM_CONTEXTS)
            round_on_trellis(weights, table.factor, prices, known.contexts, together=together)
        numbers, left = round_on_trellis(
            weights, table.factor, prices, known.contexts, together=together
        )
    else:
        both = steps, np.ones(len(table.importance))
        numbers, left = round_columns(weights, table.factor, table.importance, both, rate)
    flat = np.ascontiguousarray(numbers.T).reshape(-1)
    return OnGrid(flat, step, on_trellis=known.on_trellis), left


def allowed_step(step: float, largest: float) -> float:
    """The nearest step that a file may have; with the longest one all numbers are 0."""
    return coarse(max(min(step, 4 * largest + 2.0**-100), largest / _MOST_STEPS))
