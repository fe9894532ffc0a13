"""How alike two pictures look: PSNR and SSIM of arrays of bytes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bitfold.runtime.display.decibels import psnr_of

Pixels = NDArray[np.uint8]

_SIGMA, _TRUNCATE = 1.5, 3.5
_PEAK = 255.0
# The constants of the formula: shares of the peak, squared.
_C1: Final = (0.01 * _PEAK) ** 2
_C2: Final = (0.03 * _PEAK) ** 2


def psnr_db(first: Pixels, second: Pixels) -> float:
    """Return the peak signal-to-noise ratio in decibels; infinite for equal pictures.

    Args:
        first: uint8 (height, width, channels).
        second: of the same shape.

    >>> round(psnr_db(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 51, np.uint8)), 2)
    13.98
    """
    error = float(((first.astype(np.float64) - second) ** 2).mean())
    return psnr_of(error / _PEAK**2)


def ssim(first: Pixels, second: Pixels) -> float:
    """Return the mean structural similarity over pixels and channels, 1 for equal pictures.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural
    similarity", equation 13, with a Gaussian window of standard deviation 1.5 pixels.

    Args:
        first: uint8 (height, width, channels).
        second: of the same shape.

    >>> picture = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    >>> ssim(picture, picture)
    1.0
    """
    x, y = first.astype(np.float64), second.astype(np.float64)
    mean_x, mean_y = _smoothed(x), _smoothed(y)
    var_x = _smoothed(x * x) - mean_x**2
    var_y = _smoothed(y * y) - mean_y**2
    both = _smoothed(x * y) - mean_x * mean_y
    share = ((2 * mean_x * mean_y + _C1) * (2 * both + _C2)) / (
        (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    )
    return float(share.mean())


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = gaussian_filter(values, (_SIGMA, _SIGMA, 0), truncate=_TRUNCATE)
    return found
