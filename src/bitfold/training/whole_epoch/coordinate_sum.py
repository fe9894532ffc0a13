"""K of a coordinate predictor as the compiled epoch takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.predictors.coordinate import CoordinatePredictor
from bitfold.kolmogorov.sums.fused.coordinate_sums import loop_settings
from bitfold.runtime.threads import array
from bitfold.training.whole_epoch.epoch_sum import EpochSum, Floats


class CoordinateSum(EpochSum):
    """The arrays of K's sum over all weights, and the sum's address.

    Args:
        kolmogorov: K of bins in a fixed range, with soft or linear targets.

    Attributes:
        arrays: see `epoch_kernels.CoordinateK`.
    """

    NUM_DOORS = 1

    def __init__(self, kolmogorov: KolmogorovLoss) -> None:
        from bitfold.kolmogorov.sums.fused.kernels import scratch_size  # noqa: PLC0415 - Numba is slow

        predictor, num_weights = kolmogorov.predictor, kolmogorov.num_weights
        assert isinstance(predictor, CoordinatePredictor)
        sharing = kolmogorov.targets.sharing
        assert sharing is not None
        with torch.no_grad():
            positions = array(predictor.inputs(kolmogorov.table.all_weights()))
        num_own = sum(item.numel() for item in predictor.parameters())
        bins = kolmogorov.bins
        rate, reach, parts = loop_settings(num_weights, num_own, bins.num_bins, sharing.temperature)
        hidden = [len(item) for item in predictor.layers()[1::2]]
        widths = np.array([positions.shape[1], *hidden], np.int64)
        largest = torch.finfo(torch.float32).max
        grid = np.array([bins.minimum, bins.width, largest, 1 / num_weights])
        room = np.zeros(num_weights, np.float32), np.zeros(num_weights, np.float32)
        by_layers = np.zeros((len(parts), num_own))
        starts = np.array(parts, np.int64)
        scratch = torch.empty(scratch_size(widths, (rate, reach)), device="cpu").numpy()
        self.arrays = positions, widths, (rate, reach), starts, *room, by_layers, grid, scratch

    def loop(self) -> Any:
        """Return the compiled loop of an epoch with this K."""
        from bitfold.training.whole_epoch.epoch_kernels import (  # noqa: PLC0415 - Numba is slow
            train_with_coordinate_k,
        )

        return train_with_coordinate_k

    def doors(self, _flat: Floats, own: Floats) -> list[Any]:
        """Return the address of the sum."""
        from bitfold.kolmogorov.sums.fused.kernels import sum_rows  # noqa: PLC0415 - Numba is slow
        from bitfold.runtime.loop_cache.addresses import LoopAddress  # noqa: PLC0415 - as above

        positions, widths, targets, _, index, slopes, by_layers, _, scratch = self.arrays
        weights, predictor = (index, positions), (own, widths)
        gradients = slopes, by_layers[0]
        return [LoopAddress(sum_rows, weights, predictor, targets, (0, 1), gradients, scratch)]
