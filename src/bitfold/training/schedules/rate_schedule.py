"""Decides the learning rate of each epoch."""

from __future__ import annotations

import math
from typing import Final

#: The last factor of a cosine schedule: at a rate of 0 nothing would change.
COSINE_END: Final = 0.01


def rate_factor(schedule: str, epochs: int, epoch: int) -> float:
    """Return the factor of all learning rates in an epoch.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.

    Args:
        schedule: ``constant`` or ``cosine``.
        epochs: that are planned; later ones have the last one's rate.
        epoch: counted from 1.

    >>> rate_factor("cosine", 100, 1)
    1.0
    """
    if schedule == "constant":
        return 1.0
    progress = min(1.0, (epoch - 1) / max(1, epochs - 1))
    return COSINE_END + (1 - COSINE_END) * 0.5 * (1 + math.cos(math.pi * progress))
