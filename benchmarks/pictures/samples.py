"""Photographs and drawings for the benchmarks: scikit-image's, and twelve of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PHOTOGRAPHS: Final = ("astronaut", "coffee", "chelsea", "rocket")
SIDE = 256
_LARGE, _SMALL = 512, 64
_INK, _PAPER, _RED, _BLUE = "#20242c", "#f4f2ec", "#d43d2a", "#2a6fb5"
_GREEN, _SUN = "#3f8f4f", "#f2b134"


def photograph(name: str, side: int = SIDE) -> NDArray[np.uint8]:
    """Return the middle square of a photograph of scikit-image's wheel, (side, side, 3).

    Raises:
        ImportError: scikit-image is not installed; the extra ``bench`` has it.
    """
    import skimage  # noqa: PLC0415 - an extra

    path = next((Path(skimage.__file__).parent / "data").glob(f"{name}.*"))
    picture = Image.open(path).convert("RGB")
    size = min(picture.size)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    middle = picture.crop((left, top, left + size, top + size))
    return np.asarray(middle.resize((side, side), Image.Resampling.LANCZOS))


def drawing(name: str, side: int = _SMALL) -> NDArray[np.uint8]:
    """Return one of `DRAWINGS`, drawn at 512 pixels and averaged down to (side, side, 3)."""
    picture = Image.new("RGB", (_LARGE, _LARGE), _PAPER)
    DRAWINGS[name](ImageDraw.Draw(picture))
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX))


def _letter(text: str, size: int) -> Callable[[ImageDraw.ImageDraw], None]:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        font = ImageFont.load_default(size)
        pen.text((256, 256), text, fill=_INK, font=font, anchor="mm")

    return draw


def _disk(pen: ImageDraw.ImageDraw) -> None:
    pen.ellipse((96, 96, 416, 416), fill=_RED)


def _target(pen: ImageDraw.ImageDraw) -> None:
    for radius, colour in ((220, _RED), (150, _PAPER), (80, _BLUE)):
        pen.ellipse((256 - radius, 256 - radius, 256 + radius, 256 + radius), fill=colour)


def _flag(pen: ImageDraw.ImageDraw) -> None:
    for number, colour in enumerate((_BLUE, _PAPER, _RED)):
        pen.rectangle((number * 171, 80, number * 171 + 171, 432), fill=colour)


def _cross(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((40, 40, 472, 472), fill=_RED)
    pen.rectangle((208, 112, 304, 400), fill=_PAPER)
    pen.rectangle((112, 208, 400, 304), fill=_PAPER)


def _house(pen: ImageDraw.ImageDraw) -> None:
    pen.polygon([(256, 60), (452, 240), (60, 240)], fill=_RED)
    pen.rectangle((110, 240, 402, 460), fill=_SUN)
    pen.rectangle((216, 320, 296, 460), fill=_INK)


def _arrow(pen: ImageDraw.ImageDraw) -> None:
    pen.polygon([(60, 200), (280, 200), (280, 100), (460, 256), (280, 412), (280, 312), (60, 312)],
                fill=_BLUE)  # fmt: skip


def _star(pen: ImageDraw.ImageDraw) -> None:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 220, 90)
    corners = [
        (256 + r * np.cos(a), 256 + r * np.sin(a)) for a, r in zip(angles, radii, strict=True)
    ]
    pen.polygon([(float(x), float(y)) for x, y in corners], fill=_SUN)


def _bars(pen: ImageDraw.ImageDraw) -> None:
    for number, height in enumerate((140, 260, 200, 360)):
        left = 70 + number * 100
        pen.rectangle((left, 440 - height, left + 70, 440), fill=_GREEN)
    pen.rectangle((50, 440, 470, 452), fill=_INK)


def _pie(pen: ImageDraw.ImageDraw) -> None:
    for start, end, colour in ((0, 130, _BLUE), (130, 250, _SUN), (250, 360, _RED)):
        pen.pieslice((66, 66, 446, 446), start, end, fill=colour)


def _mail(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((60, 130, 452, 390), fill=_BLUE)
    pen.line([(60, 130), (256, 280), (452, 130)], fill=_PAPER, width=24)


#: Functions by name, each of which draws on a square of 512 pixels.
DRAWINGS: Final[dict[str, Callable[[ImageDraw.ImageDraw], None]]] = {
    "disk": _disk,
    "target": _target,
    "flag": _flag,
    "cross": _cross,
    "house": _house,
    "arrow": _arrow,
    "star": _star,
    "bars": _bars,
    "pie": _pie,
    "mail": _mail,
    "letter A": _letter("A", 440),
    "letters ab": _letter("ab", 320),
}
