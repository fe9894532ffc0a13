"""Numbers as a report tells them."""

from __future__ import annotations

import math

from bitfold.cli.quality import Quality


def number(value: float | None) -> str:
    """Four digits; a dash for what is not there.

    Example:
        >>> number(0.0123456), number(12345.6), number(float("nan")), number(None)
        ('0.01235', '12,346', 'not finite', '-')
    """
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "not finite"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share with two places.

    Example:
        >>> percent(0.01234)
        '1.23 %'
    """
    return f"{100 * share:.2f} %"


def decibels(quality: Quality) -> str:
    """The peak signal-to-noise ratio, or a dash for classes."""
    found = quality.psnr_db
    if found is None or math.isnan(found):
        return "-"
    return "exact" if math.isinf(found) and found > 0 else f"{found:.2f} dB"
