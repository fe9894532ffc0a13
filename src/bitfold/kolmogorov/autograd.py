"""K as one node of the graph: gradients are computed along with the value, a chunk at a time."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.description.bits import Described, coded_weights
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.once import differentiable_once
from bitfold.kolmogorov.weights.shards import add_up
from bitfold.kolmogorov.weights.subsampling import Subsample


class Work(NamedTuple):
    """The sum that one call of the loss computes.

    Attributes:
        described: the weights and their code.
        targets: how values are shared among bins.
        subsample: the weights of this call.
        group: processes that share the weights, or None.
        dtype: to compute in.
        own: parameters of the range and of the predictor, in the order of their modules.
        times: factor of K.
    """

    described: Described
    targets: Targets
    subsample: Subsample
    group: dist.ProcessGroup | None
    dtype: torch.dtype
    own: list[nn.Parameter]
    times: int = 1

    @property
    def factor(self) -> float:
        """Turns the nats of all weights into the value of the loss."""
        return self.times / self.described.table.num_weights


def mean_nats(work: Work) -> Tensor:
    """K times ``work.times`` in nats per weight: 0-d.

    Differentiable once, by weights, range and predictor. In a group all processes get the same K
    and the whole gradient by range and predictor. By the weights each process gets the gradient of
    its own share times the number of processes. The mean over processes, which data-parallel
    training takes, is K's gradient. Processes that hold shards of the weights get K's gradient by
    their shards.
    """
    # PyTorch leaves Function.apply without types.
    apply: Callable[..., Tensor] = _MeanNats.apply
    table = work.described.table
    inputs = (work, torch.is_grad_enabled(), *table.parameters, *work.own)
    device = table.device.type
    if not torch.is_autocast_enabled(device):
        return apply(*inputs)
    # Code lengths need the predictor's own precision, also when the task computes in another one.
    with torch.autocast(device, enabled=False):
        return apply(*inputs)


class _MeanNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, work: Work, with_graph: bool, *inputs: Tensor) -> Tensor:
        ctx.work = work
        with_gradients = with_graph and any(item.requires_grad for item in inputs)
        if not work.targets.is_differentiable:
            return (_hard_nats(work) * work.factor).to(work.dtype)
        nats, by_weights, by_own = _sum(work, with_gradients)
        ctx.save_for_backward(by_weights, *by_own)
        return (nats * work.factor).to(work.dtype)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        work = ctx.work
        if not work.targets.is_differentiable:
            raise KolmogorovError(
                "Cannot differentiate K with hard targets: expected soft, linear or noise, got "
                "hard, whose cost stays the same while a weight moves within its bin, so that its "
                "gradient is zero and the network would never learn of K."
            )
        by_weights, *by_own = ctx.saved_tensors
        with torch.no_grad():
            scale = grad_output * work.factor
            pieces = work.described.table.pieces(by_weights * scale)
            found = [*pieces, *(item * scale for item in by_own)]
        inputs = (*work.described.table.parameters, *work.own, grad_output)
        return (None, None, *differentiable_once("K", found, inputs))


def _hard_nats(work: Work) -> Tensor:
    """The cost of the weights' bins under the predictor as it is, in nats."""
    coded = coded_weights(work.described, None, work.subsample.subset)
    nats = (coded.bits + coded.escapes).sum() * (math.log(2) * work.subsample.factor)
    if work.group is not None:
        (nats,) = add_up([nats], work.group)
    (nats,) = work.described.table.shards.totals([nats])
    return nats


def _sum(work: Work, with_gradients: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The cost of all weights in nats, and its gradients by weights, range and predictor."""
    subset, factor = work.subsample
    table, weight_range, predictor = work.described
    if (found := _sum_in_steps(work, with_gradients=with_gradients)) is not None:
        return found
    all_weights = table.values().to(work.dtype)
    values = weight_range.values(subset.take(all_weights), subset)
    summed = predictor.summed(subset, values, work.targets, with_gradients=with_gradients)
    nats = summed.nats * factor
    precision, by_precision = weight_range.precision_nats()
    by_weights, by_own = all_weights.new_zeros(0), list[Tensor]()
    if with_gradients:
        by_range = weight_range.gradients(summed.grad_values, values, subset)
        by_weights = _whole(by_range.weights, work)
        by_own = [*by_range.parameters, *summed.grad_parameters]
        if factor != 1:
            by_own = [item * factor for item in by_own]
    if work.targets.is_planted_bug:
        by_weights = torch.zeros_like(by_weights)  # those of escapes too
    if work.group is not None:
        nats, *by_own = add_up([nats, *by_own], work.group)
        by_weights = by_weights * work.group.size()
    nats, *by_own = table.shards.totals([nats, *by_own])
    for number, more in enumerate(by_precision if with_gradients else ()):
        by_own[number] = by_own[number] + more
    return nats + precision, by_weights, by_own


def _sum_in_steps(
    work: Work, *, with_gradients: bool
) -> tuple[Tensor, Tensor, list[Tensor]] | None:
    """The same in one pass over the weights in place, if range and predictor have such a pass."""
    table, weight_range, predictor = work.described
    is_whole = work.group is None and work.subsample.subset.chosen is None
    if not is_whole or weight_range.has_rounding_cost or work.dtype != torch.float32:
        return None
    steps = weight_range.steps()
    if steps is None:
        return None
    found = predictor.summed_in_steps(
        table.parameters, steps, work.targets, with_gradients=with_gradients
    )
    if found is None:
        return None
    summed, by_log_steps = found
    # The logarithms of steps are the range's only parameter, and the first one of all.
    by_own = [by_log_steps.to(work.own[0].dtype), *summed.grad_parameters]
    return summed.nats, summed.grad_values, by_own


def _whole(gradient: Tensor, work: Work) -> Tensor:
    """The gradient of a subsample as one of all weights: (n,) to (N,)."""
    subset, factor = work.subsample
    gradient = gradient if factor == 1 else gradient * factor
    num_weights = work.described.table.layout.num_weights
    if len(gradient) == num_weights and subset.chosen is None:
        return gradient
    whole = gradient.new_zeros(num_weights)
    if subset.chosen is None:
        whole[subset.start : subset.stop] = gradient
        return whole
    return whole.index_add_(0, subset.chosen, gradient)
