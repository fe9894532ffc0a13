"""The cost of all weights under a location and a scale, summed by compiled loops."""

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

# Fewest weights for a thread of their own, some milliseconds of work: PyTorch's idle threads keep
# the cores busy for about as long, while they wait for the next operation.
_PART_WEIGHTS = 2**18
# Weights whose noise is drawn in one operation.
_NOISE_CHUNK = 2**18


class ScaleModel(NamedTuple):
    """The predicted distributions of all weights.

    Attributes:
        boxes: int64 (tensors, 8), see `scale_table`.
        locations: floating (tensors,), in bins from the value 0.
        log_factors: floating, logarithms of factors; the tensors' come first, and a 0 last.
        floor: added to each scale.
        is_logistic: whether distributions are logistic rather than Laplace.
    """

    boxes: NDArray[np.int64]
    locations: Tensor
    log_factors: Tensor
    floor: float
    is_logistic: bool


class ScaleSum(NamedTuple):
    """The cost of weights, and its gradients.

    Attributes:
        total: nats, summed in float64.
        grad_values: (n,), of the values' type; empty without gradients.
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
    """The offsets of each tensor's weights and of the factors of their scales.

    A scale is the product of three factors. The vector of factors holds those of tensors, then
    those of rows, then those of columns, and last a 1 for tensors without rows and columns.

    Args:
        layout: of the module.
        first_rows: for each tensor, the number of its first row among all rows that have a factor;
            None if all weights of the tensor share one scale.
        first_columns: the same for columns.

    Returns:
        int64 (tensors, 8). Of outputs and inputs, one changes faster in memory than the other. The
        columns are: first weight; number of weights; length of the faster axis; weights that share
        output and input; first factor of the slower axis (-1 for the last factor) and the step to
        the next; first factor of the faster axis and the step.
    """
    blocks = layout.blocks
    with_rows = (block for block, row in zip(blocks, first_rows, strict=True) if row is not None)
    rows_at = len(blocks)
    columns_at = rows_at + sum(block.box.num_outputs for block in with_rows)
    table = []
    for number, (first, box, _) in enumerate(layout.held):
        row, column = first_rows[number], first_columns[number]
        outer = inner = (-1, 0)
        in_line, together = 1, max(1, box.size)
        if row is not None and column is not None:
            outer, inner = (rows_at + row, 1), (columns_at + column, 1)
            _, in_line, together = box.in_memory
            if box.is_transposed:
                outer, inner = inner, outer
            outer = (outer[0] + first, 1)
        table.append((layout.starts[number], box.size, in_line, together, *outer, *inner))
    return np.array(table, np.int64)


def can_sum_scales(subset: WeightSubset, values: Tensor, targets: Targets) -> bool:
    """Whether the compiled loops take a stretch of weights: on the CPU, shared between two bins.

    Numba takes 0.4 s to import, so the loops are imported only when such a K is computed.
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

    The result does not depend on the number of threads. The only arrays as long as the weights are
    the gradient by the values and the noise.

    Args:
        model: the predicted distributions.
        bins: the grid.
        subset: a stretch of n weights.
        values: float32 or float64 (n,) on the CPU, in the units of the bins.
        targets: linear or noise.
        with_gradients: whether to compute the gradients.
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
    """Whether the compiled loops code a subset's bins: a stretch on the CPU, without a graph."""
    is_plain = subset.device.type == "cpu" and subset.chosen is None
    return is_plain and not torch.is_grad_enabled()


@torch.no_grad()
def code_bins(model: ScaleModel, bins: Bins, subset: WeightSubset, indices: Tensor) -> Tensor:
    """The cost of bins: minus the logarithm of their masses, see `log_mass`.

    Args:
        model: the predicted distributions.
        bins: the grid.
        subset: a stretch of n weights.
        indices: int64 (k, n) on the CPU, 0 to num_bins - 1.

    Returns:
        Nats, float64 (k, n).
    """
    from bitfold.kolmogorov.sums.scale_kernels import code_stretch  # noqa: PLC0415 - see can_sum_scales

    nats = torch.empty(indices.shape, dtype=torch.float64, device="cpu")
    arrays, spreads = (array(indices), array(nats)), _spreads(model, bins)
    last = bins.num_bins - 1

    def code_part(part: tuple[int, int]) -> None:
        at = slice(part[0] - subset.start, part[1] - subset.start)
        chosen, written = (item[:, at] for item in arrays)
        code_stretch(chosen, (*part, last), model.boxes, spreads, written)

    in_order(code_part, _parts(subset, 1))
    return nats


def _spreads(model: ScaleModel, bins: Bins) -> tuple[NDArray[Any], NDArray[Any], float, bool]:
    """The model for the loops: locations in bins from the first bin, factors, floor and family."""
    locations = model.locations.double() - bins.minimum / bins.width
    factors = model.log_factors.double().exp()
    return array(locations), array(factors), model.floor, model.is_logistic


def _noisy(values: Tensor, bins: Bins, targets: Targets) -> Tensor:
    """Noisy indices (n,), drawn in order; (0,) without noise."""
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
