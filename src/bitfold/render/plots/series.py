"""Reduces long series to as many points as a picture can show, without losing a spike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

# Panels of figures are about 500 pixels wide; bins of two pixels show every bend.
NUM_BINS: Final = 240


@dataclass(frozen=True, eq=False)
class Envelope:
    """A series in bins: its median and range.

    Args:
        epochs: float64 (bins,), ascending.
        middle: float64 (bins,), the median of each bin; NaN in gaps.
        low: float64 (bins,), the minimum of each bin.
        high: float64 (bins,), the maximum of each bin.
    """

    epochs: Floats
    middle: Floats
    low: Floats
    high: Floats


def as_floats(column: Sequence[float | None]) -> Floats:
    """Convert a column of metrics to an array, with NaN for gaps.

    Args:
        column: numbers, or None.

    Returns:
        float64 (N,); NaN where a number is missing or not finite.

    >>> as_floats([1.0, None, float("inf")]).tolist()
    [1.0, nan, nan]
    """
    values = np.array([np.nan if value is None else value for value in column], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def envelope(
    epochs: Floats, values: Floats, num_bins: int = NUM_BINS, *, by_ratio: bool = False
) -> Envelope:
    """Reduce a series to bins of the same number of epochs, with their minima and maxima.

    Args:
        epochs: float64 (N,), ascending.
        values: float64 (N,), NaN in gaps.
        num_bins: largest number of bins, >= 1.
        by_ratio: whether bins grow in equal ratios from one epoch on, for a logarithmic scale.

    Returns:
        The bins; or the series itself, if it has at most two values for each bin.

    >>> envelope(np.arange(6.0), np.array([1.0, 9, 2, 3, 0, 4]), 2).high.tolist()
    [9.0, 4.0]
    """
    if len(epochs) <= 2 * num_bins:
        return Envelope(epochs, values, values, values)
    edges = np.linspace(0, len(epochs), num_bins + 1).astype(np.intp)
    if by_ratio:
        edges = np.geomspace(1, len(epochs) + 1, num_bins + 1).round().astype(np.intp) - 1
        edges = np.unique(edges)
    starts = edges[:-1]
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    middle = np.full(len(starts), np.nan)
    for position, (start, stop) in enumerate(zip(starts, edges[1:], strict=True)):
        finite = values[start:stop]
        finite = finite[np.isfinite(finite)]
        if len(finite):
            middle[position] = np.median(finite)
    centres = (epochs[starts] + epochs[edges[1:] - 1]) / 2
    return Envelope(centres, middle, low, high)


def lone(values: Floats) -> npt.NDArray[np.bool_]:
    """Find values between two gaps, which a line cannot show.

    Args:
        values: float64 (N,).

    Returns:
        bool (N,), true for these values.

    >>> lone(np.array([1.0, np.nan, 2.0, 3.0])).tolist()
    [True, False, False, False]
    """
    is_gap = np.isnan(np.concatenate([[np.nan], values, [np.nan]]))
    return np.asarray(~is_gap[1:-1] & is_gap[:-2] & is_gap[2:])
