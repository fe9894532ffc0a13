"""How well a network reproduces the pixels of its target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitfold.runtime.display.decibels import psnr_of, psnr_text
from bitfold.runtime.display.html_tables import html_facts
from bitfold.targets import Target

#: Pixels at which `measure_quality` measures, evenly spread over the target.
MAX_PIXELS = 2**16
# Pixels in one forward pass.
_CHUNK = 2**16
# A pixel counts as off from this difference on, where black to white is 1.
_VISIBLE = 0.1


@dataclass(frozen=True)
class Quality:
    """How well a network reproduces its target: means over pixels.

    Args:
        task_loss: mean squared error, or cross-entropy in nats.
        error: mean squared error, or the share of pixels in the wrong class.
        bounded_error: `error` with the outputs of regression clipped to [0, 1], hence in [0, 1].
        share_off: the share of pixels that look wrong. Classes: the wrong class. Targets in black
            and white: the wrong side of 1/2. Others: off by more than 0.1 in any channel.
        is_regression: whether the task is regression, and not classification.
    """

    task_loss: float
    error: float
    bounded_error: float
    share_off: float
    is_regression: bool

    @property
    def psnr_db(self) -> float | None:
        """Peak signal-to-noise ratio; infinite without an error, None for classification."""
        if not self.is_regression:
            return None
        return psnr_of(self.error)

    def _repr_html_(self) -> str:
        facts = {
            "task loss": f"{self.task_loss:.5g}",
            "error": f"{self.error:.5g}",
            "PSNR": None if self.psnr_db is None else psnr_text(self.psnr_db),
            "pixels that look wrong": f"{self.share_off:.2%}",
        }
        return html_facts("Quality over pixels", facts)

    def __str__(self) -> str:
        if self.psnr_db is None:
            return f"{100 * self.error:.2f} % of the pixels wrong"
        return f"mean squared error {self.error:.3g}, PSNR {psnr_text(self.psnr_db)}"


class QualityMeter:
    """Measures any number of networks at the same pixels.

    Args:
        target: the target that the networks learned.
        pixels: int64 (N,), numbers of usable pixels of the target.
    """

    def __init__(self, target: Target, pixels: NDArray[np.int64]) -> None:
        self._target, self._pixels = target, pixels

    @classmethod
    def spread(cls, target: Target, max_pixels: int = MAX_PIXELS) -> QualityMeter:
        """Return a meter at evenly spread pixels; see `spread_pixels`."""
        return cls(target, spread_pixels(target, max_pixels))

    @property
    def num_pixels(self) -> int:
        """The number of pixels N."""
        return len(self._pixels)

    @property
    def where(self) -> str:
        """The pixels in words."""
        noun = "clip" if self._target.is_clip else "picture"
        if len(self._pixels) == self._target.num_usable:
            return f"all {len(self._pixels):,} pixels of the {noun}"
        usable = self._target.num_usable
        return f"{len(self._pixels):,} of {usable:,} pixels, evenly spread over the {noun}"

    @torch.no_grad()
    def measure(self, network: nn.Module) -> Quality:
        """Evaluate a network, which lies on the CPU, at all pixels."""
        total = torch.zeros(4, dtype=torch.float64, device="cpu")
        for start in range(0, len(self._pixels), _CHUNK):
            pixels = self._pixels[start : start + _CHUNK]
            points = torch.from_numpy(self._target.grid.coordinates(pixels))
            wanted = torch.from_numpy(self._target.values(pixels))
            total += torch.stack(self._sums(network(points), wanted))
        loss, error, bounded, off = (total / max(1, len(self._pixels))).tolist()
        return Quality(loss, error, bounded, off, self._target.task == "regression")

    def _sums(self, outputs: Tensor, wanted: Tensor) -> list[Tensor]:
        """Sums over pixels of task loss, error, bounded error and pixels that are off."""
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


def measure_quality(target: Target, network: nn.Module, max_pixels: int = MAX_PIXELS) -> Quality:
    """Measure how well a network reproduces a target.

    Args:
        target: the target that the network learned.
        network: takes coordinates (N, 2), for clips (N, 3), on the CPU.
        max_pixels: about the number of pixels to look at; see `spread_pixels`.

    Example:
        >>> from bitfold import PolytopeNet
        >>> from bitfold.targets import load_target
        >>> quality = measure_quality(load_target("ring", size=16), PolytopeNet(2, [4], 1))
        >>> 0 < quality.error, quality.is_regression
        (True, True)
    """
    return QualityMeter.spread(target, max_pixels).measure(network)


def spread_pixels(target: Target, max_pixels: int) -> NDArray[np.int64]:
    """Return evenly spread numbers of usable pixels.

    Every k-th usable pixel is taken, k being the number of usable pixels divided by ``max_pixels``
    and rounded down. The result can thus hold up to twice ``max_pixels``.
    """
    usable = target.usable
    return usable[np.arange(0, len(usable), max(1, len(usable) // max_pixels))]
