"""What is at a point of a window: the polytope, its pattern, map and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitfold.polytopes import Partition
from bitfold.studio.viewer.window import Window


def place_at(
    found: Partition,
    window: Window,
    x: float,
    y: float,
    sides: tuple[float, float] = (1.0, 1.0),
) -> dict[str, Any]:
    """Describe the polytope at a point.

    Args:
        found: the partition of a window.
        window: the window.
        x: in the window's own coordinates.
        y: in the window's own coordinates.
        sides: of the picture, in the coordinates that ``map`` is told in.

    Returns:
        ``face`` is the number of the polytope, -1 outside; the other facts are there if it is not:
        ``map``, rows of (factor of x, factor of y, constant), of the picture's coordinates x and y
        relative to the window's centre; ``outputs`` at the point; ``area`` as a share of the
        picture; ``active``, for each layer the neurons above their threshold; ``layer_sizes``.
    """
    face = int(found.locate(np.array([[x, y]]))[0])
    facts: dict[str, Any] = {"face": face, "x": x, "y": y}
    if face < 0:
        return facts
    index = np.array([face])
    local = found.backend.maps_on(index)[0]
    facts["map"] = (local / (window.half * sides[0], window.half * sides[1], 1.0)).tolist()
    facts["outputs"] = found.evaluate(np.array([[x, y]]))[0].tolist()
    facts["area"] = float(found.areas[face] * window.half**2)
    facts["active"] = _active(found, face)
    facts["layer_sizes"] = list(found.layer_sizes)
    return facts


def _active(found: Partition, face: int) -> list[list[int]]:
    """Return the numbers of the active neurons of each layer, from 0."""
    words = found.patterns[face]
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")
    layers, first = [], 0
    for size in found.layer_sizes:
        layers.append(np.flatnonzero(bits[first : first + size]).tolist())
        first += size
    return layers
