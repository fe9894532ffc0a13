"""K as one node of the graph: gradients are worked out along with the value, a chunk at a time."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.description.bits import coded_weights
from bitfold.kolmogorov.grid.ranges import TaskRange, WeightRange
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.subsampling import Subsample
from bitfold.runtime.accumulation_dtype import accumulation_dtype


class Work(NamedTuple):
    """What one call of the loss sums.

    Attributes:
        table: the described parameters.
        weight_range: turns them into values.
        predictor: gives values a cost.
        targets: how values are shared among bins.
        subsample: the weights of this call.
        group: processes that share the weights, or None.
        dtype: to compute in.
        own: parameters of the range and of the predictor, in the order of their modules.
        times: how often K counts.
    """

    table: ParameterTable
    weight_range: WeightRange
    predictor: WeightPredictor
    targets: Targets
    subsample: Subsample
    group: dist.ProcessGroup | None
    dtype: torch.dtype
    own: list[nn.Parameter]
    times: int = 1


def mean_nats(work: Work) -> Tensor:
    """K times ``work.times`` in nats per weight: 0-d.

    Differentiable once, by weights, range and predictor. In a group of processes every one gets the
    same K and the whole gradient by range and predictor; by the weights each gets the gradient of
    its own share times the number of processes, so that the mean over processes, which
    data-parallel training takes, is K's gradient.
    """
    # PyTorch leaves Function.apply without types.
    apply: Callable[..., Tensor] = _MeanNats.apply
    inputs = (work, torch.is_grad_enabled(), *work.table.parameters, *work.own)
    device = work.table.device.type
    if not torch.is_autocast_enabled(device):
        return apply(*inputs)
    # Code lengths need the predictor's own precision, whatever the task is computed in.
    with torch.autocast(device, enabled=False):
        return apply(*inputs)


class _MeanNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, work: Work, with_graph: bool, *inputs: Tensor) -> Tensor:
        ctx.work = work
        with_gradients = with_graph and any(item.requires_grad for item in inputs)
        if not work.targets.is_differentiable:
            return (_hard_nats(work) * (work.times / work.table.num_weights)).to(work.dtype)
        nats, by_weights, by_own = _sum(work, with_gradients)
        ctx.save_for_backward(by_weights, *by_own)
        return (nats * (work.times / work.table.num_weights)).to(work.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        work = ctx.work
        if not work.targets.is_differentiable:
            raise KolmogorovError(
                "Cannot differentiate K with hard targets: expected soft, linear or noise, got "
                "hard, whose cost stays the same while a weight moves within its bin, so that its "
                "gradient is zero and the network would never learn of K."
            )
        by_weights, *by_own = ctx.saved_tensors
        scale = grad_output * (work.times / work.table.num_weights)
        gradients = work.table.pieces(by_weights * scale)
        return (None, None, *gradients, *(item * scale for item in by_own))


def _hard_nats(work: Work) -> Tensor:
    """What coding the weights' bins takes under the predictor as it is, in nats."""
    coded = coded_weights(
        work.table, work.weight_range, work.predictor, None, work.subsample.subset
    )
    nats = (coded.bits + coded.escapes).sum() * (math.log(2) * work.subsample.factor)
    if work.group is not None:
        (nats,) = _add_up([nats], work.group)
    return nats


def _sum(work: Work, with_gradients: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
    """What all weights take in nats, and its gradients by them and by what the loss learns."""
    subset, factor = work.subsample
    if with_gradients and (found := _sum_in_steps(work)) is not None:
        return found
    all_weights = work.table.values().to(work.dtype)
    values = work.weight_range.values(subset.take(all_weights), subset)
    summed = work.predictor.summed(subset, values, work.targets, with_gradients=with_gradients)
    nats = summed.nats * factor
    precision, by_precision = work.weight_range.precision_nats()
    by_weights, by_own = all_weights.new_zeros(0), list[Tensor]()
    if with_gradients:
        by_range = work.weight_range.gradients(summed.grad_values, values, subset)
        by_weights = _whole(by_range.weights, work)
        by_own = [*by_range.parameters, *summed.grad_parameters]
        if factor != 1:
            by_own = [item * factor for item in by_own]
    if work.group is not None:
        nats, *by_own = _add_up([nats, *by_own], work.group)
        by_weights = by_weights * work.group.size()
    for number, more in enumerate(by_precision if with_gradients else ()):
        by_own[number] = by_own[number] + more
    return nats + precision, by_weights, by_own


def _sum_in_steps(work: Work) -> tuple[Tensor, Tensor, list[Tensor]] | None:
    """The same in one pass over the weights where they lie, if it is a scale for all of them."""
    table, weight_range, predictor = work.table, work.weight_range, work.predictor
    is_whole = work.group is None and work.subsample.subset.chosen is None
    if not (is_whole and isinstance(weight_range, TaskRange)):
        return None
    if not isinstance(predictor, ScalePredictor) or work.dtype != torch.float32:
        return None
    found = predictor.summed_in_steps(table.parameters, weight_range.steps(), work.targets)
    if found is None:
        return None
    summed, by_steps = found
    by_own = [by_steps.to(weight_range.log_steps.dtype), *summed.grad_parameters]
    return summed.nats, summed.grad_values, by_own


def _whole(gradient: Tensor, work: Work) -> Tensor:
    """The gradient of a subsample as one of all weights: (n,) to (N,)."""
    subset, factor = work.subsample
    gradient = gradient if factor == 1 else gradient * factor
    if len(gradient) == work.table.num_weights and subset.chosen is None:
        return gradient
    whole = gradient.new_zeros(work.table.num_weights)
    if subset.chosen is None:
        whole[subset.start : subset.stop] = gradient
        return whole
    return whole.index_add_(0, subset.chosen, gradient)


def _add_up(tensors: Sequence[Tensor], group: dist.ProcessGroup) -> list[Tensor]:
    """The sums of tensors over all processes, in one message."""
    dtype = accumulation_dtype(tensors[0].device)
    message = torch.cat([item.reshape(-1).to(dtype) for item in tensors])
    dist.all_reduce(message, group=group)
    pieces = torch.split(message, [item.numel() for item in tensors])
    return [
        piece.view(item.shape).to(item.dtype) for piece, item in zip(pieces, tensors, strict=True)
    ]
