"""Learned ranges: a step for each tensor, learned along with the weights."""

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.weight_range import RangeGradients, WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# A step is a sixteenth of a tensor's root mean square, or longer if the bins would otherwise reach
# less than four times it. Rounding then adds 1/3072 of a tensor's power, 35 decibels below it.
STEPS_TO_RMS = 16
LEAST_REACH = 4
# The same where the task computes with rounded weights: for tensors of two or more dimensions, and
# for vectors.
TASK_STEPS_TO_RMS = 0.5
TASK_VECTOR_STEPS_TO_RMS = 4.0
# A step needs no precision, both sides only need the same one: it is sent as a bfloat16.
STEP_BITS = 16
# The bits of a bfloat16, as a whole number, from one eighth of an octave to the next.
EIGHTH = 16


class LearnedRange(WeightRange):
    """A learned step for each tensor: a value is the weight in steps, and 0 is always a bin.

    A longer step makes every weight cheaper to code, so a code length alone would let it grow for
    ever. The task limits it, because rounding disturbs the task. Each weight therefore pays
    (step / s)^2 / 2 nats for its rounding beside its code. Here s is the step at which a rounding
    error of step^2 / 12 costs the task half a nat; the cost is then the second-order loss of a
    two-part code, and its minimum against a code of -ln(step) lies at s. s is a sixteenth of the
    tensor's root mean square when the range is made, or of the root mean square of all weights if
    the tensor is 0. Tensors of many zeros gain less from a long step and learn a shorter one.

    Source: Rissanen 1978 and Wallace & Freeman 1987 for the precision of parameters.

    Args:
        table: the described parameters.
        num_bins: number of values that a weight can take; the middle one is 0.

    Raises:
        KolmogorovError: see `Bins`.
    """

    has_rounding_cost = True
    argument = "auto"

    reference: Tensor
    sizes: Tensor

    def __init__(self, table: ParameterTable, num_bins: int) -> None:
        super().__init__()
        below = num_bins // 2
        self.bins = Bins(num_bins, -below, num_bins - 1 - below)
        steps = _first_steps(table, num_bins)
        self.log_steps = nn.Parameter(steps.log())
        self.register_buffer("reference", steps.log())
        # Kept on the device, so that no step waits for a transfer.
        sizes = torch.tensor(table.sizes, dtype=steps.dtype, device=steps.device)
        self.register_buffer("sizes", sizes, persistent=False)
        self.side_bits = STEP_BITS * len(steps)
        self._are_vectors = [item.ndim < 2 for item in table.parameters]

    def steps(self, *, as_sent: bool = False) -> Tensor:
        """Each tensor's step, in the units of its weights: (tensors,)."""
        steps = self.log_steps.detach().exp()
        return steps.to(torch.bfloat16).to(steps.dtype) if as_sent else steps

    def sent_bits(self, *, are_close: bool) -> int:
        """A bfloat16 for each step, or the differences of steps."""
        if not are_close:
            return self.side_bits
        # Numba takes 0.4 s to import: only those who count bits import it.
        from bitfold.entropy_coding.close_steps import close_step_bits  # noqa: PLC0415 - see above

        short = self.steps(as_sent=True).to(torch.bfloat16).view(torch.int16)
        return close_step_bits(short.tolist(), self._are_vectors)

    def values(self, weights: Tensor, subset: WeightSubset, *, as_sent: bool = False) -> Tensor:
        """The weights in steps, clamped to the largest number."""
        largest = torch.finfo(weights.dtype).max
        in_steps = _times(weights, 1 / self.steps(as_sent=as_sent).to(weights.dtype), subset)
        # Infinite weights become NaN, so that they do not look like finite ones.
        return in_steps.clamp_(-largest, largest).add_(weights, alpha=0)

    def weights(self, values: Tensor, subset: WeightSubset) -> Tensor:
        """The values times their steps, as sent."""
        return _times(values, self.steps(as_sent=True).to(values.dtype), subset)

    def gradients(
        self, grad_values: Tensor, values: Tensor, subset: WeightSubset
    ) -> RangeGradients:
        """By weights: over the step. By the logarithm of the step: minus the values' part."""
        grad_weights = _times(grad_values, 1 / self.steps().to(values.dtype), subset)
        grad_steps = -_products_by_block(grad_values, values, subset)
        return RangeGradients(grad_weights, [grad_steps.to(self.log_steps.dtype)])

    @torch.no_grad()
    def begin(self, table: ParameterTable, steps_to_rms: float) -> None:
        """Set each tensor's step to a share of its root mean square; see `begin_steps`."""
        finest = _first_steps(table, self.bins.num_bins).log()
        share = min(STEPS_TO_RMS, self.bins.num_bins / 2 / LEAST_REACH)
        self.log_steps.copy_(finest + math.log(max(1.0, share / steps_to_rms)))

    @torch.no_grad()
    def finish(self, *, are_close: bool = False) -> None:
        """Set the steps to those that a decoder gets, or to the nearest eighth of an octave."""
        steps = self.steps(as_sent=True)
        if are_close:
            bits = steps.to(torch.bfloat16).view(torch.int16)
            nearest = (bits + EIGHTH // 2) // EIGHTH * EIGHTH
            steps = nearest.to(torch.int16).view(torch.bfloat16).to(steps.dtype)
        self.log_steps.copy_(steps.log())

    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """Half the square of step over s, for each weight."""
        squares = (2 * (self.log_steps.detach() - self.reference)).exp()
        nats = squares * self.sizes
        return nats.sum() / 2, [nats]


@final
class TaskRange(LearnedRange):
    """Learned steps that the task limits, because it computes with the decoded weights.

    Steps begin coarse. A weight tensor begins with twice its root mean square, so that weights
    become -1, 0 or 1 step. A vector begins with a quarter of it, so that gains of 1 do not become
    0. From there the task makes steps as fine as it needs; fine steps would grow slowly.

    Rounding costs nothing in K: the task itself feels it.

    Args:
        table: the described parameters.
        num_bins: number of values that a weight can take; the middle one is 0.

    Raises:
        KolmogorovError: see `Bins`.
    """

    has_rounding_cost = False

    def __init__(self, table: ParameterTable, num_bins: int) -> None:
        super().__init__(table, num_bins)
        dimensions = torch.tensor([item.ndim for item in table.parameters], device="cpu")
        to_rms = torch.where(dimensions > 1, TASK_STEPS_TO_RMS, TASK_VECTOR_STEPS_TO_RMS)
        finest = min(STEPS_TO_RMS, num_bins / 2 / LEAST_REACH)
        longer = (finest / to_rms.to(self.reference.device)).clamp(min=1).log()
        with torch.no_grad():
            self.log_steps.add_(longer)
            self.reference.add_(longer)

    def precision_nats(self) -> tuple[Tensor | float, list[Tensor]]:
        """0, without gradients."""
        return 0.0, []


def _first_steps(table: ParameterTable, num_bins: int) -> Tensor:
    squares = [item.detach().double().square().sum() for item in table.held()]
    (sums,) = table.shards.totals([torch.stack(squares)])
    sizes = torch.tensor(table.sizes, dtype=sums.dtype, device=sums.device)
    overall = (sums.sum() / sizes.sum()).sqrt()
    usual = torch.where(overall > 0, overall, torch.ones_like(overall))
    rms = torch.where(sums > 0, (sums / sizes).sqrt(), usual)
    share = max(1 / STEPS_TO_RMS, LEAST_REACH / (num_bins / 2))
    tiny, huge = math.sqrt(torch.finfo(torch.float32).tiny), 1e30
    return (rms * share).clamp(tiny, huge).to(torch.float32)


def _times(by_weight: Tensor, by_block: Tensor, subset: WeightSubset) -> Tensor:
    """Numbers of weights times those of their tensors: (n,) and (tensors,) to (n,)."""
    if len(by_block) == 1:
        return by_weight * by_block
    if not subset.is_long:
        return by_weight * by_block[subset.block_numbers]
    products = torch.empty_like(by_weight)
    multiply, (from_, factors, to) = _multiplication(by_weight, by_block, products)
    for number, _, part in subset.pieces():
        multiply(from_[part], factors[number], out=to[part])
    return products


def _products_by_block(first: Tensor, second: Tensor, subset: WeightSubset) -> Tensor:
    """Sums of products over each tensor's weights: twice (n,) to (tensors,)."""
    if subset.is_long:
        # sum() adds up pair by pair, which keeps the precision that a running sum would lose.
        sums = first.new_zeros(len(subset.layout.blocks))
        multiply, (from_, factors, to) = _multiplication(first, second, sums)
        for number, _, part in subset.pieces():
            to[number] = multiply(from_[part], factors[part]).sum()
        return sums
    dtype = accumulation_dtype(first.device, first.dtype)
    sums = first.new_zeros(len(subset.layout.blocks), dtype=dtype)
    sums.index_add_(0, subset.block_numbers, (first * second).to(dtype))
    return sums.to(first.dtype)


def _multiplication(*tensors: Tensor) -> tuple[Callable[..., Any], Sequence[Any]]:
    """A multiplication and its operands: on the CPU NumPy's, with arrays of the tensors' memory.

    One thread of NumPy is as fast as memory. PyTorch's threads wait for one another in each
    operation, which on a busy machine takes ten times as long as dozens of pieces themselves.
    """
    if tensors[0].device.type == "cpu":
        return np.multiply, [tensor.detach().numpy() for tensor in tensors]
    return torch.mul, tensors
