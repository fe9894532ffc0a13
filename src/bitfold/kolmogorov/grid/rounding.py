"""Weights rounded to whole steps by compiled loops, in one pass."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.runtime.memory.parameter_memory import is_plain
from bitfold.runtime.threads import array


def can_round_plainly(tensors: Sequence[Tensor]) -> bool:
    """Whether compiled loops can round the tensors: contiguous float32 on the CPU.

    Importing Numba takes 0.4 s, so it is imported only when such weights are rounded.
    """
    return all(is_plain(item) and item.is_contiguous() for item in tensors)


@torch.no_grad()
def round_plainly(
    weights: Sequence[Tensor], views: Sequence[NDArray[np.float32]], steps: Tensor, bins: Bins
) -> list[Tensor]:
    """Round each tensor to whole steps of its own, bit for bit as `decoded_weights` does.

    Args:
        weights: contiguous float32 tensors on the CPU.
        views: their memory, (n,) each.
        steps: floating (tensors,), as sent.
        bins: the grid, 1 apart.

    Returns:
        New tensors of the same shapes.
    """
    from bitfold.kolmogorov.grid.rounding_kernels import round_to_steps  # noqa: PLC0415 - see above

    rounded = [torch.empty_like(item) for item in weights]
    limits = (bins.minimum, bins.maximum)
    for view, result, step in zip(views, rounded, steps.double().tolist(), strict=True):
        round_to_steps(view, step, limits, result.view(-1).numpy())
    return rounded


def count_plainly(
    weights: NDArray[np.float32], step: float, bins: Bins, part: int
) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """The bin numbers of a tensor's weights, part by part, as `bin_numbers` counts them.

    Args:
        weights: (n,).
        step: of the bins in the units of the weights, as sent; 1 if the bins are in these units.
        bins: the grid.
        part: how many weights to count at a time.

    Yields:
        int64 arrays that the caller may keep, and whether all weights of the part are finite.
    """
    from bitfold.kolmogorov.grid.rounding_kernels import count_bins  # noqa: PLC0415 - see above

    rounding = _rounding(step, bins)
    for first in range(0, len(weights), part):
        some = weights[first : first + part]
        numbers = np.empty(len(some), np.int64)
        are_finite = bool(count_bins(some, rounding, numbers))
        yield numbers, are_finite


def num_outside(
    weights: NDArray[np.float32], steps: Tensor | None, sizes: Sequence[int], bins: Bins
) -> int:
    """The number of weights outside the range; see `outside.outside_count`.

    Args:
        weights: of all tensors (n,).
        steps: floating (tensors,), as sent; None: the bins are in the units of the weights.
        sizes: the number of each tensor's weights.
        bins: the grid, 1 apart where there are steps.
    """
    if steps is None:
        least, greatest = np.float32(bins.minimum), np.float32(bins.maximum)
        return int(np.count_nonzero((weights < least) | (weights > greatest)))
    from bitfold.kolmogorov.grid.rounding_kernels import count_outside  # noqa: PLC0415 - see above

    units = (1 / steps.float()).numpy()
    return int(count_outside(weights, units, np.cumsum(sizes), (bins.minimum, bins.maximum)))


def _rounding(step: float, bins: Bins) -> tuple[float, tuple[float, float], float, int, int]:
    """What `rounding_kernels.Rounding` says."""
    limits = (bins.minimum, bins.maximum)
    return 1.0 / step, limits, bins.width, bins.num_bins - 1, bins.origin


@torch.no_grad()
def slopes_plainly(weights: Tensor, rounded: Tensor, gradient: Tensor) -> float:
    """The sum of gradient times (rounded - weight), in float64; all contiguous float32."""
    from bitfold.kolmogorov.grid.rounding_kernels import sum_slopes  # noqa: PLC0415 - see above

    flat = [array(item.detach().reshape(-1)) for item in (weights, rounded, gradient)]
    total: float = sum_slopes(*flat)
    return total
