"""The weights that a decoder gets."""

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.escape import decode, overshoot_bins
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# Number of weights that are decoded at a time, which bounds the memory.
_CHUNK = 2**18


@torch.no_grad()
def decoded_weights(
    table: ParameterTable, weight_range: WeightRange, subset: WeightSubset
) -> Tensor:
    """All weights as a decoder gets them: (N,), in float64 where the device has it."""
    weights, bins = table.values(), weight_range.bins
    dtype = accumulation_dtype(weights.device, weights.dtype)
    decoded = torch.empty_like(weights, dtype=dtype)
    for part, some in subset.split(_CHUNK):
        values = weight_range.values(weights[part].to(dtype), some, as_sent=True)
        centres = decode(bins.nearest(values), overshoot_bins(values, bins), bins)
        decoded[part] = weight_range.weights(centres, some)
    return decoded
