"""An estimate of the number of polytopes, from a few small windows."""

from __future__ import annotations

import numpy as np
from torch import nn

from bitfold.polytopes.partition_search import partition
from bitfold.polytopes.plane import Plane

_NUM_WINDOWS = 9
# Steps by these shares spread windows evenly over a square, without a pattern.
# Source: M. Roberts 2018, the R2 sequence: powers of the reciprocal of the plastic number.
_STEPS = np.array([0.7548776662466927, 0.5698402909980532])


def estimate_polytopes(
    network: nn.Module,
    lower: tuple[float, float],
    upper: tuple[float, float],
    plane: Plane | None = None,
    *,
    side: float,
) -> int:
    """Estimate how many polytopes a network has on a rectangle.

    Nine small squares are partitioned exactly. Where many folds cross, there are as many polytopes
    as crossings, so that the crossings within the squares are counted and scaled by area.

    Args:
        network: as `partition` takes it.
        lower: corner of the rectangle with the least coordinates.
        upper: the opposite corner.
        plane: as `partition` takes it.
        side: of the squares, smaller than the rectangle, in coordinates of the plane.

    Returns:
        The estimate, at least 1. The same network always gives the same one.

    Raises:
        PolytopeError: the network has no exact polytopes.
    """
    first, last = np.array(lower), np.array(upper)
    crossings = 0
    for number in range(_NUM_WINDOWS):
        corner = first + (0.5 + number * _STEPS) % 1 * (last - first - side)
        found = partition(network, (corner, corner + side), plane)
        inside = (found.vertices > corner) & (found.vertices < corner + side)
        crossings += int(inside.all(1).sum())
    share = _NUM_WINDOWS * side**2 / float(np.prod(last - first))
    return 1 + round(crossings / share)
