"""Which bins weights are sent as, counted from the one nearest to 0."""

from torch import Tensor

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.escape import decoded_index, overshoot_bins
from bitfold.kolmogorov.grid.ranges import WeightRange
from bitfold.kolmogorov.weights.weight_subset import Places
from bitfold.runtime.accumulation_dtype import exact_type

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


def numbers_of(weights: Tensor, weight_range: WeightRange, places: Places) -> Tensor:
    """The same of weights as they are sent: int64 (n,).

    Args:
        weights: floating (n,).
        weight_range: turns them into values.
        places: theirs.
    """
    exact = weights.to(exact_type(weights.device, weights.dtype))
    return whole_numbers(weight_range.values(exact, places, as_sent=True), weight_range.bins)
