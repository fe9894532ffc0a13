"""A module that computes with the weights that a decoder gets, within a block of code."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.decoded_weights import decoded_weights
from bitfold.kolmogorov.grid.directions import lengthen_directions
from bitfold.kolmogorov.grid.recomputation import Recomputation, version_of
from bitfold.kolmogorov.grid.rounding import can_round_plainly, round_plainly, slopes_plainly
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.once import differentiable_once
from bitfold.kolmogorov.weights.division import check_whole
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.accumulation_dtype import accumulation_dtype

# Attributes in which a recurrent layer keeps its parameters a second time. It rebuilds them when a
# parameter changes.
_RECURRENT = ("_flat_weights", "_flat_weight_refs")


@contextmanager
def quantised(
    table: ParameterTable, weight_range: WeightRange, subset: WeightSubset
) -> Iterator[None]:
    """Put the weights that a decoder gets in the place of a module's, within a ``with`` block.

    Args:
        table: the described parameters.
        weight_range: turns weights into values and back.
        subset: all weights.

    Raises:
        KolmogorovError: if such a block is open already, or if the module has changed.
    """
    if table.is_replaced:
        raise KolmogorovError(
            f"Cannot quantise {type(table.module).__name__}: expected its own parameters, got "
            "those of another quantised(). Leave that block first."
        )
    table.check()
    advice = "Compute with the module's own weights, or train with DistributedDataParallel."
    check_whole(table.shards, "compute with rounded weights", advice)
    lengthen_directions(table, weight_range)
    weights = straight_through(table, weight_range, subset)
    # The same node made all of them.
    node = next((item.grad_fn for item in weights if item.grad_fn is not None), None)
    try:
        with with_weights(table, weights):
            yield
    finally:
        if node is not None:
            _recomputation_of(table, weight_range, subset).follow(node)


def _recomputation_of(
    table: ParameterTable, weight_range: WeightRange, subset: WeightSubset
) -> Recomputation:
    """The one of this table, made when it is first asked for."""
    if table.recomputation is None:
        again = partial(straight_through, table, weight_range, subset)
        table.recomputation = Recomputation(table, again)
    kept: Recomputation = table.recomputation
    return kept


@contextmanager
def with_weights(table: ParameterTable, weights: Sequence[Tensor]) -> Iterator[None]:
    """Put other tensors in the place of a module's described parameters, within a ``with`` block.

    Each parameter is replaced wherever the module holds it, also where it is tied. Afterwards, and
    after any exception, the module holds the same parameters as before.
    `torch.func.functional_call` does the same for a single call.

    Args:
        table: the described parameters.
        weights: one for each of them, of its shape.
    """
    by_id = dict(zip(map(id, table.parameters), weights, strict=True))
    slots = [slot for slot in table.submodules.places() if id(slot[2]) in by_id]
    recurrent = table.submodules.recurrent()
    kept = [{name: vars(item)[name] for name in _RECURRENT} for item in recurrent]
    table.is_replaced = True
    try:
        for owner, name, item in slots:
            # A tensor with a history is no parameter, as the type of a module's dictionary demands.
            owner._parameters[name] = by_id[id(item)]  # type: ignore[assignment]
        yield
    finally:
        for owner, name, item in slots:
            owner._parameters[name] = item
        for layer, attributes in zip(recurrent, kept, strict=True):
            vars(layer).update(attributes)
        table.is_replaced = False


def straight_through(
    table: ParameterTable, weight_range: WeightRange, subset: WeightSubset
) -> tuple[Tensor, ...]:
    """The weights that a decoder gets, with a gradient as if nothing had been rounded.

    A weight w in steps of s decodes as s times a whole number n. The backward pass treats n as
    w / s by the weight, which therefore gets the gradient unchanged. By the step it treats n as n,
    and w / s as itself: the logarithm of the step gets the gradient times s n - w. A longer step
    moves weights that were rounded up farther up, and weights that were rounded down farther down.

    Source: Bengio, Leonard & Courville 2013 for the weights; Esser et al. 2020 (LSQ), equation 3,
    for the step, by its logarithm. Weights beyond the range are escaped, not clipped, and count
    like all others.

    Args:
        table: the described parameters.
        weight_range: turns weights into values and back.
        subset: all weights.

    Returns:
        For each parameter a tensor of its shape and dtype, bit for bit the decoded one.
    """
    if not torch.is_grad_enabled():
        return tuple(_rounded(table, weight_range, subset))
    # PyTorch leaves Function.apply without types.
    apply: Callable[..., tuple[Tensor, ...]] = _StraightThrough.apply
    learned = list(weight_range.parameters())
    return apply((table, weight_range, subset), *learned, *table.parameters)


def _rounded(
    table: ParameterTable, weight_range: WeightRange, subset: WeightSubset
) -> list[Tensor]:
    """The weights that a decoder gets, without a history."""
    steps = weight_range.steps(as_sent=True)
    views = None if steps is None else table.plain_views()
    if steps is not None and views is not None:
        return round_plainly(table.parameters, views, steps, weight_range.bins)
    flat = decoded_weights(table, weight_range, subset)
    # Without clones the pieces would be views of one tensor, and share its history.
    return [piece.clone() for piece in table.pieces(flat)]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, work: tuple[ParameterTable, WeightRange, WeightSubset], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        table, weight_range, subset = work
        ctx.set_materialize_grads(False)
        rounded = _rounded(table, weight_range, subset)
        ctx.num_learned = len(inputs) - len(rounded)
        # Not saved by PyTorch: checkpointing, which makes them again, would count what is saved.
        ctx.weights, ctx.rounded = inputs[ctx.num_learned :], [item.detach() for item in rounded]
        ctx.learned, ctx.versions = inputs[: ctx.num_learned], [*map(version_of, inputs)]
        return tuple(rounded)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if not ctx.num_learned or not ctx.needs_input_grad[1]:
            return (None, *[None] * ctx.num_learned, *gradients)
        if [*map(version_of, (*ctx.learned, *ctx.weights))] != ctx.versions:
            raise KolmogorovError(
                "Cannot find the gradient by the steps: expected the weights of the quantised() "
                "block, got weights that were changed since. Step the optimiser after backward()."
            )
        with torch.no_grad():
            by_steps = _by_steps(ctx.weights, ctx.rounded, gradients)
        given = [item for item in gradients if item is not None]
        inputs = (*ctx.learned, *ctx.weights, *given)
        by_steps, *_ = differentiable_once("the gradient by the steps", [by_steps], inputs)
        return (None, by_steps, *gradients)


def _by_steps(
    weights: Sequence[Tensor], rounded: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> Tensor:
    """The gradient by the logarithms of the steps: float32 (tensors,)."""
    slopes = []
    for weight, centre, gradient in zip(weights, rounded, gradients, strict=True):
        if gradient is None:
            slopes.append(weight.new_zeros((), dtype=torch.float32))
        elif can_round_plainly([weight, gradient]):
            slopes.append(
                torch.tensor(slopes_plainly(weight, centre, gradient), device="cpu").float()
            )
        else:
            dtype = accumulation_dtype(weight.device, weight.dtype)
            products = gradient.to(dtype) * (centre.to(dtype) - weight.to(dtype))
            slopes.append(products.sum().to(torch.float32))
    return torch.stack(slopes)
