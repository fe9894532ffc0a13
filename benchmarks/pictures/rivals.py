"""Pictures in common formats at all their qualities, and as traced drawings."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitfold.experiments.pictures.similarity import psnr_db

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Rival:
    """A picture in another format.

    Args:
        num_bytes: of its file.
        psnr_db: over all pixels at the picture's own size.
        draw: gives the square picture at a number of pixels along a side.
    """

    num_bytes: int
    psnr_db: float
    draw: Callable[[int], Pixels]


def rivals(pixels: Pixels, formats: tuple[str, ...]) -> dict[str, list[Rival]]:
    """Encode a square picture in each format at each quality.

    Args:
        pixels: uint8 (side, side, 3).
        formats: some of `FORMATS`.

    Raises:
        ImportError: a package of the extra ``bench`` is missing.
    """
    found: dict[str, list[Rival]] = {}
    for name in formats:
        found[name] = []
        for num_bytes, draw in FORMATS[name](Image.fromarray(pixels)):
            quality = psnr_db(pixels, draw(len(pixels)))
            found[name].append(Rival(num_bytes, quality, draw))
    return found


def best_within(candidates: list[Rival], num_bytes: int) -> Rival | None:
    """Return the best file of at most a size; None if all are larger."""
    fitting = [one for one in candidates if one.num_bytes <= num_bytes]
    return max(fitting, key=lambda one: one.psnr_db, default=None)


_Files = Iterator[tuple[int, Callable[[int], Pixels]]]


def _raster(data: bytes) -> tuple[int, Callable[[int], Pixels]]:
    """Return a file of pixels, which enlarges by bicubic interpolation, as viewers do."""
    decoded = Image.open(io.BytesIO(data)).convert("RGB")

    def draw(side: int) -> Pixels:
        return np.asarray(decoded.resize((side, side), Image.Resampling.BICUBIC))

    return len(data), draw


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, kind, **options)
        return file.getvalue()


def _png(picture: Image.Image) -> _Files:
    """Yield palettes of 2 to 16 colours, chosen in two ways."""
    ways = (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE)
    for colours, way in product(range(2, 17), ways):
        yield _raster(_saved(picture.quantize(colours, way, dither=Image.Dither.NONE), "PNG",
                             optimize=True))  # fmt: skip


def _webp_lossless(picture: Image.Image) -> _Files:
    """Yield the unchanged picture, and palettes of 2 to 16 colours."""
    palettes = [picture.quantize(count, dither=Image.Dither.NONE) for count in range(2, 17)]
    for one in (picture, *(palette.convert("RGB") for palette in palettes)):
        yield _raster(_saved(one, "WEBP", lossless=True, quality=100, method=6))


def _jpeg(picture: Image.Image) -> _Files:
    for quality, subsampling in product(range(1, 96, 2), ("4:2:0", "4:4:4")):
        yield _raster(_saved(picture, "JPEG", quality=quality, subsampling=subsampling,
                             optimize=True, progressive=True))  # fmt: skip
        yield _raster(_saved(picture, "JPEG", quality=quality, subsampling=subsampling,
                             optimize=True))  # fmt: skip


def _webp(picture: Image.Image) -> _Files:
    for quality in range(0, 101, 2):
        yield _raster(_saved(picture, "WEBP", quality=quality, method=6))


def _avif(picture: Image.Image) -> _Files:
    for quality, subsampling in product(range(0, 101, 4), ("4:2:0", "4:4:4")):
        yield _raster(_saved(picture, "AVIF", quality=quality, subsampling=subsampling, speed=4))


def _jpeg_xl(picture: Image.Image) -> _Files:
    """Yield lossy files at all qualities, and lossless ones with and without a palette."""
    import pillow_jxl  # noqa: F401, PLC0415 - registers the format

    for quality in range(1, 100, 4):
        yield _raster(_saved(picture, "JXL", quality=quality, effort=9))
    palettes = [picture.quantize(count, dither=Image.Dither.NONE) for count in range(2, 17)]
    for one in (picture, *(palette.convert("RGB") for palette in palettes)):
        yield _raster(_saved(one, "JXL", lossless=True, effort=9))


# For vtracer: the enlargements at which the drawing is traced.
_TIMES, _MODES, _COLOUR_BITS = (1, 4), ("spline", "polygon"), (2, 4, 6)
_COLOUR_STEPS, _SPECKLES, _CORNERS = (16, 64), (2, 16), (30, 60)


def _traced(picture: Image.Image) -> _Files:
    """Yield paths of vtracer at many settings, with the shortest header, compressed by Brotli."""
    import brotli  # noqa: PLC0415 - of the extra
    import vtracer  # noqa: PLC0415 - of the extra

    settings = product(_TIMES, _MODES, _COLOUR_BITS, _COLOUR_STEPS, _SPECKLES, _CORNERS)
    for times, mode, bits, step, speckle, corner in settings:
        side = times * picture.width
        large = picture.resize((side, side), Image.Resampling.BICUBIC)
        svg = vtracer.convert_raw_image_to_svg(
            _saved(large, "PNG"), img_format="png", mode=mode, color_precision=bits,
            layer_difference=step, filter_speckle=speckle, corner_threshold=corner,
            path_precision=0,
        )  # fmt: skip
        paths = re.search(r"<path.*</svg>", svg, re.DOTALL)
        if paths is None:
            continue
        short = re.sub(r' transform="translate\(0,0\)"|\n| (?=")', "", paths[0])
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">'
        yield len(brotli.compress(f"{head}{short}".encode())), _drawer(head + short)


def _drawer(svg: str) -> Callable[[int], Pixels]:
    import resvg_py  # noqa: PLC0415 - of the extra

    def draw(side: int) -> Pixels:
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))

    return draw


#: All files of a picture, by the format's name.
FORMATS: Final[dict[str, Callable[[Image.Image], _Files]]] = {
    "PNG, 16 colours": _png,
    "WebP, lossless": _webp_lossless,
    "WebP": _webp,
    "AVIF": _avif,
    "JPEG": _jpeg,
    "JPEG XL": _jpeg_xl,
    "traced SVG": _traced,
}
