"""Scales fitted to fixed weights, chosen among the scales that can be sent."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.whole_scales import (
    LEAST_OWN,
    MOST_LINE,
    MOST_OWN,
    PER_OCTAVE,
)

Floats = NDArray[np.float64]

# In bins: a weight in the bin of its location then costs 1e-7 nats, a weight beside it 16.
SCALE_FLOOR = 1 / 32
NATS_AN_EIGHTH = math.log(2) / PER_OCTAVE
# Rows, columns and the tensor are fitted in turn. More rounds changed nothing.
_ROUNDS = 4
# Rows and columns try exponents up to this size, in octaves. An octave is charged with its nats in
# the file: of two exponents that are as good, the smaller one is sent in fewer bits.
_MOST_TRIED = 6
_NATS_AN_OCTAVE = 0.7


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


def fit_tensor(numbers: NDArray[np.int64], unit: int) -> FittedScales | None:
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
    sizes = np.abs(numbers[alive[0]][:, alive[1]]).astype(float)
    own, *found = _fit_sizes(sizes, unit)
    lines = []
    for is_alive, exponents in zip(alive, found, strict=True):
        # Rows and columns without weights are not sent. With this exponent K leaves them out too.
        whole = np.full(len(is_alive), -float(MOST_LINE))
        whole[is_alive] = exponents
        lines.append(whole)
    return FittedScales(own, *lines)


def _fit_sizes(sizes: Floats, unit: int) -> tuple[int, Floats, Floats]:
    """Exponents of the tensor, of its rows and of its columns, in eighths; unit 0: no lines."""
    rows, columns = np.zeros(sizes.shape[0]), np.zeros(sizes.shape[1])
    own = _best_own(sizes, 0.0 * sizes[:, :, :1], round(math.log(sizes.mean()) / NATS_AN_EIGHTH))
    if not unit:
        return own, rows, columns
    most = _MOST_TRIED * PER_OCTAVE // unit
    tried = np.arange(-most, most + 1) * unit
    toll = _NATS_AN_OCTAVE / PER_OCTAVE * np.abs(tried)[:, None]
    for _ in range(_ROUNDS):
        base = (own + columns)[None, :, None]
        found = [_nats(sizes, base + more).sum((1, 2)) for more in tried]
        rows = tried[(np.stack(found) + toll).argmin(0)]
        base = (own + rows)[:, None, None]
        found = [_nats(sizes, base + more).sum((0, 2)) for more in tried]
        columns = tried[(np.stack(found) + toll).argmin(0)]
        own = _best_own(sizes, rows[:, None, None] + columns[None, :, None], own)
    return own, rows, columns


def _best_own(sizes: Floats, lines: Floats, near: int) -> int:
    tried = np.arange(near - 24, near + 25).clip(LEAST_OWN, MOST_OWN)
    return int(min(tried, key=lambda own: _nats(sizes, own + lines).sum()))


def _nats(sizes: Floats, exponents: Floats) -> Floats:
    """The cost of weights by their scales' exponents in eighths; see `log_mass_laplace`."""
    inverse = 1 / (np.exp(exponents * NATS_AN_EIGHTH) + SCALE_FLOOR)
    zero = -np.log(-np.expm1(-inverse / 2))
    beyond = math.log(2) - np.log(-np.expm1(-inverse)) - inverse / 2
    nats: Floats = np.where(sizes == 0, zero, beyond + sizes * inverse)
    return nats
