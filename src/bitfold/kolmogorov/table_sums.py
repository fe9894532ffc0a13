"""The cost of all weights under Laplace distributions around 0, read from a table."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.kolmogorov.bins import Bins
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.scale_sums import ScaleModel, ScaleSum
from bitfold.kolmogorov.targets import LinearTargets, RoundedTargets, Targets
from bitfold.parts import array

# Beyond these the floor of the scale is all that counts, or the scale spans any grid.
_LOW, _HIGH = -12.0, 12.0
# Entries for each nat: interpolation between two is off by (1/64)^2 / 8 of the second derivative,
# which is below the cost's own size: 3e-5 of it.
_RATE = 64


def can_read_table(
    model: ScaleModel, bins: Bins, places: Places, values: Tensor, targets: Targets
) -> bool:
    """Whether the table takes these weights: all of a module's on the CPU, none near an end.

    There a bin holds a tail, or a weight is escaped: other formulas.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32 or model.is_logistic:
        return False
    if places.chosen is not None or len(places) != places.layout.num_weights:
        return False
    if type(targets) not in (LinearTargets, RoundedTargets) or len(values) == 0:
        return False
    least = min(-bins.minimum, bins.maximum) / bins.width - 1
    low, high = torch.aminmax(values)
    # False for NaN, too.
    return bins.width == 1 and -least <= float(low) and float(high) <= least


@torch.no_grad()
def sum_by_table(model: ScaleModel, places: Places, values: Tensor, targets: Targets) -> ScaleSum:
    """Sum the cost of weights, as `WeightPredictor.summed` does, to within 1e-4 of it.

    Source: none, ours.

    Args:
        model: what is predicted; its locations count as 0.
        places: all weights.
        values: float32 (n,) on the CPU, in bins, 0 being one; see `can_read_table`.
        targets: linear or rounded. At exactly 0 the slope is 0, the mean of those on both sides.
    """
    from bitfold.kolmogorov.table_kernels import sum_box  # noqa: PLC0415 - see can_sum_scales

    grad_values = torch.empty_like(values)
    factors = array(model.log_factors.float())
    gradient = np.zeros(len(factors))
    table = (_table(model.floor), _LOW, float(_RATE), model.floor)
    flat, slopes, nats = array(values), array(grad_values), 0.0
    is_rounded = isinstance(targets, RoundedTargets)
    for number, box in enumerate(model.boxes.tolist()):
        start, size, in_line, together, outer, _, inner, _ = box
        part = slice(start, start + size)
        slower = slice(outer, outer + size // (in_line * together)) if outer >= 0 else _NONE
        faster = slice(inner, inner + in_line) if inner >= 0 else _NONE
        lines = (float(factors[number]), factors[slower], factors[faster], together)
        of_lines = (gradient[slower], gradient[faster])
        found, by_own = sum_box(flat[part], lines, table, is_rounded, slopes[part], of_lines)
        nats += found
        gradient[number] += by_own
    return ScaleSum(nats, grad_values, torch.zeros(0), torch.from_numpy(gradient))


# The last factor is a 1, whose gradient nobody wants.
_NONE = slice(-1, None)


@cache
def _table(floor: float) -> NDArray[np.float32]:
    """What bins cost by the logarithm of the scale above its floor: float32 (3, entries)."""
    logarithms = np.arange(_LOW * _RATE, _HIGH * _RATE + 1) / _RATE
    inverse = 1 / (np.exp(logarithms) + floor)
    zero = -np.log(-np.expm1(-inverse / 2))
    one = np.log(2) - np.log(-np.expm1(-inverse)) + inverse / 2
    return np.stack([zero, one - zero, inverse]).astype(np.float32)
