"""Which values the bins stand for: the same for all weights, or in steps each tensor learns."""

import abc
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bitfold.entropy_coding.precision import FLOAT_BITS
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# A step is a sixteenth of a tensor's root mean square, or as much as lets the bins reach four of
# it: rounding then adds 1/3072 of a tensor's power, 35 decibels below it.
STEPS_TO_RMS = 16
LEAST_REACH = 4
# Where the task itself feels the rounding: of tensors of two or more dimensions, and of vectors.
TASK_STEPS_TO_RMS = 0.5
TASK_VECTOR_STEPS_TO_RMS = 4.0
# A step needs no precision, only to be the same for both sides: it is sent as a bfloat16.
STEP_BITS = 16


class RangeGradients(NamedTuple):
    """Gradients carried from values back through a range.

    Attributes:
        weights: (n,).
        parameters: by each of the range's parameters.
    """

    weights: Tensor
    parameters: list[Tensor]


class WeightRange(nn.Module, abc.ABC):
    """Turns weights into values in the units of the bins.

    Source: none, ours.

    Attributes:
        bins: the grid of the values.
        side_bits: bits in which a decoder learns of the range.
    """

    bins: Bins
    side_bits: int

    @abc.abstractmethod
    def values(self, weights: Tensor, subset: WeightSubset, *, as_sent: bool = False) -> Tensor:
        """Weights in the units of the bins.

        Args:
            weights: floating (n,).
            subset: of these weights.
            as_sent: whether to count in the range that a decoder has.
        """

    @abc.abstractmethod
    def weights(self, values: Tensor, subset: WeightSubset) -> Tensor:
        """The weights that a decoder makes of values (n,)."""

    @abc.abstractmethod
    def gradients(
        self, grad_values: Tensor, values: Tensor, subset: WeightSubset
    ) -> RangeGradients:
        """What the gradient by values (n,) is by weights and by the range's parameters."""

    @abc.abstractmethod
    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """What rounding costs the task, in nats for all weights, and its gradients."""


class FixedRange(WeightRange):
    """One range for all weights: a value is the weight itself.

    Args:
        num_bins: how many values a weight can take.
        limits: the first and the last.

    Raises:
        KolmogorovError: see `Bins`.
    """

    side_bits = 2 * FLOAT_BITS

    def __init__(self, num_bins: int, limits: tuple[float, float]) -> None:
        super().__init__()
        self.bins = Bins(num_bins, *limits)

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
        """The gradient as it is."""
        del values, subset
        return RangeGradients(grad_values, [])

    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """Nothing: the step was chosen by whoever chose the range."""
        return 0.0, []


class LearnedRange(WeightRange):
    """A step for each tensor, learned: a value is the weight in steps, and 0 is always a bin.

    A longer step makes every weight cheaper to code, so a code length alone would have it grow for
    ever; what holds it is the task, which rounding disturbs. Each weight therefore pays
    (step / s)^2 / 2 nats for its rounding beside its code: with s the step at which a rounding
    error of step^2 / 12 costs the task half a nat, that is the second-order loss of a two-part
    code, and its minimum against a code of -ln(step) lies at s. s is a sixteenth of the
    tensor's root mean square when the range is made (of all weights' together, where it is 0).
    Tensors of many zeros, which gain less from a long step, learn a shorter one.

    Source: Rissanen 1978 and Wallace & Freeman 1987 for the precision of parameters; s is ours.

    Args:
        table: the described parameters.
        num_bins: how many values a weight can take; the middle one is 0.

    Raises:
        KolmogorovError: see `Bins`.
    """

    reference: Tensor
    sizes: Tensor

    def __init__(self, table: ParameterTable, num_bins: int) -> None:
        super().__init__()
        below = num_bins // 2
        self.bins = Bins(num_bins, -below, num_bins - 1 - below)
        steps = _first_steps(table, num_bins)
        self.log_steps = nn.Parameter(steps.log())
        self.register_buffer("reference", steps.log())
        # Kept where it is needed, so that no step waits for it.
        sizes = torch.tensor(table.sizes, dtype=steps.dtype, device=steps.device)
        self.register_buffer("sizes", sizes, persistent=False)
        self.side_bits = STEP_BITS * len(steps)

    def steps(self, *, as_sent: bool = False) -> Tensor:
        """Each tensor's step, in the units of its weights: (tensors,)."""
        steps = self.log_steps.detach().exp()
        return steps.to(torch.bfloat16).to(steps.dtype) if as_sent else steps

    def values(self, weights: Tensor, subset: WeightSubset, *, as_sent: bool = False) -> Tensor:
        """The weights in steps, clamped to the largest number."""
        largest = torch.finfo(weights.dtype).max
        in_steps = _times(weights, 1 / self.steps(as_sent=as_sent).to(weights.dtype), subset)
        # Infinite weights become NaN: they are not to look like finite ones.
        return in_steps.clamp_(-largest, largest).add_(weights, alpha=0)

    def weights(self, values: Tensor, subset: WeightSubset) -> Tensor:
        """The values times their steps, as sent."""
        return _times(values, self.steps(as_sent=True).to(values.dtype), subset)

    def gradients(
        self, grad_values: Tensor, values: Tensor, subset: WeightSubset
    ) -> RangeGradients:
        """By weights: over the step. By the logarithm of the step: minus the values' part."""
        grad_weights = _times(grad_values, 1 / self.steps().to(values.dtype), subset)
        grad_steps = -_products_by_box(grad_values, values, subset)
        return RangeGradients(grad_weights, [grad_steps.to(self.log_steps.dtype)])

    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """Half the square of step over s, for each weight."""
        squares = (2 * (self.log_steps.detach() - self.reference)).exp()
        nats = squares * self.sizes
        return nats.sum() / 2, [nats]


class TaskRange(LearnedRange):
    """Steps that the task holds, because it computes with the weights as they are decoded.

    They begin coarse: at twice the root mean square of a weight tensor, so that weights become -1,
    0 or 1 step, and at a quarter of it for vectors, whose gains of 1 are not to become 0. From
    there the task makes them as fine as it needs; fine steps would grow slowly.

    Source: none, ours.

    Args:
        table: the described parameters.
        num_bins: how many values a weight can take; the middle one is 0.

    Raises:
        KolmogorovError: see `Bins`.
    """

    def __init__(self, table: ParameterTable, num_bins: int) -> None:
        super().__init__(table, num_bins)
        dimensions = torch.tensor([item.ndim for item in table.parameters])
        to_rms = torch.where(dimensions > 1, TASK_STEPS_TO_RMS, TASK_VECTOR_STEPS_TO_RMS)
        finest = min(STEPS_TO_RMS, num_bins / 2 / LEAST_REACH)
        longer = (finest / to_rms.to(self.reference.device)).clamp(min=1).log()
        with torch.no_grad():
            self.log_steps.add_(longer)
            self.reference.add_(longer)

    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """Nothing: the task itself feels what rounding does."""
        return 0.0, []


def make_range(
    table: ParameterTable,
    num_bins: int,
    weight_range: tuple[float, float] | str,
    *,
    by_task: bool = False,
) -> WeightRange:
    """A range by what a user says of it: two limits, or ``"auto"``.

    Args:
        table: the described parameters.
        num_bins: how many values a weight can take.
        weight_range: limits, or ``"auto"``.
        by_task: whether learned steps are held by the task, not by a precision of their own.

    Raises:
        KolmogorovError: if it is neither, or see `Bins`.
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


def _first_steps(table: ParameterTable, num_bins: int) -> Tensor:
    sums = torch.stack([item.detach().double().square().sum() for item in table.parameters])
    sizes = torch.tensor(table.sizes, dtype=sums.dtype, device=sums.device)
    overall = (sums.sum() / sizes.sum()).sqrt()
    usual = torch.where(overall > 0, overall, torch.ones_like(overall))
    rms = torch.where(sums > 0, (sums / sizes).sqrt(), usual)
    share = max(1 / STEPS_TO_RMS, LEAST_REACH / (num_bins / 2))
    tiny, huge = math.sqrt(torch.finfo(torch.float32).tiny), 1e30
    return (rms * share).clamp(tiny, huge).to(torch.float32)


def _times(by_weight: Tensor, by_box: Tensor, subset: WeightSubset) -> Tensor:
    """Weights' numbers times those of their tensors: (n,) and (tensors,) to (n,)."""
    if len(by_box) == 1:
        return by_weight * by_box
    if not subset.is_long:
        return by_weight * by_box[subset.block_numbers]
    products = torch.empty_like(by_weight)
    multiply, (from_, factors, to) = _plainly(by_weight, by_box, products)
    for number, _, part in subset.pieces():
        multiply(from_[part], factors[number], out=to[part])
    return products


def _products_by_box(first: Tensor, second: Tensor, subset: WeightSubset) -> Tensor:
    """Sums of products over each tensor's weights: twice (n,) to (tensors,)."""
    if subset.is_long:
        # Added up pair by pair, which keeps the precision that one running sum would lose.
        sums = first.new_zeros(len(subset.layout.blocks))
        multiply, (from_, factors, to) = _plainly(first, second, sums)
        for number, _, part in subset.pieces():
            to[number] = multiply(from_[part], factors[part]).sum()
        return sums
    exact = accumulation_dtype(first.device, first.dtype)
    sums = first.new_zeros(len(subset.layout.blocks), dtype=exact)
    sums.index_add_(0, subset.block_numbers, (first * second).to(exact))
    return sums.to(first.dtype)


def _plainly(*tensors: Tensor) -> tuple[Callable[..., Any], Sequence[Any]]:
    """A multiplication and what it takes: on the CPU NumPy's and arrays of the tensors' memory.

    Its one thread is as fast as memory. PyTorch's threads wait for one another in each operation,
    which on a busy machine takes ten times as long as dozens of such pieces themselves.
    """
    if tensors[0].device.type == "cpu":
        return np.multiply, [tensor.detach().numpy() for tensor in tensors]
    return torch.mul, tensors
