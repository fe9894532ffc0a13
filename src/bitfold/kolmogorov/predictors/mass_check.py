"""The check of a predictor's probabilities: a decoder must be able to use them."""

import torch

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

# Masses are summed in float32, and a decoder's table has at most 16 bits.
_MASS_TOLERANCE = 1e-4
# The check looks at this many weights, evenly spread, and at the first weight of as many tensors.
_NUM_CHECKED = 32


def check_masses(predictor: WeightPredictor, subset: WeightSubset) -> None:
    """Refuse a predictor whose probabilities no decoder could use.

    Args:
        predictor: attached to a module.
        subset: all weights. The first weights of some tensors and others evenly spread are checked.

    Raises:
        KolmogorovError: if `WeightPredictor.attach` was not called, if costs have the wrong shape
            or are not finite, or if the masses of some weight's bins add up to more than 1.
    """
    name = type(predictor).__name__
    if not predictor.is_attached:
        raise KolmogorovError(
            f"Cannot use the predictor {name}: expected its attach to call "
            "super().attach(layout, bins, generator), got no such call. Add it."
        )
    some = _spread_out(subset)
    num_bins = predictor.bins.num_bins
    indices = torch.arange(num_bins, device=subset.device).unsqueeze(1)
    with torch.no_grad():
        nats = predictor(some, indices.expand(-1, len(some)))
    if nats.shape != (num_bins, len(some)):
        raise KolmogorovError(
            f"Cannot use the predictor {name}: expected costs of shape {(num_bins, len(some))} as "
            f"the indices given, got {tuple(nats.shape)}. Return one cost for each index."
        )
    masses = torch.exp(-nats.double()).sum(dim=0)
    if not bool(torch.isfinite(nats).all()):
        raise KolmogorovError(
            f"Cannot use the predictor {name}: expected finite costs, got NaN or infinite "
            "ones, with which some weights could not be coded. Give every bin a probability."
        )
    if not bool((masses <= 1 + _MASS_TOLERANCE).all()):
        raise KolmogorovError(
            f"Cannot use the predictor {name}: expected the probabilities of a weight's bins "
            f"to add up to at most 1, got {masses.max().item():.6g}. Normalise them, for "
            "example by log_softmax."
        )


def _spread_out(subset: WeightSubset) -> WeightSubset:
    """The first weights of some tensors, and others evenly spread."""
    starts = subset.layout.starts[:_NUM_CHECKED]
    evenly = (len(subset) * number // _NUM_CHECKED for number in range(_NUM_CHECKED))
    chosen = sorted({*starts, *evenly, len(subset) - 1} - {len(subset)})
    flat = torch.tensor(chosen, device=subset.device)
    return WeightSubset(subset.layout, subset.start, subset.stop, subset.device, chosen=flat)
