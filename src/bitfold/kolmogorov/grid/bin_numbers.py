"""Bin numbers: the bins that weights are sent as, counted from the bin nearest to 0."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import decoded_index, overshoot_bins
from bitfold.kolmogorov.grid.rounding import can_round_plainly, count_plainly
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype
from bitfold.runtime.threads import array

_LIMIT = 2.0**51
# Number of weights that are rounded at a time, which bounds the memory.
_CHUNK = 2**20


def numbers_of_values(values: Tensor, bins: Bins) -> Tensor:
    """The number of the bin that each value decodes as; bins go on beyond the range.

    Args:
        values: floating, any shape, in the units of the bins.
        bins: the grid.

    Returns:
        int64, at most 2^51 and the origin in size; NaN counts as 0.
    """
    indices = decoded_index(bins.nearest(values), overshoot_bins(values, bins))
    found: Tensor = indices.nan_to_num(0.0, _LIMIT, -_LIMIT).clamp(-_LIMIT, _LIMIT).long()
    return found - bins.origin


def numbers_of_weights(weights: Tensor, weight_range: WeightRange, subset: WeightSubset) -> Tensor:
    """The number of the bin that each weight decodes as: int64 (n,).

    Args:
        weights: floating (n,).
        weight_range: turns them into values.
        subset: these weights.
    """
    wide = weights.to(accumulation_dtype(weights.device, weights.dtype))
    return numbers_of_values(weight_range.values(wide, subset, as_sent=True), weight_range.bins)


def numbers_of_tensor(
    table: ParameterTable, weight_range: WeightRange, number: int
) -> Iterator[Tensor]:
    """The bin numbers of one tensor's weights that lie here, in consecutive parts.

    Args:
        table: the described parameters, as they are.
        weight_range: turns them into values.
        number: of the tensor.
    """
    (weights,) = table.shards.own([table.parameters[number].detach()])
    if can_round_plainly([weights]):
        steps = weight_range.steps(as_sent=True)
        step = 1.0 if steps is None else float(steps[number])
        memory = array(weights).reshape(-1)
        for numbers, _ in count_plainly(memory, step, weight_range.bins, _CHUNK):
            yield torch.from_numpy(numbers)
        return
    layout, flat = table.layout, weights.reshape(-1)
    subset = WeightSubset(layout, layout.starts[number], layout.starts[number + 1], flat.device)
    for part, some in subset.split(_CHUNK):
        yield numbers_of_weights(flat[part], weight_range, some)
