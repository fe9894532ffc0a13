"""Gradient coverage: the share of weights whose slope under the targets is near the true one."""

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.soft_assignment import LinearTargets, Targets
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

#: A weight is covered from this share of the true slope on.
LEAST_SHARE = 0.1
MOST_WEIGHTS = 2**16
# The largest window looked at, in bins by weights.
_CHUNK_NUMEL = 2**20


@torch.no_grad()
def gradient_coverage(
    predictor: WeightPredictor, values: Tensor, targets: Targets, subset: WeightSubset
) -> float:
    """The share of weights in range that get at least a tenth of the true slope.

    The true slope of the cost is the slope between the two nearest bins (`LinearTargets`).

    Args:
        predictor: gives bins a cost.
        values: floating (n,), in the units of the bins.
        targets: whose slopes are compared.
        subset: the weights of the values.

    Returns:
        0 to 1; NaN if no weight in range has a true slope.
    """
    if not predictor.uses_targets:
        return 1.0
    predictor.observe(values)
    bins = predictor.bins
    index = bins.continuous_index(values)
    inside = ((index >= 0) & (index <= bins.num_bins - 1)).nonzero().squeeze(1)
    chosen = inside[:: max(1, -(-len(inside) // MOST_WEIGHTS))].contiguous()
    linear = LinearTargets(bins.num_bins)
    covered, counted = 0, 0
    rows = max(1, _CHUNK_NUMEL // max(targets.window, 2))
    for flat in torch.split(chosen, rows):
        some = WeightSubset(subset.layout, 0, len(values), subset.device, chosen=flat)
        true = _slopes(predictor, some, index[flat], linear)
        given = _slopes(predictor, some, index[flat], targets)
        counts = true != 0
        covered += int((counts & (given * true.sign() >= LEAST_SHARE * true.abs())).sum())
        counted += int(counts.sum())
    totals = torch.tensor([covered, counted], device=subset.device)
    covered, counted = subset.layout.shards.totals([totals])[0].tolist()
    return covered / counted if counted else float("nan")


def _slopes(
    predictor: WeightPredictor, subset: WeightSubset, index: Tensor, targets: Targets
) -> Tensor:
    bins, _, slopes = targets.shares(index)
    total: Tensor = (slopes * predictor(subset, bins)).sum(dim=0)
    return total
