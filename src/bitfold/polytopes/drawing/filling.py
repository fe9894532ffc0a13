"""What fills the faces of a partition in a picture: numbers or colours, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes.backends import apply_maps

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]
Colouring = Callable[[Doubles], Doubles]
"""From outputs (N, outputs) to colours (N, 3), 0 to 1."""
Faces = Literal["value", "area", "slope", "identity", "none"] | Colouring

KINDS: Final = ("value", "area", "slope", "identity", "none")
_CHUNK_PX = 2**18
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Filling:
    """A picture of the faces.

    Args:
        pixels: (height, width), not a number outside the domain, or colours (height, width, 4),
            red, green, blue and opacity, 0 to 1. The first row is the one of least y.
        label: what numbers are; empty for colours.
    """

    pixels: Doubles
    label: str


def fill(found: Partition, faces: Faces, output: int, longer_px: int) -> Filling:
    """Work out what fills the faces at the centres of pixels.

    Source: none, ours.

    Args:
        found: the partition.
        faces: see `Partition.plot`; not "none".
        output: which one, for "value" and "slope".
        longer_px: pixels of the longer side.

    Raises:
        PolytopeError: there is no such filling, or no such output.
    """
    points, shape = _pixel_centres(found, longer_px)
    places = found.locate(points)
    inside = np.flatnonzero(places >= 0)
    outputs = _reader(found)
    if callable(faces):
        colours = np.zeros((len(points), 4))
        colours[inside, 3] = 1
        for some in np.array_split(inside, max(1, len(inside) // _CHUNK_PX)):
            colours[some, :3] = np.clip(faces(outputs(places[some], points[some])), 0, 1)
        return Filling(colours.reshape(*shape, 4), "")
    if faces == "identity":
        own = np.concatenate([identity_colours(found.patterns), np.zeros((1, 3))])
        colours = np.concatenate([own[places], (places >= 0)[:, None]], 1)
        return Filling(colours.reshape(*shape, 4), "")
    numbers = np.full(len(points), np.nan)
    if faces == "value":
        check_output(found, output)
        for some in np.array_split(inside, max(1, len(inside) // _CHUNK_PX)):
            numbers[some] = outputs(places[some], points[some])[:, output]
    else:
        numbers[inside] = face_numbers(found, faces, output)[places[inside]]
    labels = {
        "value": f"output {output}",
        "area": "log₁₀ area",
        "slope": "slope",
    }
    return Filling(numbers.reshape(shape), labels[faces])


def face_numbers(found: Partition, faces: str, output: int) -> Doubles:
    """A number for each face (F,): an output at its centroid, the logarithm of its area, or its
    output's slope.

    Source: none, ours.

    Raises:
        PolytopeError: there is no such filling, or no such output.
    """
    if faces not in KINDS[:3]:
        raise PolytopeError(
            f"Cannot fill polytopes: expected faces to be one of {', '.join(KINDS)}, got "
            f"{faces!r}. Choose one of these."
        )
    if faces == "area":
        return np.asarray(np.log10(np.maximum(found.areas, np.finfo(float).tiny)))
    check_output(found, output)
    maps = found.affine_maps()[:, output]
    if faces == "slope":
        return np.asarray(np.hypot(maps[:, 0], maps[:, 1]))
    return np.asarray((maps[:, :2] * found.centroids).sum(1) + maps[:, 2])


def identity_colours(patterns: NDArray[np.uint64]) -> Doubles:
    """Colours by activation pattern: the same one has the same at every epoch and in every window.

    Source: hashes by odd multipliers, which permute words (Knuth 1997, section 6.4).

    Args:
        patterns: uint64 (n, words).

    Returns:
        (n, 3), 0 to 1, light enough for dark lines.

    >>> one = identity_colours(np.array([[1], [2], [1]], np.uint64))
    >>> bool((one[0] == one[2]).all()), bool((one[0] == one[1]).all())
    (True, False)
    """
    # matplotlib takes a third of a second to import: only those who plot wait for it.
    from matplotlib import colormaps  # noqa: PLC0415

    mixed = np.zeros(len(patterns), np.uint64)
    with np.errstate(over="ignore"):
        for word in patterns.T:
            mixed = (mixed ^ word) * _MULTIPLIER
            mixed ^= mixed >> np.uint64(29)
        mixed *= _MULTIPLIER
    hue = (mixed >> np.uint64(44)).astype(np.float64) / 2**20
    shade = ((mixed >> np.uint64(24)) & np.uint64(0xFFFF)).astype(np.float64) / 2**16
    vivid = np.asarray(colormaps["twilight_shifted"](hue))[:, :3]
    light = 0.45 + 0.3 * shade[:, None]
    return np.asarray(light + (1 - light) * vivid)


def check_output(found: Partition, output: Any) -> None:
    """Refuse an output that is none.

    Source: none, ours.

    Raises:
        PolytopeError: it is none.
    """
    count = found.vertex_outputs.shape[1]
    if not 0 <= output < count:
        raise PolytopeError(
            f"Cannot show an output: expected 0 to {count - 1}, got {output}. Choose one of these."
        )


def _reader(found: Partition) -> Callable[[NDArray[np.int64], Doubles], Doubles]:
    """What gives the outputs at points (N, 2), whose faces (N,) are known."""
    if not found.is_whole:
        return lambda _, points: found.evaluate(points)
    maps = cache(found.affine_maps)
    return lambda places, points: apply_maps(maps(), places, points)


def _pixel_centres(found: Partition, longer_px: int) -> tuple[Doubles, tuple[int, int]]:
    low, size = found.vertices.min(0), np.ptp(found.vertices, axis=0)
    width, height = (max(1, round(longer_px * side / size.max())) for side in size.tolist())
    xs = low[0] + (np.arange(width) + 0.5) / width * size[0]
    ys = low[1] + (np.arange(height) + 0.5) / height * size[1]
    return np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2), (height, width)
