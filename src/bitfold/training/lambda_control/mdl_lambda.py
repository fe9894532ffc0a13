"""Lambda at which the combined loss is the description length of data and network."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bitfold.training.lambda_control.lambda_schedule import LambdaSchedule

# A picture's values are 8-bit numbers in [0, 1], known to within 1/255. Their rounding error has
# this variance, so a smaller noise variance would describe digits that the picture does not have.
MIN_NOISE_VARIANCE = (1 / 255) ** 2 / 12
# Values in [0, 1] have at most this variance (Popoviciu 1935), which a constant reaches.
MAX_NOISE_VARIANCE = 0.25


def classification_weight(num_weights: int, num_points: int) -> float:
    """Lambda for a task loss that is the mean negative log-likelihood of classes, in nats.

    Source: two-part codes, Rissanen 1978; of a network's weights, Hinton & van Camp 1993. With n
    points and N weights, data and network take n * task + N * K nats: n times task + (N / n) K.

    Args:
        num_weights: N, the number of weights that K describes.
        num_points: n, the number of training points.

    >>> classification_weight(811, 5000)
    0.1622
    """
    return num_weights / num_points


def regression_weight(num_weights: int, num_values: int, noise_variance: float) -> float:
    """Lambda for a mean squared error: values are the network's outputs plus Gaussian noise.

    Source: as `classification_weight`. With M values and noise of variance v, data and network take
    M mse / (2 v) + (M / 2) ln(2 pi v) + N K nats; times 2 v / M that is mse + (2 v N / M) K and a
    constant.

    Args:
        num_weights: N, the number of weights that K describes.
        num_values: M, training points times channels.
        noise_variance: v, in squared units of the values, > 0.

    >>> regression_weight(800, 5000, 0.01)
    0.0032
    """
    return 2.0 * noise_variance * num_weights / num_values


class MdlLambda(LambdaSchedule):
    """Lambda of `regression_weight` with the noise variance of maximum likelihood.

    The likelihood is largest when the variance equals the mean squared error, here that of the
    epoch before. The task's part of the length is then (M / 2) ln(mse), and the gradient of the
    whole length is that of mse + lambda K times M / (2 mse).

    The variance stays within `MIN_NOISE_VARIANCE` and `MAX_NOISE_VARIANCE`. Otherwise lambda would
    fall to 0 for a network that fits every point, and grow without bound for one that diverges.

    Source: profile likelihood; as `classification_weight`.

    Args:
        num_weights: N, the number of weights that K describes.
        num_values: M, training points times channels.
        measure_task: gives the mean squared error before the first epoch.

    >>> schedule = MdlLambda(800, 5000, lambda: 0.01)
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
        """Return lambda for the last known variance."""
        if self._task is None:
            self.observe(0, self._measure_task(), math.nan)
        variance = MAX_NOISE_VARIANCE if self._task is None else self._task
        variance = min(max(variance, MIN_NOISE_VARIANCE), MAX_NOISE_VARIANCE)
        return regression_weight(self._num_weights, self._num_values, variance)

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Keep the mean squared error, if it is finite."""
        if math.isfinite(task):
            self._task = task
        return None

    def history(self) -> Tensor:
        """Return the last mean squared error; empty before the first."""
        known = [] if self._task is None else [self._task]
        return torch.tensor(known, dtype=torch.float64, device="cpu")

    def restore(self, history: Tensor) -> None:
        """Load a mean squared error."""
        self._task = float(history[0]) if history.numel() else None
