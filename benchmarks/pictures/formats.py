"""Is a network the best file of a picture at a few hundred bytes, or at 0.1 to 0.3 bits a pixel?

``python -m benchmarks.pictures.formats [--quick] [--seconds 60] [--parts drawings,photographs]``

Drawings are compared with PNG of 16 colours, WebP, AVIF, JPEG XL and traced SVG at 100 to 600
bytes; at their own size, and at eight times that, where the drawing itself is drawn anew.
Photographs of 256 x 256 are compared with JPEG, WebP, AVIF and COIN. Every rival has its best
quality and settings by PSNR.

Each cell is written into ``docs/results/pictures.json`` as soon as it is measured, so that the
command can be stopped and goes on; drawings at 300 bytes come first. A search, and COIN, get
``--seconds`` of processor time in one thread. ``python -m benchmarks.pictures.formats_page`` writes
the page of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.cells import Cell, CellTable
from benchmarks.harness.folders import RESULTS
from benchmarks.harness.timing import argument_parser
from benchmarks.pictures.coin import coin
from benchmarks.pictures.rivals import Rival, best_within, rivals
from benchmarks.pictures.samples import DRAWINGS, PHOTOGRAPHS, SIDE, drawing, photograph
from benchmarks.pictures.searches import drawn, searched
from bitfold.experiments.pictures.similarity import psnr_db

Pixels = NDArray[np.uint8]

TABLE: Final = RESULTS / "pictures.json"
#: The side of a drawing in pixels, and the factor of its enlargement.
DRAWING_SIDES: Final = (64, 256)
TIMES: Final = 8
#: The sizes in bytes; the requirement is on the first.
DRAWING_BYTES: Final = (300, 200, 450, 100, 600)
BITS_PER_PIXEL: Final = (0.3, 0.2, 0.1)
OURS: Final = "bitfold"
DRAWING_RIVALS: Final = (
    "PNG, 16 colours",
    "WebP, lossless",
    "WebP",
    "AVIF",
    "JPEG XL",
    "traced SVG",
)
PHOTOGRAPH_RIVALS: Final = ("JPEG", "WebP", "AVIF")
#: The largest PSNR in dB, which lossless files get.
MOST_DB: Final = 99.0


def cell_name(picture: str, side: int, num_bytes: int, method: str) -> str:
    """Return the name of a cell of the table.

    >>> cell_name("house", 64, 300, "bitfold")
    'house, 64 px, 300 bytes, bitfold'
    """
    return f"{picture}, {side} px, {num_bytes} bytes, {method}"


def photograph_bytes(bits_per_pixel: float) -> int:
    """Return the bytes of a photograph of 256 x 256 pixels."""
    return int(bits_per_pixel * SIDE * SIDE / 8)


def likeness(truth: Pixels, shown: Pixels) -> tuple[float, float]:
    """Return PSNR in dB, at most 99, and SSIM as scikit-image computes it with Gaussian windows."""
    from skimage.metrics import structural_similarity  # noqa: PLC0415 - an extra

    quality = min(psnr_db(truth, shown), MOST_DB)
    similarity = structural_similarity(  # type: ignore[no-untyped-call, unused-ignore] # as it has it
        truth, shown, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255,
    )  # fmt: skip
    return round(quality, 2), round(float(similarity), 4)


def measure_drawings(
    table: CellTable, names: list[str], side: int, num_bytes: int, seconds: float
) -> None:
    """Measure all cells of drawings at a side and a size."""
    for name in names:
        pixels, large = drawing(name, side), drawing(name, TIMES * side)
        named = partial(cell_name, name, side, num_bytes)

        def compared(draw: Callable[[int], Pixels], pixels: Pixels, large: Pixels) -> Cell:
            own, enlarged = likeness(pixels, draw(len(pixels))), likeness(large, draw(len(large)))
            return {"psnr_db": own[0], "ssim": own[1], "large_psnr_db": enlarged[0],
                    "large_ssim": enlarged[1]}  # fmt: skip

        def ours(pixels: Pixels = pixels, large: Pixels = large) -> Cell:
            found = searched(pixels, num_bytes, seconds)
            return {**compared(partial(drawn, found["file"]), pixels, large), **found}

        def theirs(method: str, name: str = name, pixels: Pixels = pixels,
                   large: Pixels = large) -> Cell:  # fmt: skip
            best = best_within(_drawing_rivals(name, side)[method], num_bytes)
            if best is None:
                return {"num_bytes": None}
            return {"num_bytes": best.num_bytes, **compared(best.draw, pixels, large)}

        for method in DRAWING_RIVALS:
            table.measured(named(method), partial(theirs, method))
        table.measured(named(OURS), ours)


def measure_photographs(table: CellTable, bits_per_pixel: float, seconds: float) -> None:
    """Measure all cells of photographs at a number of bits a pixel."""
    num_bytes = photograph_bytes(bits_per_pixel)
    for name in PHOTOGRAPHS:
        pixels = photograph(name)
        named = partial(cell_name, name, SIDE, num_bytes)

        def row(size: int, shown: Pixels, pixels: Pixels = pixels) -> Cell:
            quality, similarity = likeness(pixels, shown)
            return {"num_bytes": size, "psnr_db": quality, "ssim": similarity}

        def ours(pixels: Pixels = pixels) -> Cell:
            found = searched(pixels, num_bytes, seconds)
            return {**row(found["num_bytes"], drawn(found["file"], SIDE), pixels), **found}

        def theirs(method: str, name: str = name) -> Cell:
            best = best_within(_photograph_rivals(name)[method], num_bytes)
            return {"num_bytes": None} if best is None else row(best.num_bytes, best.draw(SIDE))

        def opponent(pixels: Pixels = pixels) -> Cell:
            return row(*coin(pixels, num_bytes, seconds), pixels)

        for method in PHOTOGRAPH_RIVALS:
            table.measured(named(method), partial(theirs, method))
        table.measured(named(OURS), ours)
        table.measured(named("COIN"), opponent)


@cache
def _drawing_rivals(name: str, side: int) -> dict[str, list[Rival]]:
    return rivals(drawing(name, side), DRAWING_RIVALS)


@cache
def _photograph_rivals(name: str) -> dict[str, list[Rival]]:
    return rivals(photograph(name), PHOTOGRAPH_RIVALS)


def main() -> None:
    """Measure the missing cells of the table, the most important first."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time of a search")
    parser.add_argument("--parts", default="drawings,photographs")
    parser.add_argument("--sides", default=",".join(map(str, DRAWING_SIDES)), help="of drawings")
    parser.add_argument("--bytes", default=",".join(map(str, DRAWING_BYTES)), help="of drawings")
    parser.add_argument("--drawings", default=",".join(DRAWINGS), help="some of them")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sides, sizes = ([int(word) for word in text.split(",")] for text in (given.sides, given.bytes))
    path, seconds, rates = given.output or TABLE, given.seconds, list(BITS_PER_PIXEL)
    if given.quick:
        path, seconds = path.with_suffix(".quick.json"), 3.0
        sides, sizes, rates = [64], [300], rates[:1]
    table = CellTable(path)
    if "drawings" in given.parts:
        for num_bytes in sizes:
            for side in sides:
                measure_drawings(table, given.drawings.split(","), side, num_bytes, seconds)
    if "photographs" in given.parts:
        for bits_per_pixel in rates:
            measure_photographs(table, bits_per_pixel, seconds)


if __name__ == "__main__":
    main()
