"""The number of weights outside the range of the bins."""

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.rounding import num_outside
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


@torch.no_grad()
def outside_count(
    table: ParameterTable, weight_range: WeightRange, all_weights: WeightSubset
) -> Tensor:
    """Count the weights outside the range as a decoder has it, on all processes.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        all_weights: of the table.

    Returns:
        int64, 0-d, on the module's device. Weights that are not finite do not count in learned
        steps; in a fixed range infinite ones do.
    """
    plain = table.plain_values()
    if plain is not None:
        steps = weight_range.steps(as_sent=True)
        found = num_outside(plain, steps, table.held_sizes, weight_range.bins)
        outside = torch.tensor(found, device="cpu")
    else:
        values = weight_range.values(table.values().to(table.dtype()), all_weights, as_sent=True)
        outside = weight_range.bins.outside(values).sum()
    (total,) = table.shards.totals([outside])
    return total
