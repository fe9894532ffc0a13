"""Colours of polytopes by what they are: their area, how steep the network is there, or which."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from bitfold.polytopes import Partition
from bitfold.polytopes.drawing.filling import identity_colours
from bitfold.polytopes.drawing.raster import Raster
from bitfold.render import Mark

# Decades of area, as a share of the picture, and of slope, in outputs per picture's side, from the
# first colour to the last: the same in all frames, so that they can be compared.
_AREA_DECADES: Final = (-5.0, -1.0)
_SLOPE_DECADES: Final = (-1.0, 1.5)
_OUTSIDE: Final = np.array([[128, 128, 128]], np.uint8)


def face_colours(found: Partition, raster: Raster, faces: str) -> NDArray[np.uint8] | None:
    """What fills the polytopes on a raster: uint8 (height, width, 3); None: the value."""
    if faces == "value":
        return None
    if faces == "area":
        colours = _scaled(found.areas, _AREA_DECADES)
    elif faces == "slope":
        colours = _scaled(found.backend.slopes(), _SLOPE_DECADES)
    else:
        colours = as_bytes(identity_colours(found.patterns))
    # The last row is for pixels without a face, whose number is -1.
    return np.concatenate([colours, _OUTSIDE])[raster.faces(found.subdivision)]


def face_mark(faces: str) -> tuple[tuple[str, ...], tuple[Mark, ...]]:
    """Headings of the panel, and what its key says of the filling; nothing for the value."""
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
    """Colours (n, 3) of shares (n,), 0 to 1, by one of matplotlib's maps."""
    return np.asarray(colormaps[name](shares, bytes=True))[:, :3]


def as_bytes(rgb: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round colours of 0 to 1 to bytes."""
    found: NDArray[np.uint8] = np.rint(255 * rgb).astype(np.uint8)
    return found
