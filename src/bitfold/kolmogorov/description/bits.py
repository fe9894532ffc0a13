"""The hard bits: what coding each weight's nearest bin takes, under the predictor as sent."""

from typing import NamedTuple

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.ranges import WeightRange
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.predictors.scale_quantisation import as_parameters, code_scales
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype


class SentPredictor(NamedTuple):
    """A predictor as a decoder gets it.

    Attributes:
        parameters: by name, see `WeightPredictor.hard_bits`.
        bits: that they take.
    """

    parameters: dict[str, Tensor]
    bits: Tensor | float


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
def sent_predictor(
    table: ParameterTable,
    weight_range: WeightRange,
    predictor: WeightPredictor,
    predictor_bits: int,
) -> SentPredictor:
    """What is sent of a predictor: whole scales (`code_scales`), or what it says itself.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: learned.
        predictor_bits: precision in which it is sent.
    """
    if isinstance(predictor, ScalePredictor):
        from bitfold.entropy_coding.scales.syntax import scale_bits  # noqa: PLC0415 - imports Numba

        scales = code_scales(predictor, table, weight_range, predictor_bits)
        return SentPredictor(as_parameters(predictor, scales), scale_bits(scales))
    return SentPredictor(predictor.sent(predictor_bits), predictor.sending_bits(predictor_bits))


@torch.no_grad()
def coded_weights(
    table: ParameterTable,
    weight_range: WeightRange,
    predictor: WeightPredictor,
    as_sent: SentPredictor | None,
    subset: WeightSubset,
) -> CodedWeights:
    """Count what coding weights takes.

    Source: none, ours; see `WeightPredictor.hard_bits`.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: gives bins a cost.
        as_sent: what a decoder has of it; None: it as it is.
        subset: the weights.

    Returns:
        Everything in float64, where the device has it; NaN where a weight is not finite.
    """
    weights, bins = subset.take(table.values()), weight_range.bins
    exact = accumulation_dtype(weights.device, weights.dtype)
    parameters = None if as_sent is None else as_sent.parameters
    # Taken in one piece: parts that stay would leave no room between them for the next chunk's.
    bits, escapes = weights.new_empty(2, len(weights), dtype=exact)
    coded = CodedWeights(bits, escapes, torch.empty_like(bits, dtype=torch.bool))
    for part, some in subset.split(predictor.bits_chunk):
        values = weight_range.values(weights[part].to(exact), some, as_sent=True)
        with torch.autocast(weights.device.type, enabled=False):
            bits[part], escapes[part] = predictor.hard_bits(some, values, parameters)
        coded.is_outside[part] = bins.outside(values)
    return coded
