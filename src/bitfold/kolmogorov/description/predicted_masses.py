"""How often each value of the grid occurs among the weights, and how often it is predicted."""

from __future__ import annotations

import torch
from torch import Tensor

from bitfold.kolmogorov.description.bits import Described
from bitfold.kolmogorov.predictors.sent_predictor import SentPredictor
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype


@torch.no_grad()
def predicted_masses(
    described: Described, as_sent: SentPredictor, subset: WeightSubset, most_values: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Compare the weights with their prediction, value by value.

    Args:
        described: the weights and their code.
        as_sent: the predictor that a decoder has.
        subset: the weights to compare.
        most_values: the largest number of values; those in the middle of the weights are taken.

    Returns:
        The values (v,) in the units of the bins, ascending neighbours of the grid; the number of
        weights that have each value; and the number that is predicted, which is the sum over
        weights of the value's probability. All are float64 where the device has it.
    """
    table, weight_range, predictor = described
    weights = subset.take(table.values())
    dtype = accumulation_dtype(weights.device, weights.dtype)
    bins = weight_range.bins
    own = weight_range.values(weights.to(dtype), subset, as_sent=True)
    found = bins.nearest(own)
    numbers = _neighbours(found, most_values)
    values = bins.centres(numbers, dtype)
    counts = torch.stack([(found == number).sum() for number in numbers]).to(dtype)
    # Weights of dead rows cost nothing, whatever value they are asked for; only theirs is possible.
    is_certain = predictor.hard_bits(subset, own, as_sent.parameters)[0] == 0
    masses = []
    for number, value in zip(numbers, values, strict=True):
        bits, _ = predictor.hard_bits(subset, value.expand(len(weights)), as_sent.parameters)
        mass = torch.where(is_certain, (found == number).to(dtype), torch.exp2(-bits))
        masses.append(mass.sum())
    return values, counts, torch.stack(masses)


def _neighbours(found: Tensor, most_values: int) -> Tensor:
    """Return neighbouring numbers of the grid around the median of those that were found."""
    first = max(int(found.min()), int(found.median()) - most_values // 2)
    return torch.arange(first, min(int(found.max()), first + most_values - 1) + 1, device="cpu")
