"""Weights rounded to whole steps by compiled loops, in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.runtime.parameter_memory import is_plain
from bitfold.runtime.threads import array


def can_round_plainly(tensors: Sequence[Tensor]) -> bool:
    """Whether compiled loops can round the tensors: contiguous float32 on the CPU.

    Importing Numba takes 0.4 s, so it is imported only when such weights are rounded.
    """
    return all(is_plain(item) and item.is_contiguous() for item in tensors)


@torch.no_grad()
def round_plainly(weights: Sequence[Tensor], steps: Tensor, bins: Bins) -> list[Tensor]:
    """Round each tensor to whole steps of its own, bit for bit as `decoded_weights` does.

    Args:
        weights: contiguous float32 tensors on the CPU.
        steps: floating (tensors,), as sent.
        bins: the grid, 1 apart.

    Returns:
        New tensors of the same shapes.
    """
    from bitfold.kolmogorov.grid.rounding_kernels import round_to_steps  # noqa: PLC0415 - see above

    rounded = [torch.empty_like(item) for item in weights]
    for item, result, step in zip(weights, rounded, steps.double().tolist(), strict=True):
        limits = (bins.minimum, bins.maximum)
        round_to_steps(array(item.view(-1)), step, limits, array(result.view(-1)))
    return rounded


@torch.no_grad()
def slopes_plainly(weights: Tensor, rounded: Tensor, gradient: Tensor) -> float:
    """The sum of gradient times (rounded - weight), in float64; all contiguous float32."""
    from bitfold.kolmogorov.grid.rounding_kernels import sum_slopes  # noqa: PLC0415 - see above

    flat = [array(item.detach().reshape(-1)) for item in (weights, rounded, gradient)]
    total: float = sum_slopes(*flat)
    return total
