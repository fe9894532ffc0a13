"""K by scales with linear targets as the compiled epoch takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid.learned_range import LearnedRange
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.predictors.scale_fit import SCALE_FLOOR
from bitfold.runtime.threads import array
from bitfold.training.whole_epoch.epoch_sum import EpochSum, Floats


class ScaleSum(EpochSum):
    """The arrays of K's sum over all weights, and the sum's address.

    Args:
        kolmogorov: K by scales with linear targets, over a fixed range or one that it learns.

    Attributes:
        arrays: see `scale_kernels.ScaleK`.
    """

    NUM_DOORS = 1

    def __init__(self, kolmogorov: KolmogorovLoss) -> None:
        predictor, bins = kolmogorov.predictor, kolmogorov.bins
        assert isinstance(predictor, ScalePredictor)
        self._predictor, self._first = predictor, bins.minimum / bins.width
        num_weights, num_tensors = kolmogorov.num_weights, len(predictor.table)
        # The last factor is 1, for tensors without rows and columns.
        factors = np.ones(sum(len(item) for item in predictor.log_factors()) + 1)
        self._locations = np.zeros(num_tensors)
        largest = torch.finfo(torch.float32).max
        limits = (bins.minimum, bins.maximum, bins.width, largest, bins.num_bins - 1)
        weights = (
            np.zeros(num_weights, np.float32),
            np.zeros(0, np.float32),
            np.zeros(num_weights, np.float32),
            np.array(limits, np.float32),
        )
        learned = kolmogorov.weight_range
        reference, sizes = np.zeros(0, np.float32), np.zeros(0, np.float32)
        if isinstance(learned, LearnedRange):
            reference, sizes = array(learned.reference), array(learned.sizes)
        is_logistic = predictor.distribution == "logistic"
        model = self._locations, factors, SCALE_FLOOR, is_logistic
        by_model = np.zeros(num_tensors + len(factors))
        self.arrays = predictor.table, model, weights, by_model, (reference, sizes)

    def refresh(self) -> None:
        """Take note of the locations, which a loaded state may have changed."""
        self._locations[:] = array(self._predictor.location.double()) - self._first

    def loop(self) -> Any:
        """Return the compiled loop of an epoch with this K."""
        from bitfold.training.whole_epoch.scale_kernels import (  # noqa: PLC0415 - Numba is slow
            train_with_scale_k,
        )

        return train_with_scale_k

    def doors(self, _flat: Floats, _own: Floats) -> list[Any]:
        """Return the address of the sum."""
        from bitfold.kolmogorov.sums.scale_kernels import sum_stretch  # noqa: PLC0415 - Numba is slow
        from bitfold.runtime.loop_cache.addresses import LoopAddress  # noqa: PLC0415 - as above

        boxes, model, weights, by_model, _ = self.arrays
        return [LoopAddress(sum_stretch, weights, (0, 1, 0), boxes, model, by_model)]
