"""K in learned steps, and the rounding of weights to them, as the compiled epoch takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid.soft_assignment import NEAREST
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.predictors.scale_fit import SCALE_FLOOR
from bitfold.kolmogorov.sums.table_sums import cost_table, longest_line
from bitfold.training.whole_epoch.epoch_sum import EpochSum, Floats


class LearnedStepSum(EpochSum):
    """The arrays of K's sum in learned steps, and the addresses of its loops.

    Args:
        kolmogorov: K with centred Laplace scales and learned steps; linear or rounded targets.

    Attributes:
        arrays: see `learned_step_kernels.StepK`.
    """

    NUM_DOORS = 4

    def __init__(self, kolmogorov: KolmogorovLoss) -> None:
        predictor, bins = kolmogorov.predictor, kolmogorov.bins
        assert isinstance(predictor, ScalePredictor)
        assert predictor.is_centred
        boxes = predictor.table
        num_factors = sum(len(item) for item in predictor.log_factors()) + 1
        spare = (
            np.zeros(kolmogorov.num_weights, np.float32),
            np.zeros(num_factors, np.float32),
            np.zeros((4, longest_line(boxes)), np.float32),
            np.zeros(num_factors),
        )
        is_rounded = kolmogorov.targets.sharing == NEAREST
        limits = (float(bins.minimum), float(bins.maximum))
        self.arrays = boxes, cost_table(SCALE_FLOOR), limits, is_rounded, spare
        self._rounded: Floats = np.zeros(kolmogorov.num_weights, np.float32)

    def computing(self, _flat: Floats) -> Floats:
        """Return room for the rounded weights (P,), which the loop fills."""
        return self._rounded

    def loop(self) -> Any:
        """Return the compiled loop of an epoch with this K."""
        from bitfold.training.whole_epoch.learned_step_kernels import (  # noqa: PLC0415 - Numba is slow
            train_with_learned_steps,
        )

        return train_with_learned_steps

    def doors(self, flat: Floats, _own: Floats) -> list[Any]:
        """Return the addresses of `learned_step_kernels.StepDoors`."""
        from bitfold.kolmogorov.grid.rounding_kernels import (  # noqa: PLC0415 - Numba is slow
            round_to_steps,
            sum_slopes,
        )
        from bitfold.kolmogorov.sums.table_kernels import sum_tensor  # noqa: PLC0415 - as above
        from bitfold.runtime.loop_cache.addresses import LoopAddress  # noqa: PLC0415 - as above
        from bitfold.training.whole_epoch.exact_bin_kernels import (  # noqa: PLC0415 - as above
            sum_exactly,
        )

        _, table, limits, is_rounded, (slopes, factors, scratch, by_factors) = self.arrays
        lines, by_lines = (1.0, factors, factors, 1), (by_factors, by_factors)
        return [
            LoopAddress(round_to_steps, flat, 1.0, limits, self._rounded),
            LoopAddress(sum_slopes, flat, self._rounded, flat),
            LoopAddress(sum_tensor, flat, 1.0, lines, table, is_rounded, slopes, by_lines, scratch),
            LoopAddress(
                sum_exactly, flat, 1.0, lines, table[3], limits, is_rounded, slopes, by_lines
            ),
        ]
