"""Strokes of a page on the pixels of a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont
from scipy import ndimage

from bitfold.errors import StudioError
from bitfold.runtime.strangers.bounded_json import shortened

_GREY, _RGB = "L", "RGB"
# The bounding box of a capital letter, in sizes of the font.
_LETTER_ANCHOR = "mm"
_EDGE = 0.5


@dataclass(frozen=True)
class Stroke:
    """One movement of a tool.

    Args:
        tool: one of `bitfold.studio.wire.commands.TOOLS`.
        points: its path, in coordinates of the picture: -0.5 to 0.5.
        radius: half the width of a line, or half the height of a letter, in heights of the picture.
        colour: as ``#rrggbb``; the eraser and ``clear`` need none.
        text: the letters.
    """

    tool: str
    points: Sequence[Sequence[float]]
    radius: float
    colour: str = "#ffffff"
    text: str = ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Stroke:
        """Return the stroke of a command's fields."""
        return cls(
            values["tool"],
            values["points"],
            values["radius"],
            values["colour"],
            values.get("text") or "",
        )


def painted(pixels: NDArray[Any], stroke: Stroke, original: NDArray[Any]) -> NDArray[Any]:
    """Return pixels with a stroke on them; the argument stays as it is.

    Args:
        pixels: (frames, height, width, channels) of 1 or 3 channels, uint8 or uint16; a clip is
            painted in all its frames.
        stroke: the stroke.
        original: pixels of the same shape, which the eraser brings back.

    Raises:
        StudioError: the colour is none.

    >>> black = np.zeros((1, 8, 8, 1), np.uint8)
    >>> stroke = Stroke("brush", [[0.0, 0.0]], 0.1, "#ffffff")
    >>> int(painted(black, stroke, black).max()), int(black.max())
    (255, 0)
    """
    frames, height, width, channels = pixels.shape
    mode = _GREY if channels == 1 else _RGB
    colour = _colour_of(stroke.colour, mode)
    found = pixels.copy()
    for number in range(frames):
        if stroke.tool == "fill":
            cover = _filled(pixels[number], stroke.points[-1])
        else:
            cover = _covered(stroke, width, height)
        if stroke.tool in {"eraser", "clear"}:
            found[number][cover] = original[number][cover]
        else:
            found[number][cover] = np.asarray(colour) * (np.iinfo(pixels.dtype).max // 255)
    return found


def _covered(stroke: Stroke, width: int, height: int) -> NDArray[np.bool_]:
    """Return the pixels (height, width) that a stroke covers."""
    if stroke.tool == "clear":
        return np.ones((height, width), bool)
    mask = Image.new("1", (width, height))
    draw = ImageDraw.Draw(mask)
    path = [_pixel(point, width, height) for point in stroke.points]
    radius = max(0.5, stroke.radius * height)
    if stroke.tool == "letter":
        font = ImageFont.load_default(max(4.0, 2 * radius))
        draw.text(path[-1], stroke.text, fill=1, font=font, anchor=_LETTER_ANCHOR)
    else:
        for x, y in path:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
        draw.line(path, fill=1, width=max(1, round(2 * radius)))
    return np.asarray(mask)


def _filled(frame: NDArray[Any], point: Sequence[float]) -> NDArray[np.bool_]:
    """Return the pixels (height, width) of one colour around a point."""
    height, width, _ = frame.shape
    if max(abs(c) for c in point) > _EDGE:
        return np.zeros((height, width), bool)
    # The right and the lower edge belong to the last pixels.
    x = min(int((point[0] + _EDGE) * width), width - 1)
    y = min(int((point[1] + _EDGE) * height), height - 1)
    regions, _ = ndimage.label((frame == frame[y, x]).all(-1))
    return np.asarray(regions == regions[y, x])


def _pixel(point: Sequence[float], width: int, height: int) -> tuple[float, float]:
    """Return a point in pixels, where the centre of the first pixel is (0, 0)."""
    return (point[0] + 0.5) * width - 0.5, (point[1] + 0.5) * height - 0.5


def _colour_of(text: str, mode: str) -> tuple[int, ...]:
    try:
        found = ImageColor.getcolor(text, mode)
    except ValueError:
        raise StudioError(
            f"Cannot paint: expected a colour such as #d55e00, got {shortened(text)}."
        ) from None
    return found if isinstance(found, tuple) else (found,)
