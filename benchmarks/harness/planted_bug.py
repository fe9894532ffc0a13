"""The bug that bitfold exists to prevent, planted for the length of a benchmark.

Nothing in the package does this: a hard bin is an integer, and no gradient passes an integer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from torch import Tensor

from bitfold.kolmogorov import Bins, Shares, SoftTargets, Targets
from bitfold.kolmogorov.grid.escape import confine
from bitfold.kolmogorov.grid.soft_assignment.soft import MIN_TEMPERATURE


class HardTargets(Targets):
    """Gives a weight's whole share to the bin below it, as a cast to an integer does.

    The predictor still gets its gradient; the slope by the weight is zero.

    Args:
        num_bins: the last bin is ``num_bins - 1``.
    """

    def __init__(self, num_bins: int) -> None:
        self.num_bins = num_bins
        # On a whole index, the coldest soft targets give one bin a share of exactly 1.
        self._one_bin = SoftTargets(MIN_TEMPERATURE, num_bins)

    @property
    def window(self) -> int:
        """Return the number of bins in the window."""
        return self._one_bin.window

    def shares(self, index: Tensor) -> Shares:
        """Return each weight's single bin, without a slope."""
        shares = self._one_bin.shares(index.floor())
        return shares._replace(slopes=shares.slopes.new_zeros(shares.slopes.shape))


def confine_without_slope(weights: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
    """Return weights within the range and the cost of those beyond, both without a slope."""
    return confine(weights.detach(), bins)


def make_hard_targets(
    name: str, temperature: float, num_bins: int, *, by_task: bool = False
) -> Targets:
    """Return hard targets for any requested targets."""
    del name, temperature, by_task
    return HardTargets(num_bins)


@contextmanager
def hard_binning(planted: bool = True) -> Iterator[None]:
    """Make every KolmogorovLoss that is made and used within this context bin hard."""
    if not planted:
        yield
        return
    with (
        mock.patch("bitfold.kolmogorov.loss.make_targets", make_hard_targets),
        mock.patch("bitfold.kolmogorov.predictors.weight_predictor.confine", confine_without_slope),
    ):
        yield
