"""Pictures that fill the faces of a partition: numbers or colours, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes.backends import Backend
from bitfold.polytopes.drawing.raster import Raster

Doubles = NDArray[np.float64]
OutputColours = Callable[[Doubles], Doubles]
"""From outputs (N, outputs) to colours (N, 3), 0 to 1."""
FaceColouring = Literal["value", "area", "slope", "identity", "none"] | OutputColours

FACE_COLOURINGS: Final = ("value", "area", "slope", "identity", "none")
# Outputs of pixels that are held at a time: 128 MB.
_MOST_OUTPUTS = 2**24
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Filling:
    """A picture of the faces.

    Args:
        pixels: float64 (height, width), NaN outside the domain; or colours (height, width, 4): red,
            green, blue and opacity, 0 to 1. The first row has the smallest y.
        label: the name of the numbers; empty for colours.
    """

    pixels: Doubles
    label: str


def fill(backend: Backend, colouring: FaceColouring, output: int, longer_px: int) -> Filling:
    """Compute the picture that fills the faces, at the centres of pixels.

    Args:
        backend: the faces and their network.
        colouring: see `Partition.plot`; not "none".
        output: the output that "value" shows.
        longer_px: pixels of the longer side.

    Raises:
        PolytopeError: there is no such colouring or no such output.
    """
    found = backend.subdivision
    raster = Raster.around(found, longer_px)
    if callable(colouring):
        return Filling(_output_colours(backend, raster, colouring), "")
    if colouring == "value":
        check_output(backend.vertex_outputs, output)
        if backend.is_whole:
            shown = backend.vertex_outputs[:, output : output + 1]
            pixels = np.asarray(raster.values(found, shown, np.float64)[..., 0], np.float64)
        else:
            pixels = _evaluated(backend, raster)[..., output]
        return Filling(pixels, f"output {output}")
    faces = raster.faces(found)
    if colouring == "identity":
        # The last row is for pixels outside, whose face is -1.
        own = np.concatenate([identity_colours(backend.patterns), np.zeros((1, 3))])
        return Filling(np.concatenate([own[faces], (faces >= 0)[..., None]], 2), "")
    numbers = np.append(face_numbers(backend, colouring), np.nan)
    label = {"area": "log₁₀ area", "slope": "slope"}[colouring]
    return Filling(numbers[faces], label)


def face_numbers(backend: Backend, colouring: str) -> Doubles:
    """Give each face a number (F,): the logarithm of its area to base 10, or its map's slope.

    Raises:
        PolytopeError: the colouring is neither "area" nor "slope".
    """
    if colouring == "area":
        areas = backend.subdivision.areas
        return np.asarray(np.log10(np.maximum(areas, np.finfo(float).tiny)))
    if colouring == "slope":
        return backend.slopes()
    raise _unknown(colouring)


def check_colouring(colouring: FaceColouring) -> None:
    """Refuse an unknown colouring of faces.

    Raises:
        PolytopeError: it is neither a function nor one of `FACE_COLOURINGS`.
    """
    if not callable(colouring) and colouring not in FACE_COLOURINGS:
        raise _unknown(colouring)


def _unknown(colouring: Any) -> PolytopeError:
    return PolytopeError(
        f"Cannot fill polytopes: expected faces to be one of {', '.join(FACE_COLOURINGS)}, got "
        f"{colouring!r}. Choose one of these."
    )


def identity_colours(patterns: NDArray[np.uint64]) -> Doubles:
    """Give each activation pattern a colour, the same at every epoch and in every window.

    Source: hashes by odd multipliers, which permute words (Knuth 1997, section 6.4).

    Args:
        patterns: uint64 (n, words).

    Returns:
        (n, 3), 0 to 1, light enough for dark lines on top.

    >>> one = identity_colours(np.array([[1], [2], [1]], np.uint64))
    >>> bool((one[0] == one[2]).all()), bool((one[0] == one[1]).all())
    (True, False)
    """
    # matplotlib takes a third of a second to import, so it is imported only when needed.
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


def check_output(outputs: Doubles, output: int) -> None:
    """Refuse the number of an output that the network does not have.

    Args:
        outputs: (N, outputs).
        output: the number, from 0.

    Raises:
        PolytopeError: there is no such output.
    """
    count = outputs.shape[1]
    if not 0 <= output < count:
        raise PolytopeError(
            f"Cannot show an output: expected 0 to {count - 1}, got {output}. Choose one of these."
        )


def _output_colours(backend: Backend, raster: Raster, colours: OutputColours) -> Doubles:
    """Colours (height, width, 4) of the outputs at the pixels, transparent outside."""
    picture = np.zeros((raster.height, raster.width, 4))
    num_outputs = backend.vertex_outputs.shape[1]
    for rows, band in raster.bands(_MOST_OUTPUTS // num_outputs):
        if backend.is_whole:
            outputs = band.values(backend.subdivision, backend.vertex_outputs, np.float64)
        else:
            outputs = _evaluated(backend, band)
        inside = ~np.isnan(outputs[..., 0])
        picture[rows, :, 3] = inside
        picture[rows, :, :3][inside] = np.clip(colours(outputs[inside]), 0, 1)
    return picture


def _evaluated(backend: Backend, raster: Raster) -> Doubles:
    """The network's outputs at the pixels' centres (height, width, outputs), NaN outside.

    For faces on which the network is not affine.
    """
    inside = raster.faces(backend.subdivision) >= 0
    outputs = np.full((*inside.shape, backend.vertex_outputs.shape[1]), np.nan)
    outputs[inside] = backend.outputs_at(raster.centres()[inside])
    return outputs
