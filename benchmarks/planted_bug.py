"""The bug that bitfold exists to prevent, planted for as long as a benchmark needs it.

Nothing in the package does this: a hard bin is an integer, and no gradient passes an integer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from torch import Tensor

from bitfold.kolmogorov import Bins, SoftTargets
from bitfold.kolmogorov.out_of_range import confine
from bitfold.kolmogorov.soft_targets import MIN_TEMPERATURE, Shares


class HardTargets:
    """Gives a weight wholly to the bin below it, as a cast to an integer does.

    The predictor still gets its gradient; the slope by the weight is zero.

    Args:
        temperature: not used; soft targets have one.
        num_bins: the last bin is ``num_bins - 1``.
    """

    def __init__(self, temperature: float, num_bins: int) -> None:
        # On a whole index, the coldest soft targets are one bin with a share of exactly 1.
        self._one_bin = SoftTargets(MIN_TEMPERATURE, num_bins)

    @property
    def window(self) -> int:
        """Return how many bins the sum looks at."""
        return self._one_bin.window

    def shares(self, index: Tensor) -> Shares:
        """Return each weight's one bin, with no slope."""
        shares = self._one_bin.shares(index.floor())
        return shares._replace(slopes=shares.slopes.new_zeros(shares.slopes.shape))


def confine_without_slope(weights: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
    """Return weights within the range, and the cost of those beyond it, with no slope either."""
    return confine(weights.detach(), bins)


@contextmanager
def hard_binning(planted: bool = True) -> Iterator[None]:
    """Let every KolmogorovLoss made and used within this context bin its weights hard."""
    if not planted:
        yield
        return
    with (
        mock.patch("bitfold.kolmogorov.loss.SoftTargets", HardTargets),
        mock.patch("bitfold.kolmogorov.loss.confine", confine_without_slope),
    ):
        yield
