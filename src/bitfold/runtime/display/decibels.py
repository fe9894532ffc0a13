"""The peak signal-to-noise ratio, as a number and as text."""

from __future__ import annotations

import math


def psnr_of(error: float) -> float:
    """Return a PSNR in dB, where black to white is 1; equal pictures have infinity.

    Args:
        error: mean squared error.

    >>> psnr_of(0.001), psnr_of(0.0)
    (30.0, inf)
    """
    return math.inf if error == 0 else -10 * math.log10(error)


def psnr_text(value: float) -> str:
    """Return a PSNR in dB as text, which says of equal pictures that they are.

    >>> psnr_text(31.416), psnr_text(110.0), psnr_text(math.inf)
    ('31.42 dB', '110.00 dB', 'exact')
    """
    return "exact" if value == math.inf else f"{value:.2f} dB"
