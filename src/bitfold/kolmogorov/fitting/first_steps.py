"""Where learned steps begin, for networks that the usual beginning would silence."""

import math

import torch

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.ranges import LEAST_REACH, STEPS_TO_RMS, LearnedRange
from bitfold.kolmogorov.loss import KolmogorovLoss


@torch.no_grad()
def begin_steps(loss: KolmogorovLoss, steps_to_rms: float) -> None:
    """Set each tensor's step to a share of its root mean square, and fit the predictor anew.

    Where the task feels the rounding, steps begin at twice the root mean square of a weight tensor:
    most weights are 0 then. A wide network learns with the rest; one of a dozen neurons a layer
    and many layers lets nothing through, and begins better with finer ones.

    Source: none, ours.

    Args:
        loss: of any module, with learned steps, before training.
        steps_to_rms: steps in a root mean square (of all weights' together, where a tensor's is 0),
            > 0. No step is finer than a sixteenth of it, or than lets the bins reach four of it.

    Raises:
        KolmogorovError: the loss learns no steps.

    Example:
        >>> network = torch.nn.Linear(20, 30)
        >>> kolmogorov = KolmogorovLoss(network, quantise="learned")
        >>> begin_steps(kolmogorov, 4.0)
        >>> rms = network.weight.detach().square().mean().sqrt()
        >>> round(float(rms / kolmogorov.weight_range.steps()[0]), 3)
        4.0
    """
    learned = loss.weight_range
    if not isinstance(learned, LearnedRange):
        raise KolmogorovError(
            "Cannot begin with other steps: expected a loss that learns steps, got a fixed range. "
            "Pass weight_range='auto'."
        )
    finest = LearnedRange(loss.table, loss.bins.num_bins).log_steps
    share = min(STEPS_TO_RMS, loss.bins.num_bins / 2 / LEAST_REACH)
    learned.log_steps.copy_(finest + math.log(max(1.0, share / steps_to_rms)))
    subset = loss.subsampling.all_weights()
    values = learned.values(loss.table.values().to(loss.like.dtype), subset)
    loss.predictor.fit(subset, loss.bins.clamp(values))
