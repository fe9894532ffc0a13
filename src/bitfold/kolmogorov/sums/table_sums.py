"""K of learned steps under Laplace distributions around 0: costs are read from a table.

`docs/decisions/0023-tables-for-learned-steps.md` tells what this saves over `scale_sums`.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import LINEAR, NEAREST, Targets
from bitfold.kolmogorov.sums.scale_sums import ScaleModel
from bitfold.runtime.memory.parameter_memory import is_plain
from bitfold.runtime.threads import array

# Logarithms of scales: below the first only the floor counts; at the last a scale spans any grid.
_LOW, _HIGH = -12.0, 12.0
# Entries for each nat of the logarithm: linear interpolation is off by at most (1/64)^2 / 8 = 3e-5
# of the second derivative, which is smaller than the cost.
_RATE = 64


def can_read_table(
    model: ScaleModel,
    bins: Bins,
    weights: Sequence[Tensor],
    steps: Sequence[float],
    targets: Targets,
) -> bool:
    """Whether tables hold the costs of these weights: on the CPU, none near an end of the grid.

    Near the ends a bin holds a tail, or a weight escapes, which needs other formulas.
    """
    is_read = targets.sharing in (LINEAR, NEAREST) and not targets.is_random
    if model.is_logistic or not is_read:
        return False
    if bins.width != 1 or not all(is_plain(item) and item.is_contiguous() for item in weights):
        return False
    least = min(-bins.minimum, bins.maximum) - 1
    for item, step in zip(weights, steps, strict=True):
        low, high = torch.aminmax(item.detach())
        # NaN fails this comparison.
        if not (-least * step <= float(low) and float(high) <= least * step):
            return False
    return True


class TableSum(NamedTuple):
    """The cost of weights, and its gradients.

    Attributes:
        total: nats, in float64.
        grad_weights: float32 (n,), by the weights.
        grad_log_steps: float64 (tensors,).
        grad_log_factors: float64, as the factors.
    """

    total: float
    grad_weights: Tensor
    grad_log_steps: Tensor
    grad_log_factors: Tensor


@torch.no_grad()
def sum_by_table(
    model: ScaleModel,
    weights: Sequence[Tensor],
    steps: Sequence[float],
    targets: Targets,
    *,
    with_gradients: bool,
) -> TableSum:
    """Sum the cost of weights in steps, with its gradients, to within 1e-4 of the sum.

    The gradient is the only array as long as the weights: allocating another one would take as long
    as the sum itself. Without gradients one of the longest tensor is enough.

    Args:
        model: the predicted distributions; locations are taken as 0.
        weights: of each tensor, contiguous float32 on the CPU; see `can_read_table`.
        steps: of each tensor; a weight divided by its step is in units of bins, and 0 is a bin.
        targets: linear or rounded. At exactly 0 the slope is 0, the mean of those on both sides.
        with_gradients: whether that by the weights is wanted; if not, it is empty.
    """
    from bitfold.kolmogorov.sums.table_kernels import sum_tensor  # noqa: PLC0415 - see can_sum_scales

    factors = array(model.log_factors.float())
    sizes = [item.numel() for item in weights]
    room_size = sum(sizes) if with_gradients else max(sizes)
    grad_weights = torch.empty(room_size, dtype=torch.float32, device="cpu")
    slopes, gradient, by_steps = array(grad_weights), np.zeros(len(factors)), []
    table = cost_table(model.floor)
    is_rounded, nats = targets.sharing == NEAREST, 0.0
    room = np.empty((4, longest_line(model.boxes)), np.float32)
    for number, (box, item) in enumerate(zip(model.boxes.tolist(), weights, strict=True)):
        start, size, in_line, together, outer, _, inner, _ = box
        slower = slice(outer, outer + size // (in_line * together)) if outer >= 0 else _NONE
        faster = slice(inner, inner + in_line) if inner >= 0 else _NONE
        lines = (float(factors[number]), factors[slower], factors[faster], together)
        start = start if with_gradients else 0
        of_lines, part = (gradient[slower], gradient[faster]), slopes[start : start + size]
        flat, unit = array(item.view(-1)), 1 / steps[number]
        found = sum_tensor(flat, unit, lines, table, is_rounded, part, of_lines, room)
        nats += found[0]
        gradient[number] += found[1]
        by_steps.append(-found[2])
    by_log_steps = torch.tensor(by_steps, dtype=torch.float64, device="cpu")
    by_weights = grad_weights if with_gradients else grad_weights.new_empty(0)
    return TableSum(nats, by_weights, by_log_steps, torch.from_numpy(gradient))


# The factors of a tensor without rows and columns: the last one, which is 1 and has no gradient.
_NONE = slice(-1, None)


def cost_table(floor: float) -> tuple[NDArray[np.float32], float, float, float]:
    """Return the table of costs as `table_kernels.sum_tensor` takes it.

    Args:
        floor: added to each scale.
    """
    return _table(floor), _LOW, float(_RATE), floor


def longest_line(boxes: NDArray[np.int64]) -> int:
    """Return the longest faster axis of all tensors; see `scale_sums.scale_table`."""
    return int(boxes[:, 2].max())


@cache
def _table(floor: float) -> NDArray[np.float32]:
    """Costs of bins by the logarithm of the scale without its floor: float32 (3, entries)."""
    logarithms = np.arange(_LOW * _RATE, _HIGH * _RATE + 1) / _RATE
    inverse = 1 / (np.exp(logarithms) + floor)
    zero = -np.log(-np.expm1(-inverse / 2))
    one = np.log(2) - np.log(-np.expm1(-inverse)) + inverse / 2
    return np.stack([zero, one - zero, inverse]).astype(np.float32)
