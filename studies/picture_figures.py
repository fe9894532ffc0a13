"""What does a network of 300 bytes look like beside WebP? Draws the figure of ``docs/pictures.md``.

``python -m studies.picture_figures [--file house.bitfold] [--minutes 2]`` searches for a file of
the house as ``bitfold picture`` does, or takes one that is given, and writes
``docs/figures/house.png``: the drawing, the network at three times its size, and WebP enlarged.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.folders import DOCS
from benchmarks.pictures.samples import drawing
from bitfold.experiments import Goal, compress_picture
from bitfold.experiments.pictures.opponents import opponents
from bitfold.experiments.pictures.search import decoded_picture
from bitfold.experiments.pictures.similarity import psnr_db, ssim

FIGURE: Final = DOCS / "figures" / "house.png"
NUM_BYTES: Final = 300
_SIDE, _TIMES, _GAP = 128, 3, 6


def side_by_side(pictures: list[NDArray[np.uint8]]) -> Image.Image:
    """Return pictures of one height beside each other, on white."""
    side = _TIMES * _SIDE
    width = len(pictures) * (side + _GAP) - _GAP
    sheet = Image.new("RGB", (width, side), "white")
    for number, pixels in enumerate(pictures):
        tile = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(tile, (number * (side + _GAP), 0))
    return sheet


def main() -> None:
    """Search, or take a given file; then draw, and print the numbers of the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, help="a file of the house instead of a search")
    parser.add_argument("--minutes", type=float, default=2.0)
    given = parser.parse_args()
    pixels = drawing("house", _SIDE)
    with tempfile.TemporaryDirectory() as folder:
        file = given.file
        if file is None:
            source, file = Path(folder) / "house.png", Path(folder) / "house.bitfold"
            Image.fromarray(pixels).save(source)
            compress_picture(source, file, Goal(num_bytes=NUM_BYTES), given.minutes)
        own = decoded_picture(file, _SIDE, _SIDE)
        large = decoded_picture(file, _TIMES * _SIDE, _TIMES * _SIDE)
        num_bytes = file.stat().st_size
    print(f"bitfold {num_bytes} bytes, {psnr_db(pixels, own):.2f} dB, {ssim(pixels, own):.3f}")
    webp = next(one for one in opponents(pixels, NUM_BYTES) if one.name == "WebP")
    assert webp.data is not None
    assert webp.pixels is not None
    likeness = f"{psnr_db(pixels, webp.pixels):.2f} dB, {ssim(pixels, webp.pixels):.3f}"
    print(f"WebP {len(webp.data)} bytes, {likeness}")
    side_by_side([pixels, large, webp.pixels]).save(FIGURE, optimize=True)


if __name__ == "__main__":
    main()
