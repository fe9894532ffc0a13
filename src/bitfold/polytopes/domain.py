"""The convex polygon of a plane on which polytopes are searched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError

Doubles = NDArray[np.float64]


def corners_of(domain: Any) -> Doubles:
    """The corners of a domain, float64 (n, 2), counter-clockwise.

    Args:
        domain: two opposite corners of a rectangle, or the corners of a convex polygon in turn.

    Raises:
        PolytopeError: the domain is neither.
    """
    try:
        corners = np.array(domain, np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.shape == (2, 2):
        (left, low), (right, high) = corners.tolist()
        corners = np.array([(left, low), (right, low), (right, high), (left, high)])
        if -math.inf < left < right < math.inf and -math.inf < low < high < math.inf:
            return corners
    is_fit = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) >= 3
    if is_fit and np.isfinite(corners).all():
        sides = np.roll(corners, -1, 0) - corners
        turns = _cross(sides, np.roll(sides, -1, 0))
        angles = np.arctan2(turns, (sides * np.roll(sides, -1, 0)).sum(1))
        if (turns > 0).all() and abs(angles.sum() - 2 * np.pi) < 1e-6:
            return corners
        if (turns < 0).all() and abs(angles.sum() + 2 * np.pi) < 1e-6:
            return corners[::-1].copy()
    raise PolytopeError(
        "Cannot find polytopes: expected a domain of two opposite corners or of a convex polygon's "
        f"corners in turn, got {str(domain)[:80]}. Give for example ((-0.5, -0.5), (0.5, 0.5))."
    )


def _cross(first: Doubles, second: Doubles) -> Doubles:
    found: Doubles = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return found
