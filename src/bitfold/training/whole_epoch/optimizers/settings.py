"""PyTorch's optimisers as the compiled loops take them: their state and their settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer


def state_names(optimizer: Optimizer) -> tuple[str, ...]:
    """Return the names of the optimiser's state tensors, in the order of the loops' rows."""
    if isinstance(optimizer, Muon):
        return ("momentum_buffer",)
    group: dict[str, Any] = optimizer.param_groups[0]
    if isinstance(optimizer, Adam):
        return ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))
    with_momentum = ("momentum_buffer",) if group["momentum"] else ()
    return with_momentum if isinstance(optimizer, SGD) else ("square_avg", *with_momentum)


def settings_of_group(
    optimizer: Optimizer, clip_norm: float | None, *, has_muon: bool = False
) -> NDArray[np.float64]:
    """Return the settings of the optimiser's one group; see `optimizers.kernels.KIND`.

    Args:
        optimizer: Adam, AdamW, SGD or RMSprop.
        clip_norm: of the gradient; None clips nothing.
        has_muon: whether it is AdamW of the parameters that Muon does not step.
    """
    from bitfold.training.whole_epoch.optimizers import kernels as k  # noqa: PLC0415 - Numba is slow

    group: dict[str, Any] = optimizer.param_groups[0]
    found = np.zeros(k.NUM_SETTINGS)
    found[k.RATE], found[k.DECAY] = group["lr"], group["weight_decay"]
    found[k.CLIP] = 0.0 if clip_norm is None else clip_norm
    found[k.ACTIVE] = any(item.requires_grad for item in group["params"])
    if isinstance(optimizer, Adam):
        # AdamW is a kind of Adam.
        found[k.KIND] = k.ADAMW if isinstance(optimizer, AdamW) else k.ADAM
        found[k.BETA1], found[k.BETA2] = group["betas"]
        found[k.EPSILON], found[k.AMSGRAD] = group["eps"], group["amsgrad"]
        found[k.KIND] = k.MUON if has_muon else found[k.KIND]
        return found
    found[k.MOMENTUM] = group["momentum"]
    if isinstance(optimizer, SGD):
        found[k.KIND] = k.SGD
    else:
        found[k.KIND], found[k.BETA1] = k.RMSPROP, group["alpha"]
        found[k.EPSILON] = group["eps"]
    return found
