"""Scales fitted to weights that stay as they are, among those that can be sent."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.ranges import WeightRange
from bitfold.kolmogorov.scale import SCALE_FLOOR, ScalePredictor
from bitfold.kolmogorov.scale_coding import (
    LEAST_OWN,
    LINE_STEP,
    MOST_LINE,
    OWN_STEP,
    boxes_of,
    whole_numbers,
)

Floats = NDArray[np.float64]

# Rows, columns and the tensor are fitted in turn, so often: more changed nothing.
_ROUNDS = 4
# Exponents of lines that are tried, and what one of them is thought to take in nats: where two are
# as good, the smaller one is sent in fewer bits.
_MOST_TRIED = 6
_NATS_OF_EXPONENT = 0.7


@torch.no_grad()
def fit_scales(
    predictor: ScalePredictor, table: ParameterTable, weight_range: WeightRange, places: Places
) -> None:
    """Set a predictor's scales to those, among the ones that can be sent, that code shortest.

    Source: coordinate descent; none, ours.

    Args:
        predictor: centred, with Laplace distributions.
        table: the described parameters, which stay as they are.
        weight_range: turns them into values.
        places: all weights.
    """
    for number, box, lines in boxes_of(predictor, whole_numbers(table, weight_range, places)):
        if not box.any():
            continue
        alive = [group.is_alive for group in lines] or [np.ones(side, bool) for side in box.shape]
        sizes = np.abs(box[alive[0]][:, alive[1]]).astype(float)
        own, rows, columns = _fit_box(sizes, has_lines=bool(lines))
        predictor.log_scale[number] = own
        for group, found in zip(lines, (rows, columns), strict=False):
            factors = dict(predictor.named_parameters())[group.name]
            # Lines without weights are not sent; like this K keeps them without.
            whole = np.full(len(group.is_alive), -MOST_LINE * LINE_STEP)
            whole[group.is_alive] = found
            factors[group.start : group.start + len(whole)] = torch.from_numpy(whole)


def _fit_box(sizes: Floats, *, has_lines: bool) -> tuple[float, Floats, Floats]:
    """The tensor's logarithm, the rows' and the columns': sizes (rows, columns, offsets)."""
    rows, columns = np.zeros(sizes.shape[0]), np.zeros(sizes.shape[1])
    tried = np.arange(-_MOST_TRIED, _MOST_TRIED + 1) * LINE_STEP
    toll = _NATS_OF_EXPONENT * np.abs(tried / LINE_STEP)[:, None]
    own = _best_own(sizes, 0.0 * sizes[:, :, :1], math.log(sizes.mean()))
    for _ in range(_ROUNDS if has_lines else 0):
        base = (own + columns)[None, :, None]
        found = [_nats(sizes, base + more).sum((1, 2)) for more in tried]
        rows = tried[(np.stack(found) + toll).argmin(0)]
        base = (own + rows)[:, None, None]
        found = [_nats(sizes, base + more).sum((0, 2)) for more in tried]
        columns = tried[(np.stack(found) + toll).argmin(0)]
        own = _best_own(sizes, rows[:, None, None] + columns[None, :, None], own)
    return own, rows, columns


def _best_own(sizes: Floats, lines: Floats, near: float) -> float:
    middle = round(near / OWN_STEP)
    tried = np.arange(middle - 24, middle + 25).clip(LEAST_OWN, -LEAST_OWN - 1) * OWN_STEP
    return float(min(tried, key=lambda own: _nats(sizes, own + lines).sum()))


def _nats(sizes: Floats, logarithms: Floats) -> Floats:
    """What weights cost by the logarithms of their scales, see `log_mass_laplace`."""
    inverse = 1 / (np.exp(logarithms) + SCALE_FLOOR)
    zero = -np.log(-np.expm1(-inverse / 2))
    beyond = math.log(2) - np.log(-np.expm1(-inverse)) - inverse / 2
    nats: Floats = np.where(sizes == 0, zero, beyond + sizes * inverse)
    return nats
