"""Where a partition's domain lies on a page, which has coordinates of -0.5 to 0.5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes import Partition, Plane
from bitfold.studio.viewer.window import Window

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class PartitionFrame:
    """The rectangle around a domain: the whole of a page.

    Pictures grow downwards, as pages do; other planes grow upwards.

    Args:
        centre: in coordinates of the plane.
        sides: of the rectangle, in coordinates of the plane; the second is negative if the plane
            grows upwards.
        aspect: width over height, as a page draws it.
    """

    centre: tuple[float, float]
    sides: tuple[float, float]
    aspect: float

    @classmethod
    def of(cls, found: Partition) -> PartitionFrame:
        """Return the frame of a partition's whole domain."""
        low, high = found.vertices.min(0), found.vertices.max(0)
        x, y = ((low + high) / 2).tolist()
        width, height = (high - low).tolist()
        if found.picture is None:
            return cls((x, y), (width, -height), width / height)
        return cls((x, y), (width, height), found.picture.aspect * width / height)

    def centre_of(self, window: Window) -> Doubles:
        """Return the centre of a window in coordinates of the plane."""
        return np.array(self.centre) + np.array(self.sides) * (window.x, window.y)

    def scale_of(self, window: Window) -> Doubles:
        """Return what a unit of a window's own coordinates is in those of the plane."""
        return np.array(self.sides) * window.half

    def plane_of(self, window: Window, plane: Plane) -> Plane:
        """Return the plane in a window's own coordinates."""
        x, y = self.centre_of(window).tolist()
        right, down = self.scale_of(window).tolist()
        return Plane(plane.origin + x * plane.u + y * plane.v, right * plane.u, down * plane.v)

    def domain_of(self, window: Window) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return two opposite corners of a window in coordinates of the plane."""
        centre, scale = self.centre_of(window), self.scale_of(window)
        corners = np.array(
            [centre - scale * (window.aspect, 1), centre + scale * (window.aspect, 1)]
        )
        low, high = corners.min(0).tolist(), corners.max(0).tolist()
        return (low[0], low[1]), (high[0], high[1])
