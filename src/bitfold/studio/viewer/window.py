"""The part of the input plane that a page looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bitfold.polytopes import Plane


@dataclass(frozen=True)
class Window:
    """A rectangle of the plane; its own coordinates are 0 at the centre and 1 at the lower edge.

    Partitions are cut in these coordinates. So their vertices keep all digits at any zoom, and a
    page can take them as float32.

    Args:
        x: of the centre.
        y: of the centre.
        half: half the height.
        aspect: width over height, both in coordinates of the plane.
        time: of a clip's slice; None for a picture.
    """

    x: float
    y: float
    half: float
    aspect: float
    time: float | None = None

    @classmethod
    def of(cls, facts: Any) -> Window:
        """Return the window of a command's fields."""
        return cls(*(facts[name] for name in ("x", "y", "half", "aspect", "time")))

    @property
    def plane(self) -> Plane:
        """The plane in the window's own coordinates, through the network's inputs."""
        rest = () if self.time is None else (self.time,)
        zeros = np.zeros(len(rest))
        return Plane(
            np.array([self.x, self.y, *rest]),
            np.array([self.half, 0.0, *zeros]),
            np.array([0.0, self.half, *zeros]),
        )

    @property
    def domain(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Two opposite corners in the window's own coordinates."""
        return (-self.aspect, -1.0), (self.aspect, 1.0)

    def facts(self) -> dict[str, float | None]:
        """Return what a page needs to place the window."""
        return {
            "x": self.x,
            "y": self.y,
            "half": self.half,
            "aspect": self.aspect,
            "time": self.time,
        }
