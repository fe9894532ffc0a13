"""Measures a network's folds while it trains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.errors import PolytopeError
from bitfold.networks import PolytopeNet
from bitfold.polytopes import (
    Partition,
    Plane,
    measure_folds,
    partition,
    patterns_of_inputs,
)
from bitfold.polytopes.tracing.evaluation import evaluation_mode
from bitfold.targets import Split, Target
from bitfold.training.config.configuration import Config
from bitfold.training.store.metrics import Metrics

#: A network with more polytopes is not measured: training has to go on.
MAX_POLYTOPES = 200_000
#: Training points whose activation patterns are compared from one measurement to the next.
MAX_PATTERN_POINTS = 1000
# Numbers of one layer at all vertices, half a gigabyte; there are about as many vertices as faces.
_MAX_NUMEL = 2**26
# Polytopes times weights of a measurement by default, which costs the time of some epochs.
_MAX_WORK = 5 * 10**8
# The level between black and white of a grey picture.
_GREY_LEVEL = 0.5


class FoldMonitor:
    """Measures polytopes and folds at due epochs, and keeps activation patterns in between.

    See `bitfold.polytopes.measure_folds`; docs/measures.md defines each number. A picture is
    measured on its whole square, a clip on the square of its middle frame.

    Args:
        config: decides the epochs.
        target: the picture or clip that is learned.
        split: patterns and distances are measured at its training points.

    Guarantees: the numbers depend only on the epoch, the network, and the patterns in `history`,
    so a continued run measures the same as an uninterrupted run.
    """

    def __init__(self, config: Config, target: Target, split: Split) -> None:
        self._schedule = config.drawing.schedule
        self._every = config.measure_folds
        self._plane, self._points = _place(target, split)
        training = target.grid.coordinates(split.training)
        step = -(-len(training) // MAX_PATTERN_POINTS)
        self._pattern_points = training[::step].astype(np.float64)
        #: The output at which the network decides; None if no such line is measured.
        self.level = _level(config, target)
        self._patterns: NDArray[np.uint64] | None = None
        #: Due epochs that are measured later, from the trajectory.
        self.postponed: list[int] = []

    def is_due(self, epoch: int) -> bool:
        """Whether folds are measured after an epoch; epoch 0 only gives the first patterns.

        The last epoch of a run is no exception: its line must be the same as in a longer run.
        """
        if self._every is None:
            return self._schedule.has(epoch)
        return self._every > 0 and epoch % self._every == 0

    def measure(self, network: PolytopeNet, description_bits: float | None) -> Metrics:
        """Measure the network, and keep its patterns for the next measurement.

        Args:
            network: the network; it stays as it is.
            description_bits: its description length; None without K.

        Returns:
            Numbers by name; empty for a network without an exact partition, because it is smooth,
            not finite, or has too many polytopes.
        """
        try:
            found = self._partition(network)
        except PolytopeError:
            return {}
        numbers = measure_folds(found, self._points, level=self.level).numbers()
        flips = self._flips(found)
        if flips is not None:
            numbers["pattern_flips"] = flips
        if description_bits is not None:
            numbers["bits_per_polytope"] = description_bits / found.num_polytopes
        return numbers

    def history(self) -> dict[str, Tensor]:
        """Return the patterns of the last measurement and the postponed epochs, by name."""
        kept: dict[str, Tensor] = {}
        if self._patterns is not None:
            kept["folds.patterns"] = torch.from_numpy(self._patterns.view(np.int64).copy())
        if self.postponed:
            kept["folds.postponed"] = torch.tensor(self.postponed, device="cpu")
        return kept

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Load the patterns from `history`; without them the next measurement has no flips."""
        if "folds.patterns" in kept:
            self._patterns = kept["folds.patterns"].cpu().numpy().view(np.uint64).copy()
        self.postponed = kept["folds.postponed"].tolist() if "folds.postponed" in kept else []

    def _partition(self, network: PolytopeNet) -> Partition:
        limit = polytope_limit(network, is_default=self._every is None)
        if network.encoding.num_cells > limit:
            raise PolytopeError(
                f"Cannot measure folds: expected at most {limit:,} polytopes, got "
                f"{network.encoding.num_cells:,} by the encoding alone. Use a coarser encoding."
            )
        body = _without_sigmoid(network)
        with evaluation_mode(body):
            return partition(body, plane=self._plane, max_polytopes=limit, with_outputs=True)

    def _flips(self, found: Partition) -> float | None:
        """Return the share of all neurons' signs at the points that flipped since the last time."""
        before, now = self._patterns, patterns_of_inputs(found, self._pattern_points)
        self._patterns = now
        if before is None or before.shape != now.shape or not found.num_neurons:
            return None
        num_flips = int(np.bitwise_count(before ^ now).sum())
        return num_flips / (len(now) * found.num_neurons)


def polytope_limit(network: PolytopeNet, *, is_default: bool) -> int:
    """Return the number of polytopes up to which a network is measured.

    Args:
        network: the network.
        is_default: whether folds are measured by default, and not because someone asked for it.
    """
    limit = min(MAX_POLYTOPES, _MAX_NUMEL // max(network.widths, default=1))
    return min(limit, _MAX_WORK // network.num_parameters) if is_default else limit


def fold_monitor_of(config: Config, target: Target, split: Split) -> FoldMonitor | None:
    """Return a new fold monitor; None if the configuration switches it off."""
    return FoldMonitor(config, target, split) if config.measure_folds != 0 else None


def _place(target: Target, split: Split) -> tuple[Plane | None, NDArray[np.float64]]:
    """Return the plane that is measured, and the training points on it."""
    grid, indices = target.grid, split.training
    if not grid.is_clip:
        return None, grid.coordinates(indices).astype(np.float64)
    middle = grid.num_frames // 2
    time = grid.frame_time(middle)
    plane = Plane(np.array([0, 0, time]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    on_plane = indices[indices // (grid.width * grid.height) == middle]
    return plane, grid.coordinates(on_plane)[:, :2].astype(np.float64)


def _level(config: Config, target: Target) -> float | None:
    """Return the output at which the network decides: between classes, or black and white."""
    if target.task == "classification":
        return 0.0 if target.out_features > 1 else None
    if target.out_features > 1:
        return None
    return 0.0 if config.final_activation == "sigmoid" else _GREY_LEVEL


def _without_sigmoid(network: PolytopeNet) -> nn.Module:
    """Return the network without a final sigmoid, which adds no folds."""
    if network.final_activation == "sigmoid":
        return network.layers[:-1]
    return network
