"""The steps that training begins with, for networks that the default would silence."""

import torch

from bitfold.kolmogorov.loss import KolmogorovLoss


@torch.no_grad()
def begin_steps(loss: KolmogorovLoss, steps_to_rms: float) -> None:
    """Set each tensor's step to a share of its root mean square, and fit the predictor again.

    Where the task computes with rounded weights, steps begin at twice the root mean square of a
    weight tensor, so that most weights are 0. A wide network learns with the rest. A network of
    many layers with a dozen neurons each lets nothing through, and begins better with finer steps.

    Args:
        loss: of any module, with learned steps, before training.
        steps_to_rms: steps in a root mean square, > 0. Tensors of zeros use the root mean square of
            all weights. No step is finer than a sixteenth of it, or so fine that the bins reach
            less than four times it.

    Raises:
        KolmogorovError: if the loss learns no steps.

    Example:
        >>> network = torch.nn.Linear(20, 30)
        >>> kolmogorov = KolmogorovLoss(network, quantise="learned")
        >>> begin_steps(kolmogorov, 4.0)
        >>> rms = network.weight.detach().square().mean().sqrt()
        >>> round(float(rms / kolmogorov.weight_range.steps()[0]), 3)
        4.0
    """
    loss.weight_range.begin(loss.table, steps_to_rms)
    all_weights = loss.subsampling.all_weights()
    values = loss.weight_range.values(loss.table.values().to(loss.like.dtype), all_weights)
    loss.predictor.fit(all_weights, loss.bins.clamp(values))
