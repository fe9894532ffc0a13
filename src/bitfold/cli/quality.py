"""How well a network answers at pixels of its target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitfold.targets import Target

# Pixels that a network is asked of at a time.
_CHUNK = 2**16
# From this difference to the picture on, of black to white, a pixel counts as off.
_VISIBLE = 0.1


@dataclass(frozen=True)
class Quality:
    """How well a network answers, as means over pixels.

    Source: none, ours.

    Args:
        task_loss: mean squared error, or cross-entropy in nats.
        error: mean squared error, or share of wrong classes.
        bounded_error: the same, with outputs of regression cut to [0, 1]: itself in [0, 1].
        share_off: of pixels in the wrong class; of a picture in black and white on the wrong side
            of 1/2; of others off by more than a tenth in any channel.
        is_regression: which of the two.
    """

    task_loss: float
    error: float
    bounded_error: float
    share_off: float
    is_regression: bool

    @property
    def psnr_db(self) -> float | None:
        """Peak signal-to-noise ratio of regression; infinite without an error."""
        if not self.is_regression:
            return None
        return -10 * math.log10(self.error) if self.error > 0 else math.inf

    def __str__(self) -> str:
        if self.psnr_db is None:
            return f"{100 * self.error:.2f} % of the pixels wrong"
        return f"mean squared error {self.error:.3g}, PSNR {self.psnr_db:.2f} dB"


class QualityMeter:
    """Measures networks at the same pixels.

    Source: none, ours.

    Args:
        target: what they learned.
        pixels: (N,) numbers of usable pixels.
    """

    def __init__(self, target: Target, pixels: NDArray[np.int64]) -> None:
        self._target, self._pixels = target, pixels

    @property
    def num_pixels(self) -> int:
        """How many it looks at."""
        return len(self._pixels)

    @torch.no_grad()
    def measure(self, network: nn.Module) -> Quality:
        """Ask a network, on the CPU, for all pixels."""
        total = torch.zeros(4, dtype=torch.float64)
        for start in range(0, len(self._pixels), _CHUNK):
            pixels = self._pixels[start : start + _CHUNK]
            points = torch.from_numpy(self._target.grid.coordinates(pixels))
            wanted = torch.from_numpy(self._target.values(pixels))
            total += torch.stack(self._sums(network(points), wanted))
        loss, error, bounded, off = (total / max(1, len(self._pixels))).tolist()
        return Quality(loss, error, bounded, off, self._target.task == "regression")

    def _sums(self, outputs: Tensor, wanted: Tensor) -> list[Tensor]:
        """Sums of task loss, error, bounded error and pixels off."""
        outputs = outputs.double()
        if self._target.task != "regression":
            wrong = (outputs.argmax(1) != wanted).sum().double()
            loss = functional.cross_entropy(outputs, wanted, reduction="sum")
            return [loss, wrong, wrong, wrong]
        wanted = wanted.double().view_as(outputs)
        square = (outputs - wanted).square().mean(1).sum()
        bounded = (outputs.clamp(0, 1) - wanted).square().mean(1).sum()
        if self._target.is_two_valued:
            is_off = (outputs > 0.5) != (wanted > 0.5)
        else:
            is_off = (outputs.clamp(0, 1) - wanted).abs() > _VISIBLE
        return [square, square, bounded, is_off.any(1).sum().double()]


def spread_pixels(target: Target, most: int) -> NDArray[np.int64]:
    """Return usable pixels of a target, evenly spread: all of them, or somewhat over ``most``."""
    usable = target.usable
    return usable[np.arange(0, len(usable), max(1, len(usable) // most))]
