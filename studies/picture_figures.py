"""Draws the figures of ``docs/pictures.md``, each by its own training.

``python -m studies.picture_figures [--only house,astronaut,encodings] [--minutes 2]``

- ``house.png``: a drawing, the network of 300 bytes that ``bitfold picture`` finds for it, at three
  times its size, and WebP of the same bytes, enlarged. ``--file`` takes a file that is there.
- ``astronaut.jpg``: the last frame of ``bitfold train`` on a photograph of 512 x 512.
- ``encodings.jpg``: a photograph as it is, and learned by three encodings in equal time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.folders import DOCS
from benchmarks.pictures.encodings import learned_picture
from benchmarks.pictures.networks import SIZES
from benchmarks.pictures.samples import drawing, photograph
from bitfold.cli.main import main as bitfold
from bitfold.experiments import Goal, compress_picture
from bitfold.experiments.pictures.opponents import opponents
from bitfold.experiments.pictures.search import decoded_picture
from bitfold.experiments.pictures.similarity import psnr_db, ssim

FIGURES: Final = DOCS / "figures"
NUM_BYTES: Final = 300
_SIDE, _TIMES, _GAP = 128, 3, 6
_PHOTOGRAPH, _PHOTOGRAPH_SIDE, _FRAME_PX = "astronaut", 512, 1024
_ENCODINGS: Final = ("coordinates", "triangle:5", "grid:5x2")
_RATE, _SECONDS = 3e-3, 20.0


def side_by_side(pictures: list[NDArray[np.uint8]], side: int) -> Image.Image:
    """Return pictures beside each other, each with a side of so many pixels, on white."""
    width = len(pictures) * (side + _GAP) - _GAP
    sheet = Image.new("RGB", (width, side), "white")
    for number, pixels in enumerate(pictures):
        tile = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(tile, (number * (side + _GAP), 0))
    return sheet


def draw_house(file: Path | None, minutes: float) -> None:
    """Draw the house beside WebP."""
    pixels = drawing("house", _SIDE)
    with tempfile.TemporaryDirectory(prefix="bitfold-study-") as folder:
        path = file or Path(folder) / "house.bitfold"
        if file is None:
            source = Path(folder) / "house.png"
            Image.fromarray(pixels).save(source)
            compress_picture(source, path, Goal(num_bytes=NUM_BYTES), minutes)
        size = path.stat().st_size
        own = decoded_picture(path, _SIDE, _SIDE)
        large = decoded_picture(path, _TIMES * _SIDE, _TIMES * _SIDE)
    print(f"bitfold: {size} bytes, {psnr_db(pixels, own):.2f} dB, SSIM {ssim(pixels, own):.4f}")
    webp = None
    for rival in opponents(pixels, NUM_BYTES):
        if rival.pixels is None or rival.data is None:
            print(f"{rival.name}: no file of {NUM_BYTES} bytes")
            continue
        quality, similarity = psnr_db(pixels, rival.pixels), ssim(pixels, rival.pixels)
        print(f"{rival.name}: {len(rival.data)} bytes, {quality:.2f} dB, SSIM {similarity:.4f}")
        webp = rival.pixels if rival.name == "WebP" else webp
    shown = [pixels, large, *([] if webp is None else [webp])]
    side_by_side(shown, _TIMES * _SIDE).save(FIGURES / "house.png", optimize=True)


def draw_astronaut(minutes: float) -> None:
    """Train on the photograph with the settings that suit it, and keep the last frame."""
    with tempfile.TemporaryDirectory(prefix="bitfold-study-") as folder:
        source, run = Path(folder) / f"{_PHOTOGRAPH}.png", Path(folder) / "run"
        Image.fromarray(photograph(_PHOTOGRAPH, _PHOTOGRAPH_SIDE)).save(source)
        bitfold(["train", str(source), "--minutes", str(minutes), "--output-dir", str(run)])
        frame = Image.open(run / "last_frame.png").convert("RGB")
    frame.thumbnail((_FRAME_PX, _FRAME_PX), Image.Resampling.LANCZOS)
    frame.save(FIGURES / "astronaut.jpg", quality=88)


def draw_encodings() -> None:
    """Learn the photograph by each encoding, and show it as it is, then by each of them."""
    pixels = photograph(_PHOTOGRAPH)
    torch.set_num_threads(1)
    pictures = [pixels]
    for name in _ENCODINGS:
        shown, _ = learned_picture(
            pixels, SIZES["13k"][name], scale=1.0, rate=_RATE, seconds=_SECONDS, seed=0
        )
        pictures.append(shown.mul(255).round().to(torch.uint8).numpy())
        print(f"{name}: {psnr_db(pixels, pictures[-1]):.2f} dB")
    side_by_side(pictures, len(pixels)).save(FIGURES / "encodings.jpg", quality=90)


def main() -> None:
    """Draw the figures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="house,astronaut,encodings")
    parser.add_argument("--file", type=Path, help="a file of the house, 128 pixels, that is there")
    parser.add_argument("--minutes", type=float, default=2.0, help="of a training of the first two")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if "house" in wanted:
        draw_house(given.file, given.minutes)
    if "astronaut" in wanted:
        draw_astronaut(given.minutes)
    if "encodings" in wanted:
        draw_encodings()


if __name__ == "__main__":
    main()
