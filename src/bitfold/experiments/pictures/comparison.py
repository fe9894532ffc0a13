"""A picture's file beside JPEG, WebP and AVIF of the same size: numbers, and a page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import RenderError
from bitfold.experiments.pictures.opponents import opponents
from bitfold.experiments.pictures.search import PictureFile, decoded_picture
from bitfold.experiments.pictures.similarity import psnr_db, ssim
from bitfold.experiments.reports.figures import image
from bitfold.experiments.reports.page import POLICY, environment
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.installed_version import installed_version

#: The picture is also shown at this many times its size, where that is at most `_MOST_PX`.
_TIMES, _MOST_PX = 8, 1024


@dataclass(frozen=True, eq=False)
class Rival:
    """One file of a picture.

    Args:
        name: ``bitfold``, or of the format.
        num_bytes: its size; None if the format has no file that is small enough.
        psnr_db: over all pixels; None without a file.
        ssim: see `similarity.ssim`; None without a file.
        pixels: what it decodes to, uint8 (height, width, 3); None without a file.
    """

    name: str
    num_bytes: int | None = None
    psnr_db: float | None = None
    ssim: float | None = None
    pixels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """A picture's file beside other formats.

    Args:
        found: the outcome of the search, which has a file.
        rivals: bitfold first, then each format of this Pillow at the same size or just below.
        decoding_seconds: of bitfold's file, from its bytes to pixels.
    """

    found: PictureFile
    rivals: tuple[Rival, ...]
    decoding_seconds: float

    def write_page(self, path: Path) -> None:
        """Write all pictures side by side as one HTML page that refers to nothing else.

        Raises:
            RenderError: the page cannot be written.
        """
        height, width, _ = self.found.original.shape
        large = decoded_picture(self.found.path, *self._large_px(width, height))
        text = environment().get_template("picture.html").render(
            policy=POLICY,
            name=Path(self.found.record.target).name,
            original=image(self.found.original),
            rivals=[(one, None if one.pixels is None else image(one.pixels))
                    for one in self.rivals],
            large=image(large),
            seconds=self.decoding_seconds,
            minutes=self.found.record.spent_minutes,
            best=self.found.best,
            version=installed_version("bitfold"),
        )  # fmt: skip
        try:
            write_atomically(path, text.encode())
        except OSError as error:
            raise RenderError(
                f"Cannot write {path}: {error.strerror}. Free some space, or choose another path."
            ) from None

    @staticmethod
    def _large_px(width: int, height: int) -> tuple[int, int]:
        times = min(_TIMES, max(1, _MOST_PX // max(width, height)))
        return times * width, times * height


def compare_picture(found: PictureFile) -> Comparison:
    """Measure a picture's file, and each format of this Pillow at the same size or just below.

    Args:
        found: the outcome of a search that has a file.
    """
    original, data = found.original, found.path.read_bytes()
    found.decoded()  # what is compiled once, is not decoding
    start = time.perf_counter()
    decoded = found.decoded()
    seconds = time.perf_counter() - start
    others = [(one.name, one.data, one.pixels) for one in opponents(original, len(data))]
    rivals = [_rival(original, *one) for one in [("bitfold", data, decoded), *others]]
    return Comparison(found, tuple(rivals), seconds)


def _rival(
    original: NDArray[np.uint8], name: str, data: bytes | None, pixels: NDArray[np.uint8] | None
) -> Rival:
    if data is None or pixels is None:
        return Rival(name)
    return Rival(name, len(data), psnr_db(original, pixels), ssim(original, pixels), pixels)
