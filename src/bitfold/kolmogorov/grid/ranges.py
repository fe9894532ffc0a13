"""Ranges: the values that the bins stand for, one grid for all weights or a step per tensor."""

from collections.abc import Sequence
from numbers import Real
from typing import final

from torch import Tensor

from bitfold.entropy_coding.precision import FLOAT_BITS
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.learned_range import LearnedRange, TaskRange
from bitfold.kolmogorov.grid.weight_range import RangeGradients, WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


@final
class FixedRange(WeightRange):
    """One range for all weights: a value is the weight itself.

    Whoever chose the range chose the step, so rounding costs nothing in K.

    Args:
        num_bins: number of values that a weight can take.
        limits: the first and the last of them.

    Raises:
        KolmogorovError: see `Bins`.
    """

    side_bits = 2 * FLOAT_BITS

    def __init__(self, num_bins: int, limits: tuple[float, float]) -> None:
        super().__init__()
        self.bins = Bins(num_bins, *limits)

    @property
    def argument(self) -> tuple[float, float]:
        """The limits."""
        return self.bins.minimum, self.bins.maximum

    def values(self, weights: Tensor, subset: WeightSubset, *, as_sent: bool = False) -> Tensor:
        """The weights."""
        del subset, as_sent
        return weights

    def weights(self, values: Tensor, subset: WeightSubset) -> Tensor:
        """The values."""
        del subset
        return values

    def gradients(
        self, grad_values: Tensor, values: Tensor, subset: WeightSubset
    ) -> RangeGradients:
        """The gradient unchanged."""
        del values, subset
        return RangeGradients(grad_values, [])


def make_range(
    table: ParameterTable,
    num_bins: int,
    weight_range: tuple[float, float] | str,
    *,
    by_task: bool = False,
) -> WeightRange:
    """Make the range that ``weight_range`` of a `KolmogorovLoss` stands for.

    Args:
        table: the described parameters.
        num_bins: number of values that a weight can take.
        weight_range: two limits, or ``"auto"``.
        by_task: whether the task limits learned steps, in place of a cost of their own.

    Raises:
        KolmogorovError: if ``weight_range`` is neither; or see `Bins`.
    """
    if weight_range == "auto":
        return TaskRange(table, num_bins) if by_task else LearnedRange(table, num_bins)
    given = weight_range if isinstance(weight_range, Sequence) else (weight_range,)
    limits = [float(limit) for limit in given if isinstance(limit, Real)]
    if not len(limits) == len(given) == 2:
        raise KolmogorovError(
            "Cannot make a Kolmogorov loss: expected weight_range to be 'auto' or a minimum and a "
            f"maximum, got {str(weight_range)[:80]!r}. Pass for example (-3.0, 3.0)."
        )
    return FixedRange(num_bins, (limits[0], limits[1]))
