"""The formats that people use, at the size of a file or just below."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

#: Name, the feature of Pillow that it needs, and the best effort of the encoder.
FORMATS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("JPEG", "jpg", {"optimize": True}),
    ("WebP", "webp", {"method": 6}),
    ("AVIF", "avif", {"speed": 6}),
)
_QUALITIES = 101


@dataclass(frozen=True, eq=False)
class Opponent:
    """A picture in another format.

    Args:
        name: of the format.
        data: the file; None if no quality of the format is small enough.
        pixels: what it decodes to, uint8 (height, width, 3); None as for ``data``.
    """

    name: str
    data: bytes | None
    pixels: NDArray[np.uint8] | None


def opponents(pixels: NDArray[np.uint8], num_bytes: int) -> Iterator[Opponent]:
    """Encode a picture in each format of this Pillow, at the highest quality that fits.

    Args:
        pixels: uint8 (height, width, 3).
        num_bytes: the largest size of a file.
    """
    picture = Image.fromarray(pixels)
    for name, feature, options in FORMATS:
        if not features.check(feature):
            continue
        data = _largest(picture, name, num_bytes, options)
        decoded = None
        if data is not None:
            decoded = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        yield Opponent(name, data, decoded)


def _largest(
    picture: Image.Image, name: str, num_bytes: int, options: dict[str, Any]
) -> bytes | None:
    """Bisect the quality: sizes rise with it, but for a few bytes."""
    low, high, found = 0, _QUALITIES, None
    while low < high:
        quality = (low + high) // 2
        with io.BytesIO() as file:
            picture.save(file, name.upper(), quality=quality, **options)
            data = file.getvalue()
        if len(data) <= num_bytes:
            low, found = quality + 1, data
        else:
            high = quality
    return found
