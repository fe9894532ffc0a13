"""Compiled loops that draw lines over pixels. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

_FULL = np.uint32(255)
_HALF = np.uint32(127)


@compiled
def mix(
    panel: NDArray[np.uint8],
    cover: NDArray[np.uint8],
    numbers: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    light: int,
) -> None:
    """Mix the colours of lines into pixels, by the share that is covered.

    Args:
        panel: uint8 (H, W, 3), changed in place.
        cover: uint8 (H, W), covered shares in 1/255.
        numbers: uint8 (H, W), rows of the palette.
        palette: uint8 (k, 3); if empty, (0, 3): black on light and white on dark pixels.
        light: luma from which a pixel counts as light, with the weights of `colours.luma`.
    """
    height, width = cover.shape
    for row in range(height):
        for column in range(width):
            share = np.uint32(cover[row, column])
            if share == 0:
                continue
            pixel = panel[row, column]
            number = min(int(numbers[row, column]), len(palette) - 1)
            weighed = 77 * int(pixel[0]) + 150 * int(pixel[1]) + 29 * int(pixel[2])
            plain = np.uint32(255 if (weighed >> 8) < light else 0)
            for channel in range(3):
                colour = plain if len(palette) == 0 else np.uint32(palette[number, channel])
                mixed = np.uint32(pixel[channel]) * (_FULL - share) + colour * share
                pixel[channel] = (mixed + _HALF) // _FULL
