"""The weights of a run's network rounded anew, by what that does to the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from bitfold.errors import ConfigError, ModelFileError
from bitfold.experiments.coded_run import CodedRun, coded
from bitfold.experiments.quality import MAX_PIXELS, Quality, QualityMeter, spread_pixels
from bitfold.model_file.planning.neurons import with_sorted_neurons
from bitfold.targets import Target

#: A file of which nothing else is asked loses at most this much of the picture's PSNR, or ends at
#: 58.6 dB or more.
MOST_LOST_DB: Final = 0.3
#: On a white ground no channel's mean moves by more: one of 256 levels.
MOST_TINT: Final = 1 / 255
#: Of classes, at most this share more pixels are wrong.
MOST_LOST_SHARE: Final = 1 / 2000
# The mean squared error of rounding to 8 bits, 58.9 dB, which nobody sees. Better networks count as
# no better than that.
_UNSEEN: Final = 1 / (12 * 255**2)
# From here on a pixel is white; pixels among which white ones are looked for; and the share of a
# picture from which white counts as its ground. Few white pixels are highlights.
_WHITE, _MOST_SEARCHED, _MUCH_WHITE = 254.5 / 255, 2**20, 0.05
# Pixels that say what rounding does, and how many of them are looked at together. On photographs
# of 512 x 512, four times as many gave files as long to within 3 %.
_MOST_POINTS, _BATCH = 2**14, 2**12
# Bounds of the rounding tolerance in a search for a quality, and its bisections: the logarithm of
# the tolerance is found to within a 2^12th of their range.
_FINEST, _COARSEST, _BISECTIONS = 2.0**-16, 2.0, 12


class RunRounding:
    """Rounds the weights of a run's network, each by what it does to the picture.

    Every weight of a small layer matters for all pixels: an error in the last layer is a tint.
    Features of a grid matter for few pixels, and are many. So steps follow from pixels of the
    picture; see decision 52.

    Args:
        target: what the network learned, whose pixels are looked at.
        network: the one that is rounded, on the CPU; it stays as it is.
    """

    def __init__(self, target: Target, network: nn.Module) -> None:
        self._target, self._network = target, network
        self._meter = QualityMeter(target, spread_pixels(target, MAX_PIXELS))

    def error(self, network: nn.Module) -> float:
        """Return the error of a network at spread pixels of the target."""
        return self._meter.measure(network).error

    def plain(self, how: str) -> CodedRun:
        """Return the file in which each tensor has the same share of errors, 36 decibels below it.

        Tensors with numbers that are not finite are written as they are.
        """
        return coded(self._network, how, sort_neurons=True)

    def as_seen(self, how: str) -> CodedRun:
        """Return a short file that looks like the network.

        Its picture loses at most `MOST_LOST_DB` or ends at 58.6 dB or more, which nobody sees, both
        as it is shown and with outputs beyond black and white. Where a twentieth of the picture or
        more is white, the mean of no channel moves there by more than `MOST_TINT`. Of classes, at
        most `MOST_LOST_SHARE` more pixels are wrong. All this is measured at `spread_pixels`, and
        the white at up to 16,384 of its pixels.
        """
        limit = _least_quality(self._meter.measure(self._network))
        if not math.isfinite(limit.error):
            return self.plain(how)
        white = self._white(self._network)

        def share_of_limit(network: nn.Module) -> float:
            found = self._meter.measure(network)
            shown = found.bounded_error / limit.bounded_error
            return max(found.error / limit.error, shown)

        def with_tint(network: nn.Module) -> float:
            tint = float((self._white(network) - white).abs().max()) / MOST_TINT
            return max(share_of_limit(network), tint)

        # A tint comes and goes with the tolerance, so a search that minds it ends earlier.
        found = self._searched(how, share_of_limit)
        return found if with_tint(found.network) <= 1 else self._searched(how, with_tint)

    def within_error(self, how: str, max_error: float) -> CodedRun:
        """Return the shortest file whose decoded network is good enough.

        Raises:
            ConfigError: the network itself is not.
            ModelFileError: a weight is not finite.
        """
        if not self.error(self._network) <= max_error:
            raise ConfigError(
                f"Cannot compress to this quality: expected an error of at most {max_error:.4g}, "
                f"got {self.error(self._network):.4g} of the network itself. Ask for less, or "
                "train on."
            )
        try:
            return self._within(how, self.error, max_error)
        except ModelFileError:  # for example no error at all, which no search finds
            return self._bisected(how, self.error, max_error)

    def within_bytes(self, how: str, num_bytes: int) -> CodedRun:
        """Return the best network of the files that are short enough.

        Raises:
            ModelFileError: there is none.
        """
        found, refusals = list[CodedRun](), list[ModelFileError]()
        ways: tuple[tuple[nn.Module, dict[str, Any]], ...] = (
            (self._network, {"sort_neurons": True}),
            (self._sorted, {"calibration": self._points}),
        )
        for network, options in ways:
            try:
                found.append(coded(network, how, num_bytes=num_bytes, **options))
            except ModelFileError as refusal:
                refusals.append(refusal)
        if not found:
            raise refusals[0]
        return min(found, key=lambda one: self.error(one.network))

    def _searched(self, how: str, share_of_limit: Callable[[nn.Module], float]) -> CodedRun:
        try:
            return self._within(how, share_of_limit, 1.0)
        except ModelFileError:
            return self._bisected(how, share_of_limit, 1.0)

    def _within(self, how: str, loss: Callable[[nn.Module], float], most: float) -> CodedRun:
        return coded(self._sorted, how, loss=loss, max_loss=most, calibration=self._points)

    def _bisected(self, how: str, loss: Callable[[nn.Module], float], most: float) -> CodedRun:
        """The shortest file of those with one tolerance for all tensors."""
        low, high = math.log2(_FINEST), math.log2(_COARSEST)
        found = coded(self._network, how, tolerance=0, sort_neurons=True)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            trial = coded(self._network, how, tolerance=2**middle, sort_neurons=True)
            if loss(trial.network) <= most:
                low, found = middle, trial
            else:
                high = middle
        return found

    @cached_property
    def _sorted(self) -> nn.Module:
        """The network with its neurons in an order that is short to code."""
        found = with_sorted_neurons(self._network)
        return self._network if found is None else found

    def _white(self, network: nn.Module) -> Tensor:
        """Return the mean output where the picture is white; 0 if it is nowhere."""
        if not len(self._white_points):
            return torch.zeros(1, device="cpu")
        with torch.no_grad():
            outputs: Tensor = network(self._white_points)
        return outputs.clamp(0, 1).mean(0)

    @cached_property
    def _white_points(self) -> Tensor:
        """Points where the picture is white; none of classes, and where little of it is white."""
        target = self._target
        some = np.random.default_rng(0).permutation(target.usable)[:_MOST_SEARCHED]
        white = some[:0]
        if target.task == "regression":
            white = some[np.all(target.values(some) >= _WHITE, axis=1)]
        some = white[:_MOST_POINTS] if len(white) >= _MUCH_WHITE * len(some) else white[:0]
        return torch.from_numpy(target.grid.coordinates(np.sort(some)))

    @cached_property
    def _points(self) -> list[Tensor]:
        """Points of the picture in batches, drawn at random but always the same."""
        usable = self._target.usable
        some = np.random.default_rng(0).permutation(usable)[:_MOST_POINTS]
        points = torch.from_numpy(self._target.grid.coordinates(np.sort(some)))
        return list(torch.split(points, _BATCH))


def _least_quality(own: Quality) -> Quality:
    """The quality that a file may have, given that of the network."""
    if not own.is_regression:
        return replace(
            own,
            error=own.error + MOST_LOST_SHARE,
            bounded_error=own.bounded_error + MOST_LOST_SHARE,
        )
    factor = 10 ** (MOST_LOST_DB / 10)
    return replace(
        own,
        error=factor * max(own.error, _UNSEEN),
        bounded_error=factor * max(own.bounded_error, _UNSEEN),
    )
