"""The bug that bitfold exists to prevent, planted for as long as a benchmark needs it.

Nothing in the package does this: a hard bin is an integer, and no gradient passes an integer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor

from bitfold.kolmogorov.soft_targets import Shares


class HardTargets:
    """Gives a weight wholly to the bin below it, as a cast to an integer does.

    The predictor still gets its gradient; the slope by the weight is zero.

    Args:
        temperature: not used; soft targets have one.
        num_bins: the last bin is ``num_bins - 1``.
    """

    def __init__(self, temperature: float, num_bins: int) -> None:
        self.temperature, self.num_bins = temperature, num_bins

    def shares(self, index: Tensor) -> Shares:
        """Return one bin a weight with share 1 and slope 0; all (N, 1)."""
        bins = index.floor().long().clamp(0, self.num_bins - 1).unsqueeze(1)
        shares = torch.ones_like(index).unsqueeze(1)
        return Shares(bins, shares, torch.zeros_like(shares))


@contextmanager
def hard_binning(planted: bool = True) -> Iterator[None]:
    """Let every KolmogorovLoss made within this context bin its weights hard."""
    if not planted:
        yield
        return
    with mock.patch("bitfold.kolmogorov.loss.SoftTargets", HardTargets):
        yield
