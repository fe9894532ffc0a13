"""The hard bits of weights: the cost of each weight's nearest bin under the predictor as sent."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.options.construction import num_rest_bits
from bitfold.kolmogorov.predictors.sent_predictor import SentPredictor
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# Numbers that are not described.
_REST = "frozen", "excluded", "buffers"


class Described(NamedTuple):
    """A module's weights, and how they are coded.

    Attributes:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: gives values a cost.
    """

    table: ParameterTable
    weight_range: WeightRange
    predictor: WeightPredictor

    @torch.no_grad()
    def send_predictor(self, predictor_bits: int) -> SentPredictor:
        """Round the predictor to what a decoder gets.

        Args:
            predictor_bits: precision of its parameters.
        """
        return self.predictor.send(self.table, self.weight_range, predictor_bits)


class CodedWeights(NamedTuple):
    """The cost of coding each weight; all tensors are (n,).

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
    described: Described, as_sent: SentPredictor | None, subset: WeightSubset
) -> CodedWeights:
    """Count the bits of each weight; see `WeightPredictor.hard_bits`.

    Args:
        described: the weights and their code.
        as_sent: the predictor that a decoder has; None: the predictor as it is.
        subset: the weights to count.

    Returns:
        Everything in float64, where the device has it; NaN where a weight is not finite.
    """
    table, weight_range, predictor = described
    weights = subset.take(table.values())
    dtype = accumulation_dtype(weights.device, weights.dtype)
    parameters = None if as_sent is None else as_sent.parameters
    # One tensor for both: separate results of chunks would split the memory that the next chunk
    # needs.
    bits, escapes = weights.new_empty(2, len(weights), dtype=dtype)
    coded = CodedWeights(bits, escapes, torch.empty_like(bits, dtype=torch.bool))
    for part, some in subset.split(predictor.bits_chunk):
        values = weight_range.values(weights[part].to(dtype), some, as_sent=True)
        with torch.autocast(weights.device.type, enabled=False):
            bits[part], escapes[part] = predictor.hard_bits(some, values, parameters)
        coded.is_outside[part] = weight_range.bins.outside(values)
    return coded


def count_items(
    described: Described, predictor_bits: int, rest_bits: int, all_weights: WeightSubset
) -> dict[str, Tensor | float]:
    """Count the bits of every part that a decoder needs, by name; see `KolmogorovLoss.bits`.

    Args:
        described: the weights and their code.
        predictor_bits: precision of the predictor.
        rest_bits: precision of the numbers that are not described.
        all_weights: of the table.

    Returns:
        0-d tensors for the parts that are counted on the module's device, numbers for others.
    """
    table, weight_range, predictor = described
    as_sent = described.send_predictor(predictor_bits)
    bits, escapes = _total_bits(described, as_sent, all_weights)
    items: dict[str, Tensor | float] = {
        "weights": bits,
        "out_of_range": escapes,
        "predictor": as_sent.bits,
        "ranges": weight_range.sent_bits(are_close=predictor.has_close_steps),
    }
    if predictor.side_bits:
        items["residual_variance"] = predictor.side_bits
    rest = dict(zip(_REST, (table.frozen, table.excluded, table.buffers), strict=True))
    for item, names in rest.items():
        if names:
            items[item] = sum(num_rest_bits(values, rest_bits) for values in table.named(names))
    return items


def _total_bits(
    described: Described, as_sent: SentPredictor, all_weights: WeightSubset
) -> tuple[Tensor | float, Tensor | float]:
    """The bits of all weights and of their escapes."""
    table, weight_range, predictor = described
    found = predictor.total_bits(table, weight_range, as_sent, all_weights)
    if found is not None:
        return found
    coded = coded_weights(described, as_sent, all_weights)
    of_bins, of_escapes = table.shards.totals([coded.bits.sum(), coded.escapes.sum()])
    return of_bins, of_escapes


def rest_note(items: Mapping[str, float], rest_bits: int) -> str:
    """How frozen and excluded parameters are counted, where they outweigh all that is described.

    The frozen base of an adapter is an example: its decoder may well have it.
    """
    rest = sum(items.get(name, 0.0) for name in _REST)
    if not 2 * rest > sum(items.values()):
        return ""
    names = " and ".join(name for name in _REST if name in items)
    return f"{names}: {rest_bits} bits a number; rest_bits=0 if a decoder has them already"
