"""Scales fitted to fixed weights, chosen among the scales that can be sent."""

import math
from functools import cache
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.whole_scales import (
    LEAST_OWN,
    MOST_LINE,
    MOST_OWN,
    PER_OCTAVE,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# In bins: a weight in the bin of its location then costs 1e-7 nats, a weight beside it 16.
SCALE_FLOOR = 1 / 32
NATS_AN_EIGHTH = math.log(2) / PER_OCTAVE
# Rows, columns and the tensor are fitted in turn. More rounds changed nothing.
_ROUNDS = 4
# Rows and columns try exponents up to this size, in octaves. An octave is charged with its nats in
# the file: of two exponents that are as good, the smaller one is sent in fewer bits.
_MOST_TRIED = 6
_NATS_AN_OCTAVE = 0.7
# The tensor's exponent is sought this far from the last one, in eighths.
_OWN_TRIED = 24
# The sum of the exponents of a tensor, a row and a column lies between these.
_LEAST = LEAST_OWN - 2 * _MOST_TRIED * PER_OCTAVE
_MOST = MOST_OWN + 2 * _MOST_TRIED * PER_OCTAVE


class FittedScales(NamedTuple):
    """Exponents of one tensor's scales, in eighths of an octave.

    Attributes:
        own: of the tensor.
        rows: (rows,), next to nothing for rows without weights.
        columns: (columns,), likewise.
    """

    own: int
    rows: Floats
    columns: Floats


def fit_tensor(numbers: Ints, unit: int) -> FittedScales | None:
    """Find the exponents that code one tensor in the fewest bits, among those that can be sent.

    The distributions are Laplace around 0. The search is coordinate descent.

    Args:
        numbers: bin numbers of the weights, 0 being the bin of 0: (rows, columns, offsets).
        unit: of the exponents of rows and columns, in eighths; 0: the tensor has a scale of its
            own alone.

    Returns:
        The exponents; None if all weights are 0.
    """
    if not numbers.any():
        return None
    alive = [np.asarray(numbers.any(axes)) for axes in ((1, 2), (0, 2))]
    if not unit:
        alive = [np.ones_like(side) for side in alive]
    own, *found = _fit(_Counts.of(numbers[alive[0]][:, alive[1]]), unit)
    lines = []
    for is_alive, exponents in zip(alive, found, strict=True):
        # Rows and columns without weights are not sent. With this exponent K leaves them out too.
        whole = np.full(len(is_alive), -float(MOST_LINE))
        whole[is_alive] = exponents
        lines.append(whole)
    return FittedScales(own, *lines)


class _Counts(NamedTuple):
    """What the cost of weights depends on, if the weights of a row and column share a scale.

    Attributes:
        zeros: number of weights that are 0: (rows, columns).
        sums: of the sizes of all weights: (rows, columns).
        together: number of weights in a row and column.
    """

    zeros: Floats
    sums: Floats
    together: int

    @classmethod
    def of(cls, numbers: Ints) -> Self:
        """Count the weights (rows, columns, offsets)."""
        sizes = np.abs(numbers)
        zeros = np.count_nonzero(sizes == 0, axis=2)
        return cls(zeros.astype(float), sizes.sum(2, dtype=float), numbers.shape[2])

    def transposed(self) -> Self:
        """Return the same with rows and columns exchanged."""
        return self._replace(zeros=self.zeros.T, sums=self.sums.T)


class _Costs(NamedTuple):
    """The cost of a weight by the exponent of its scale; see `log_mass_laplace`.

    A weight of size n > 0 costs ``other + n * inverse``.

    Attributes:
        zero: of 0, less ``other``.
        other: see above.
        inverse: 1 / scale.
    """

    zero: Floats
    other: Floats
    inverse: Floats

    @classmethod
    def at(cls, exponents: Ints) -> Self:
        """Return the costs at exponents in eighths; arrays of their shape."""
        return cls(*(item[exponents - _LEAST] for item in _all_costs()))

    def of(self, counts: _Counts) -> Floats:
        """Sum the costs of each row at each exponent: (columns, exponents) to (rows, exponents)."""
        others: Floats = counts.together * self.other.sum(0)
        return _product(counts.zeros, self.zero) + _product(counts.sums, self.inverse) + others


def _product(left: Floats, right: Floats) -> Floats:
    """The product of two matrices by PyTorch, which keeps to a training's number of threads.

    NumPy starts threads of its own, which wait for each other where cores are busy.
    """
    factors = (torch.from_numpy(np.ascontiguousarray(item)) for item in (left, right))
    product: Floats = torch.mm(*factors).numpy()
    return product


@cache
def _all_costs() -> _Costs:
    """The costs at all exponents that are tried, from `_LEAST` on."""
    inverse = 1 / (np.exp(np.arange(_LEAST, _MOST + 1) * NATS_AN_EIGHTH) + SCALE_FLOOR)
    zero = -np.log(-np.expm1(-inverse / 2))
    other = math.log(2) - np.log(-np.expm1(-inverse)) - inverse / 2
    return _Costs(zero - other, other, inverse)


def _fit(counts: _Counts, unit: int) -> tuple[int, Ints, Ints]:
    """Exponents of the tensor, of its rows and of its columns, in eighths; unit 0: no lines."""
    rows, columns = (np.zeros(length, np.int64) for length in counts.sums.shape)
    mean = counts.sums.sum() / (counts.sums.size * counts.together)
    own = _best_own(counts, 0 * (rows[:, None] + columns), round(math.log(mean) / NATS_AN_EIGHTH))
    for _ in range(_ROUNDS if unit else 0):
        rows = _best_lines(counts, own + columns, unit)
        columns = _best_lines(counts.transposed(), own + rows, unit)
        own = _best_own(counts, rows[:, None] + columns, own)
    return own, rows, columns


def _best_lines(counts: _Counts, others: Ints, unit: int) -> Ints:
    """The best exponent of each row, where those of the tensor and the columns add up to others."""
    most = _MOST_TRIED * PER_OCTAVE // unit
    tried = np.arange(-most, most + 1) * unit
    toll = _NATS_AN_OCTAVE / PER_OCTAVE * np.abs(tried)
    found = _Costs.at(others[:, None] + tried).of(counts) + toll
    best: Ints = tried[found.argmin(1)]
    return best


def _best_own(counts: _Counts, lines: Ints, near: int) -> int:
    """The best exponent of the tensor, where those of row and column add up to lines."""
    tried = np.arange(near - _OWN_TRIED, near + _OWN_TRIED + 1).clip(LEAST_OWN, MOST_OWN)
    there, of_line = np.unique(lines, return_inverse=True)
    by_line = of_line.ravel()
    gathered = [np.bincount(by_line, item.ravel()).astype(float)[None] for item in counts[:2]]
    costs = _Costs.at(there[:, None] + tried)
    alike = counts.together * (np.bincount(by_line) @ costs.other)
    found: Floats = _product(gathered[0], costs.zero) + _product(gathered[1], costs.inverse) + alike
    return int(tried[found.argmin()])
