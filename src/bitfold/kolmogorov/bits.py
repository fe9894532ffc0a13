"""The hard bits: what coding each weight's nearest bin takes, under the predictor as sent."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from bitfold.kolmogorov.exact import exact_type
from bitfold.kolmogorov.out_of_range import decode, overshoot_bins
from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.ranges import WeightRange
from bitfold.kolmogorov.scale_coding import code_scales, has_coded_scales
from bitfold.kolmogorov.weight_predictor import WeightPredictor

# How many weights are decoded at a time, which bounds the memory.
_CHUNK = 2**18


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
    predictor_bits: int | None,
    places: Places,
) -> CodedWeights:
    """Count what coding weights takes, without host synchronisation.

    Source: none, ours; see `WeightPredictor.hard_bits`.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: gives bins a cost.
        predictor_bits: precision in which it is sent; None: as it is.
        places: the weights.

    Returns:
        Everything in float64, where the device has it; NaN where a weight is not finite.
    """
    weights, bins = places.take(table.values()), weight_range.bins
    exact = exact_type(weights.device, weights.dtype)
    as_sent, is_dead = _as_sent(table, weight_range, predictor, predictor_bits)
    # Whole exponents are given to the formulas: they have no integer tables yet.
    by_formula = partial(WeightPredictor.hard_bits, predictor)
    hard_bits = predictor.hard_bits if is_dead is None else by_formula
    # Taken in one piece: parts that stay would leave no room between them for the next chunk's.
    bits, escapes = weights.new_empty(2, len(weights), dtype=exact)
    coded = CodedWeights(bits, escapes, torch.empty_like(bits, dtype=torch.bool))
    for part, some in places.split(predictor.bits_chunk):
        values = weight_range.values(weights[part].to(exact), some, as_sent=True)
        with torch.autocast(weights.device.type, enabled=False):
            bits[part], escapes[part] = hard_bits(some, values, as_sent)
        coded.is_outside[part] = bins.outside(values)
        if is_dead is not None:
            bits[part].masked_fill_(some.take(is_dead), 0)
            escapes[part].masked_fill_(some.take(is_dead), 0)
    return coded


def predictor_sent_bits(
    table: ParameterTable,
    weight_range: WeightRange,
    predictor: WeightPredictor,
    predictor_bits: int,
) -> Tensor | float:
    """Bits of a predictor as it is sent: whole exponents (`code_scales`), or as it says itself.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: learned.
        predictor_bits: of each number.
    """
    if has_coded_scales(predictor):
        return code_scales(predictor, table, weight_range, table.places()).bits
    return predictor.sending_bits(predictor_bits)


def _as_sent(
    table: ParameterTable,
    weight_range: WeightRange,
    predictor: WeightPredictor,
    predictor_bits: int | None,
) -> tuple[dict[str, Tensor] | None, Tensor | None]:
    """What a decoder gets of a predictor, and which weights need no code, if any can."""
    if predictor_bits is None:
        return None, None
    if has_coded_scales(predictor):
        scales = code_scales(predictor, table, weight_range, table.places())
        return scales.parameters, scales.is_dead.to(table.device)
    return predictor.sent(predictor_bits), None


@torch.no_grad()
def decoded_weights(table: ParameterTable, weight_range: WeightRange, places: Places) -> Tensor:
    """All weights as a decoder gets them, (N,) in float64 where the device has it."""
    weights, bins = table.values(), weight_range.bins
    exact = exact_type(weights.device, weights.dtype)
    decoded = torch.empty_like(weights, dtype=exact)
    for part, some in places.split(_CHUNK):
        values = weight_range.values(weights[part].to(exact), some, as_sent=True)
        centres = decode(bins.nearest(values), overshoot_bins(values, bins), bins)
        decoded[part] = weight_range.weights(centres, some)
    return decoded
