"""Is the straightforward program as fast as such programs are? Its ratios against known ones.

The known figures were measured once, on another such implementation (2 cores, x86-64, PyTorch
2.13); ratios between them travel between machines, times do not.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.3
# (lowest, highest) seconds of the known implementation.
KNOWN_SECONDS = {
    "small_epoch": (0.021, 0.021),
    "small_epoch_k": (0.031, 0.036),
    "large_epoch": (0.033, 0.033),
    "large_epoch_k": (1.5, 1.5),
    "small_frame": (0.24, 0.33),
    "large_frame": (5.0, 6.0),
}
RATIOS = (
    ("epoch with K / without, [10]*8", "small_epoch_k", "small_epoch"),
    ("epoch with K / without, [100]*5", "large_epoch_k", "large_epoch"),
    ("epoch of [100]*5 / [10]*8", "large_epoch", "small_epoch"),
    ("epoch with K of [100]*5 / [10]*8", "large_epoch_k", "small_epoch_k"),
    ("frame of [100]*5 / [10]*8", "large_frame", "small_frame"),
    ("frame / epoch, [10]*8", "small_frame", "small_epoch"),
    ("frame / epoch, [100]*5", "large_frame", "large_epoch"),
)


@dataclass(frozen=True)
class Measured:
    """Seconds of the straightforward program on this machine."""

    small_epoch: float
    small_epoch_k: float
    large_epoch: float
    large_epoch_k: float
    small_frame: float
    large_frame: float

    @classmethod
    def of(cls, seconds: dict[str, float]) -> Measured:
        """Return the seconds from the rows of `benchmarks.training.speed`."""
        return cls(
            seconds["epoch, [10]*8, no K"],
            seconds["epoch, [10]*8, K"],
            seconds["epoch, [100]*5, no K"],
            seconds["epoch, [100]*5, K"],
            seconds["frame, [10]*8"],
            seconds["frame, [100]*5"],
        )


def check_against_anchors(measured: Measured) -> list[dict[str, object]]:
    """Print each ratio beside the known one, and whether it agrees within 30 %.

    A known figure that is a range gives a range of ratios; agreement is within 30 % of its nearer
    end.
    """
    print("\nThe straightforward program's own ratios against another such implementation's:")
    rows: list[dict[str, object]] = []
    for name, above, below in RATIOS:
        ratio = getattr(measured, above) / getattr(measured, below)
        lowest = KNOWN_SECONDS[above][0] / KNOWN_SECONDS[below][1]
        highest = KNOWN_SECONDS[above][1] / KNOWN_SECONDS[below][0]
        agrees = lowest * (1 - TOLERANCE) <= ratio <= highest * (1 + TOLERANCE)
        known = f"{lowest:.3g}" if lowest == highest else f"{lowest:.3g} to {highest:.3g}"
        print(f"  {name:36} {ratio:7.3g}   known {known:14} {'agrees' if agrees else 'DIFFERS'}")
        rows.append(
            {"name": name, "ratio": float(f"{ratio:.3g}"), "known": known, "agrees": agrees}
        )
    if not all(row["agrees"] for row in rows):
        print("  Where they differ, the machine was busy: repeat on a quiet one before quoting.")
    return rows
