"""The hard bits: what coding each weight's nearest bin takes, under the predictor as sent."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bitfold.kolmogorov.out_of_range import decode, escape_bits, overshoot_bins
from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.ranges import WeightRange
from bitfold.kolmogorov.transmission import sent
from bitfold.kolmogorov.weight_predictor import WeightPredictor


class CodedWeights(NamedTuple):
    """What coding weights takes, one by one; all (n,).

    Attributes:
        bits: of the bin.
        escapes: of the escape code, in bits.
        is_outside: whether the weight lies outside the range, as sent.
    """

    bits: Tensor
    escapes: Tensor
    is_outside: Tensor


@torch.no_grad()
def coded_weights(
    table: ParameterTable,
    weight_range: WeightRange,
    predictor: WeightPredictor,
    predictor_bits: int,
    places: Places,
) -> CodedWeights:
    """Count what coding all weights takes, without host synchronisation.

    Source: C. E. Shannon, 1948, for -log2 of a probability; the escapes see `escape_bits`.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: gives bins a cost.
        predictor_bits: precision in which it is sent.
        places: all weights.

    Returns:
        Everything in float64, where the device has it; NaN where a weight is not finite.
    """
    weights = _exact(table.flatten())
    values = weight_range.values(weights, places, as_sent=True)
    nearest = weight_range.bins.nearest(values)
    parameters = {name: sent(item, predictor_bits) for name, item in predictor.named_parameters()}
    parts = []
    with torch.autocast(weights.device.type, enabled=False):
        for part, some in places.split(predictor.bits_chunk):
            indices = nearest[part].unsqueeze(0)
            nats = torch.func.functional_call(predictor, parameters, (some, indices))
            parts.append(nats[0])
    bits = torch.cat(parts).to(weights.dtype) / math.log(2)
    bins = weight_range.bins
    outside = (values < bins.minimum) | (values > bins.maximum)
    return CodedWeights(bits, escape_bits(values, bins), outside)


@torch.no_grad()
def decoded_weights(table: ParameterTable, weight_range: WeightRange, places: Places) -> Tensor:
    """All weights as a decoder gets them, (N,) in float64 where the device has it."""
    weights, bins = _exact(table.flatten()), weight_range.bins
    values = weight_range.values(weights, places, as_sent=True)
    centres = decode(bins.nearest(values), overshoot_bins(values, bins), bins)
    return weight_range.weights(centres, places)


def _exact(weights: Tensor) -> Tensor:
    """Weights in float64 where the device has it: bins and counts of bits then do not round."""
    return weights if weights.device.type == "mps" else weights.to(torch.float64)
