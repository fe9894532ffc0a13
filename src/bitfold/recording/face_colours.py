"""Colours of polytopes, by area, by slope, or one colour for each."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from bitfold.polytopes import Partition
from bitfold.polytopes.drawing.filling import identity_colours
from bitfold.polytopes.drawing.raster import Raster
from bitfold.render import Mark

# The range of colours, as powers of ten. Area is a share of the picture; slope is in outputs per
# side of the picture. All frames use the same range, so that they can be compared.
_AREA_DECADES: Final = (-5.0, -1.0)
_SLOPE_DECADES: Final = (-1.0, 1.5)
_OUTSIDE: Final = np.array([[128, 128, 128]], np.uint8)


def face_colours(found: Partition, raster: Raster, faces: str) -> NDArray[np.uint8] | None:
    """Colour each pixel of a raster by its polytope.

    Args:
        found: the partition.
        raster: the pixels.
        faces: ``value``, ``area``, ``slope`` or ``identity``, see `FrameStyle`.

    Returns:
        uint8 (height, width, 3); None for ``value``, where the prediction is shown.
    """
    if faces == "value":
        return None
    if faces == "area":
        colours = area_colours(found.areas)
    elif faces == "slope":
        colours = slope_colours(found.backend.slopes())
    else:
        colours = as_bytes(identity_colours(found.patterns))
    # Pixels outside all faces have the number -1, which takes the last row.
    return np.concatenate([colours, _OUTSIDE])[raster.faces(found.subdivision)]


def area_colours(areas: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the colours (F, 3) of areas (F,), each as a share of the picture."""
    return _scaled(areas, _AREA_DECADES)


def slope_colours(slopes: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the colours (F, 3) of slopes (F,), in outputs per side of the picture."""
    return _scaled(slopes, _SLOPE_DECADES)


def face_mark(faces: str) -> tuple[tuple[str, ...], tuple[Mark, ...]]:
    """Return the panel's headings and the key's marks for a filling; nothing for ``value``."""
    if faces == "area":
        mark = Mark(("area, 10^-5 to 0.1", "area"), "probability")
        return ("area of polytopes", "area"), (mark,)
    if faces == "slope":
        mark = Mark(("slope, 0.1 to 30", "slope"), "probability")
        return ("slope of polytopes", "slope"), (mark,)
    if faces == "identity":
        some = as_bytes(identity_colours(np.arange(8, dtype=np.uint64)[:, None]))
        return ("polytopes",), (
            Mark(("one polytope, one colour", "polytope"), "colours", None, some),
        )
    return (), ()


def _scaled(numbers: NDArray[np.float64], decades: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = decades
    share = (np.log10(np.maximum(numbers, 1e-300)) - low) / (high - low)
    return mapped("cividis", np.clip(share, 0, 1))


def mapped(name: str, shares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Look up shares (n,), 0 to 1, in a colour map of matplotlib; return uint8 (n, 3)."""
    return np.asarray(colormaps[name](shares, bytes=True))[:, :3]


def as_bytes(rgb: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round colours of 0 to 1 to bytes."""
    found: NDArray[np.uint8] = np.rint(255 * rgb).astype(np.uint8)
    return found
