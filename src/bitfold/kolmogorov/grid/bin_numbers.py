"""Which bins weights are sent as, counted from the one nearest to 0."""

from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import decoded_index, overshoot_bins
from bitfold.kolmogorov.grid.ranges import WeightRange
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

_LIMIT = 2.0**51


def whole_numbers(values: Tensor, bins: Bins) -> Tensor:
    """How many bins from the one nearest to 0 each value is decoded at, beyond the range too.

    Args:
        values: floating, any shape, in the units of the bins.
        bins: the grid.

    Returns:
        int64, at most 2^51 and the origin in size; NaN counts as 0.
    """
    indices = decoded_index(bins.nearest(values), overshoot_bins(values, bins))
    found: Tensor = indices.nan_to_num(0.0, _LIMIT, -_LIMIT).clamp(-_LIMIT, _LIMIT).long()
    return found - bins.origin


def numbers_of(weights: Tensor, weight_range: WeightRange, subset: WeightSubset) -> Tensor:
    """The same of weights as they are sent: int64 (n,).

    Args:
        weights: floating (n,).
        weight_range: turns them into values.
        subset: theirs.
    """
    exact = weights.to(accumulation_dtype(weights.device, weights.dtype))
    return whole_numbers(weight_range.values(exact, subset, as_sent=True), weight_range.bins)
