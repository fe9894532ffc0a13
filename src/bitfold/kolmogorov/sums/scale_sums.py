"""The cost of all weights under a location and a scale, by compiled loops: arrays in, sums out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import LINEAR, Targets
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.threads import array, in_order, parts_of

# A part of the weights is worth a thread of its own from this many on, some milliseconds' work: for
# as long PyTorch's idle threads keep a core busy, waiting for its next operation.
_PART_WEIGHTS = 2**18
# Weights whose noise is drawn at a time.
_NOISE_CHUNK = 2**18


class ScaleModel(NamedTuple):
    """What is predicted of all weights.

    Attributes:
        boxes: int64 (tensors, 8), see `scale_table`.
        locations: floating (tensors,), in bins from the value 0.
        log_factors: floating, the tensors' first and a 0 last.
        floor: of the scale.
        is_logistic: or Laplace.
    """

    boxes: NDArray[np.int64]
    locations: Tensor
    log_factors: Tensor
    floor: float
    is_logistic: bool


class ScaleSum(NamedTuple):
    """What weights cost, and its gradients, which are empty if they were not asked for.

    Attributes:
        total: nats, summed in float64.
        grad_values: (n,), of the values' type.
        grad_locations: float64 (tensors,).
        grad_log_factors: float64, as the factors.
    """

    total: float
    grad_values: Tensor
    grad_locations: Tensor
    grad_log_factors: Tensor


def scale_table(
    layout: Layout, first_rows: Sequence[int | None], first_columns: Sequence[int | None]
) -> NDArray[np.int64]:
    """Where each tensor's weights and the factors of their scales stand.

    A scale is the product of three factors: those of the tensors come first, then those of rows and
    those of columns, and last a 1 for tensors that have neither.

    Args:
        layout: of the module.
        first_rows: number of each tensor's first row among all that have a factor; None where its
            scale is the same for all of its weights.
        first_columns: likewise.

    Returns:
        int64 (tensors, 8): start; size; of outputs and inputs, how many of the ones that change
        faster in memory there are; weights that share both; the number of the slower ones' first
        factor, -1 for the last, and the step to the next; likewise of the faster ones'.
    """
    blocks = layout.blocks
    with_rows = (block for block, row in zip(blocks, first_rows, strict=True) if row is not None)
    rows_at = len(blocks)
    columns_at = rows_at + sum(block.num_outputs for block in with_rows)
    table = []
    for number, block in enumerate(blocks):
        row, column = first_rows[number], first_columns[number]
        outer = inner = (-1, 0)
        in_line, together = 1, block.size
        if row is not None and column is not None:
            outer, inner = (rows_at + row, 1), (columns_at + column, 1)
            in_line, together = block.num_inputs, block.num_offsets
            if block.is_transposed:
                outer, inner, in_line = inner, outer, block.num_outputs
        table.append((layout.starts[number], block.size, in_line, together, *outer, *inner))
    return np.array(table, np.int64)


def can_sum_scales(subset: WeightSubset, values: Tensor, targets: Targets) -> bool:
    """Whether the compiled loops take these weights: a stretch on the CPU, shared between two bins.

    Numba takes 0.4 s to import, so only those who compute such a K import it.
    """
    return (
        values.device.type == "cpu"
        and values.dtype in (torch.float32, torch.float64)
        and subset.chosen is None
        and targets.sharing == LINEAR
    )


@torch.no_grad()
def sum_scales(
    model: ScaleModel,
    bins: Bins,
    subset: WeightSubset,
    values: Tensor,
    targets: Targets,
    *,
    with_gradients: bool,
) -> ScaleSum:
    """Sum the cost of weights in and out of range, as `WeightPredictor.summed` does.

    The result does not depend on the number of threads. Beside the gradient by the values (and the
    noise, if there is any) nothing of the weights' number is held.

    Source: none, ours.

    Args:
        model: what is predicted.
        bins: the grid.
        subset: a stretch of n weights.
        values: float32 or float64 (n,) on the CPU, in the units of the bins.
        targets: linear or noise.
        with_gradients: whether the gradients are wanted.
    """
    from bitfold.kolmogorov.sums.scale_kernels import sum_stretch  # noqa: PLC0415 - see can_sum_scales

    grad_values = torch.empty_like(values if with_gradients else values[:0])
    largest = torch.finfo(values.dtype).max
    limits = (bins.minimum, bins.maximum, bins.width, largest, bins.num_bins - 1)
    grid = values.new_tensor(limits)
    noisy = _noisy(values, bins, targets)
    weights = (array(values), array(noisy), array(grad_values), array(grid))
    spreads = _spreads(model, bins)
    num_tensors, num_gradients = len(spreads[0]), len(spreads[0]) + len(spreads[1])
    parts = _parts(subset, num_gradients)
    gradients = np.zeros((len(parts), num_gradients))

    def sum_part(number: int) -> float:
        stretch = (*parts[number], subset.start)
        nats: float = sum_stretch(weights, stretch, model.boxes, spreads, gradients[number])
        return nats

    total = sum(in_order(sum_part, range(len(parts))))
    gradient = torch.from_numpy(gradients.sum(axis=0))
    return ScaleSum(total, grad_values, gradient[:num_tensors], gradient[num_tensors:])


def can_code_bins(subset: WeightSubset) -> bool:
    """Whether the compiled loops take these weights' bins: a stretch on the CPU, no graph."""
    is_plain = subset.device.type == "cpu" and subset.chosen is None
    return is_plain and not torch.is_grad_enabled()


@torch.no_grad()
def code_bins(model: ScaleModel, bins: Bins, subset: WeightSubset, indices: Tensor) -> Tensor:
    """The cost of bins, minus the logarithm of their masses.

    Source: none, ours; see `log_mass`.

    Args:
        model: what is predicted.
        bins: the grid.
        subset: a stretch of n weights.
        indices: int64 (k, n) on the CPU, 0 to num_bins - 1.

    Returns:
        Nats, float64 (k, n).
    """
    from bitfold.kolmogorov.sums.scale_kernels import code_stretch  # noqa: PLC0415 - see can_sum_scales

    nats = torch.empty(indices.shape, dtype=torch.float64)
    arrays, spreads = (array(indices), array(nats)), _spreads(model, bins)
    last = bins.num_bins - 1

    def code_part(part: tuple[int, int]) -> None:
        at = slice(part[0] - subset.start, part[1] - subset.start)
        chosen, written = (item[:, at] for item in arrays)
        code_stretch(chosen, (*part, last), model.boxes, spreads, written)

    in_order(code_part, _parts(subset, 1))
    return nats


def _spreads(model: ScaleModel, bins: Bins) -> tuple[NDArray[Any], NDArray[Any], float, bool]:
    """Locations in bins from the first, factors of scales, and the rest."""
    locations = model.locations.double() - bins.minimum / bins.width
    factors = model.log_factors.double().exp()
    return array(locations), array(factors), model.floor, model.is_logistic


def _noisy(values: Tensor, bins: Bins, targets: Targets) -> Tensor:
    """Noisy indices (n,), drawn in order; none (0,) if there is no noise."""
    if not targets.is_random:
        return values[:0]
    indices = torch.empty_like(values)
    for part, moved in zip(
        *(torch.split(item, _NOISE_CHUNK) for item in (values, indices)), strict=True
    ):
        moved.copy_(targets.perturb(bins.continuous_index(bins.clamp(part)))[0])
    return indices


def _parts(subset: WeightSubset, num_gradients: int) -> list[tuple[int, int]]:
    return parts_of(subset.start, subset.stop, _PART_WEIGHTS, num_gradients)
