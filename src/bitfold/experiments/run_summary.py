"""What a finished run came to: its description, its decoded network and its polytopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from bitfold.errors import PolytopeError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.polytopes import partition, sample_partition
from bitfold.recording import slice_plane, without_sigmoid
from bitfold.runtime.display.decibels import psnr_of
from bitfold.targets import Window, window_axes
from bitfold.training import Run

# Points along each side of the raster that sees the polytopes of a smooth network.
_RASTER = 1024


@dataclass(frozen=True)
class PolytopeCount:
    """The number of polytopes of a network on its picture, or on the middle slice of its clip.

    Args:
        number: polytopes that were found.
        side: None if all were found; else only polytopes that hold one of ``side`` x ``side``
            points were found.
    """

    number: int
    side: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether all polytopes were found."""
        return self.side is None


def count_polytopes(run: Run) -> PolytopeCount:
    """Count the polytopes of a run's newest network.

    The exact engine counts if it can; it refuses smooth activations, which are sampled instead.
    """
    network, window = run.network().eval(), Window()
    time = 0.0 if run.target.is_clip else None
    corners = (window.x0, window.y0), (window.x1, window.y1)
    try:
        exact = partition(without_sigmoid(network)[0], corners, slice_plane(time))
    except PolytopeError:
        xs, ys = window_axes(window, _RASTER, _RASTER)
        extra = () if time is None else (time,)
        sampled = sample_partition(network, xs, ys, extra=extra)
        return PolytopeCount(sampled.num_polytopes, _RASTER)
    return PolytopeCount(exact.num_polytopes)


def decoded_psnr_db(run: Run, kolmogorov: KolmogorovLoss) -> float:
    """Measure the network that K's description decodes to, at the run's validation points.

    Args:
        run: a run of regression.
        kolmogorov: the Kolmogorov loss of that run.

    Returns:
        The peak signal-to-noise ratio in decibels.
    """
    decoded = run.new_network().eval()
    decoded.load_state_dict(kolmogorov.decoded_state())
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    with torch.inference_mode():
        outputs = decoded(points).numpy()
    error = float(np.square(outputs - run.target.values(run.split.validation)).mean())
    return psnr_of(error)
