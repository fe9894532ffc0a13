"""Long series as few points as a picture can show, with no spike lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

# A panel of a figure is some 500 pixels wide; two pixels a bin show every bend.
NUM_BINS: Final = 240


@dataclass(frozen=True, eq=False)
class Envelope:
    """A series in bins: its middle, and the range that it covers.

    Args:
        epochs: float64 (bins,), ascending.
        middle: float64 (bins,), the median of each bin; not a number where the series has a gap.
        low: float64 (bins,), its minimum.
        high: float64 (bins,), its maximum.
    """

    epochs: Floats
    middle: Floats
    low: Floats
    high: Floats


def as_floats(column: Sequence[float | None]) -> Floats:
    """Turn a column of metrics into numbers, with gaps where there are none.

    Args:
        column: finite numbers, None or other floats.

    Returns:
        float64 (N,); what is missing or not finite is not a number.

    >>> as_floats([1.0, None, float("inf")]).tolist()
    [1.0, nan, nan]
    """
    values = np.array([np.nan if value is None else value for value in column], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def envelope(
    epochs: Floats, values: Floats, num_bins: int = NUM_BINS, *, by_ratio: bool = False
) -> Envelope:
    """Reduce a series to bins of equally many epochs, keeping every minimum and maximum.

    Args:
        epochs: float64 (N,), ascending.
        values: float64 (N,), not a number in gaps.
        num_bins: at most so many bins, >= 1.
        by_ratio: for a logarithmic scale: bins get longer in equal ratios, from one epoch on.

    Returns:
        The series itself if it has no more than two values a bin.

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
    """Find values between two gaps, which a line would not show.

    Args:
        values: float64 (N,).

    Returns:
        bool (N,).

    >>> lone(np.array([1.0, np.nan, 2.0, 3.0])).tolist()
    [True, False, False, False]
    """
    is_gap = np.isnan(np.concatenate([[np.nan], values, [np.nan]]))
    return np.asarray(~is_gap[1:-1] & is_gap[:-2] & is_gap[2:])
