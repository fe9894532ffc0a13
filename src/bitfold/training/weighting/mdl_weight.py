"""Lambda at which combined is the description length of data and network together."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bitfold.training.weighting.weight_schedule import WeightSchedule

# A picture's values are 8 bits of [0, 1]: each is known to within 1/255, whose rounding error has
# this variance. To describe values more finely than they were given describes nothing.
MIN_NOISE_VARIANCE = (1 / 255) ** 2 / 12
# Values in [0, 1] have at most this variance (Popoviciu 1935): a constant does as well.
MAX_NOISE_VARIANCE = 0.25


def classification_weight(num_weights: int, num_points: int) -> float:
    """Lambda for a task loss that is the mean negative log-likelihood of classes, in nats.

    Source: two-part codes, Rissanen 1978; of a network's weights, Hinton & van Camp 1993. With n
    points and N weights, data and network take n * task + N * K nats: n times task + (N / n) K.

    Args:
        num_weights: N, how many weights K describes.
        num_points: n, how many training points there are.

    >>> classification_weight(811, 5000)
    0.1622
    """
    return num_weights / num_points


def regression_weight(num_weights: int, num_values: int, noise_variance: float) -> float:
    """Lambda for a mean squared error, the values being the network's plus Gaussian noise.

    Source: as `classification_weight`. With M values and noise of variance v, data and network take
    M mse / (2 v) + (M / 2) ln(2 pi v) + N K nats; times 2 v / M that is mse + (2 v N / M) K and a
    constant.

    Args:
        num_weights: N, how many weights K describes.
        num_values: M, training points times channels.
        noise_variance: v, in squared units of the values, > 0.

    >>> regression_weight(800, 5000, 0.01)
    0.0032
    """
    return 2.0 * noise_variance * num_weights / num_values


class MdlWeight(WeightSchedule):
    """Lambda of `regression_weight` with the noise variance that suits the data best.

    The likelihood is largest when the variance is the mean squared error itself, here that of the
    epoch before. The task's part of the length is then (M / 2) ln(mse): its gradient is that of
    mse + lambda K times M / (2 mse).

    The variance stays within `MIN_NOISE_VARIANCE` and `MAX_NOISE_VARIANCE`: a network that fits
    every point would otherwise bring lambda to 0, and one that diverges would let it grow without
    end.

    Source: profile likelihood; as `classification_weight`.

    Args:
        num_weights: N, how many weights K describes.
        num_values: M, training points times channels.
        measure_task: gives the mean squared error before the first epoch.

    >>> schedule = MdlWeight(800, 5000, lambda: 0.01)
    >>> schedule.weight(1)
    0.0032
    >>> schedule.observe(1, task=0.005, bits=4000.0)
    >>> schedule.weight(2)
    0.0016
    """

    name = "mdl"

    def __init__(
        self, num_weights: int, num_values: int, measure_task: Callable[[], float]
    ) -> None:
        self._num_weights, self._num_values = num_weights, num_values
        self._measure_task = measure_task
        self._task: float | None = None

    def weight(self, epoch: int) -> float:
        """Return lambda for the variance as it is known."""
        if self._task is None:
            self.observe(0, self._measure_task(), math.nan)
        variance = MAX_NOISE_VARIANCE if self._task is None else self._task
        variance = min(max(variance, MIN_NOISE_VARIANCE), MAX_NOISE_VARIANCE)
        return regression_weight(self._num_weights, self._num_values, variance)

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Remember the mean squared error, if it is a number."""
        if math.isfinite(task):
            self._task = task
        return None

    def history(self) -> Tensor:
        """Return the last mean squared error; nothing before the first."""
        known = [] if self._task is None else [self._task]
        return torch.tensor(known, dtype=torch.float64)

    def restore(self, history: Tensor) -> None:
        """Take up a mean squared error."""
        self._task = float(history[0]) if history.numel() else None
