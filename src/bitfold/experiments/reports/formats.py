"""Numbers as a report shows them."""

from __future__ import annotations

import math

from bitfold.experiments.quality import Quality
from bitfold.runtime.display.decibels import psnr_text


def count(number: int) -> str:
    """A whole number with commas.

    Example:
        >>> count(12345)
        '12,345'
    """
    return f"{number:,}"


def number(value: float | None) -> str:
    """Four digits; a dash for a number that is missing.

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
    """A share with two decimals.

    Example:
        >>> percent(0.01234)
        '1.23 %'
    """
    return f"{100 * share:.2f} %"


def width(share: float) -> str:
    """A share as a width in CSS.

    Example:
        >>> width(0.5)
        '50.00%'
    """
    return f"{100 * share:.2f}%"


def decibels(quality: Quality) -> str:
    """The peak signal-to-noise ratio; a dash for classes."""
    found = quality.psnr_db
    if found is None or math.isnan(found):
        return "-"
    return psnr_text(found)
