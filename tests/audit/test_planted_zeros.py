"""Losses whose backward pass gives only zeros; the audit must name the exact line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bitfold.audit import CutSite
from tests.audit.planted_checks import assert_named_at_its_lines, assert_operation_named

Term = Callable[[], Any]
Case = Callable[[nn.Module, nn.Module, Tensor], Term]
Finder = Callable[[Case], tuple[set[int], tuple[CutSite, ...]]]


def rounding(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """Rounding passes a gradient of zero."""

    def term() -> Tensor:
        return (
            other(x).mean() + torch.round(net(x) * 50).square().mean()  # cut
        )

    return term


def floor(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """An in-place floor passes a gradient of zero."""

    def term() -> Tensor:
        scaled = net(x) * 50
        scaled.floor_()  # cut
        return scaled.square().mean()

    return term


def sign(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The loss uses only the signs of the outputs."""

    def term() -> Tensor:
        return (net(x).sign() * other(x)).mean()  # cut

    return term


def times_zero(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A factor of zero removes the gradient, and the detached copy keeps the value."""

    def term() -> Tensor:
        hidden = net(x)
        kept = hidden * 0  # cut
        return (kept + hidden.detach()).square().mean()  # cut

    return term


def sampling(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """Samples are drawn from the output."""

    def term() -> Tensor:
        chances = torch.sigmoid(net(x))
        drawn = torch.bernoulli(chances)  # cut
        return (drawn * other(x)).mean()

    return term


class _NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.square() + 1

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)


def function_that_passes_zero(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A custom Function's backward gives zeros; the caller stored its ``apply`` before."""

    apply: Callable[[Tensor], Tensor] = _NoBackward.apply

    def term() -> Tensor:
        return apply(net(x)).mean()  # cut

    return term


class _NotDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        result = x.abs().sqrt()
        ctx.mark_non_differentiable(result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def function_without_a_graph(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A custom Function marks its result as not differentiable."""

    def term() -> Tensor:
        hidden = _NotDifferentiable.apply(net(x))  # cut
        return (hidden * other(x)).mean()

    return term


def reentrant_checkpoint(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A reentrant checkpoint has an input that requires no gradient."""

    def term() -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hidden = checkpoint(net, x, use_reentrant=True)  # cut
        return (hidden * other(x)).mean()

    return term


class _InNumpy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        values = x.detach().numpy()
        ctx.save_for_backward(torch.from_numpy(2 * values))
        shifted = x * 1 + 0
        return shifted.new_tensor(float((values**2).sum())) + 0 * shifted.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0]


def closed_gate(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A product with zeros passes a gradient to one factor and none to the other."""

    def term() -> Tensor:
        gate = other(x) * 0
        gated = net(x) * gate  # cut
        return (gated + net(x).detach()).square().mean()  # cut

    return term


def hard_bins_in_a_function(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """Inside a custom Function that passes no gradient, the line that loses it is named."""

    class HardBins(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            index = x * 20
            bins = index.floor()  # cut
            total = float(bins.square().sum())
            return index.new_tensor(total)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return gradient * torch.zeros(16, 4)

    def term() -> Tensor:
        return HardBins.apply(net(x)) / 100 + other(x).mean()  # cut

    return term


def rounding_before_a_function(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The audit names the cut before a correct custom Function, and not the Function."""

    def term() -> Tensor:
        bins = (net(x) * 8).round()  # cut
        scale = 3 * net(x).square().mean().item()  # cut
        return _InNumpy.apply(bins) + scale * other(x).square().mean()

    return term


def detached_before_rounding(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A detached summand before a rounding is not named, because the sum still has a graph."""

    def term() -> Tensor:
        hidden = net(x)
        hidden = hidden + hidden.detach().abs()
        return torch.trunc(hidden * 9).square().mean()  # cut

    return term


CASES: tuple[Case, ...] = (
    closed_gate,
    hard_bins_in_a_function,
    rounding,
    floor,
    sign,
    times_zero,
    sampling,
    function_that_passes_zero,
    function_without_a_graph,
    reentrant_checkpoint,
    rounding_before_a_function,
    detached_before_rounding,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_planted_cut_is_named_at_its_very_line(case: Case, planted: Finder) -> None:
    """The audit names exactly the marked lines of this file."""
    assert_named_at_its_lines(planted(case), __file__)


@pytest.mark.parametrize(
    ("case", "operation", "mechanism"),
    [
        (rounding, "round", "gradient of zero"),
        (function_that_passes_zero, "_NoBackward.apply", "no gradient in its backward"),
        (function_without_a_graph, "_NotDifferentiable.apply", "without a graph"),
        (reentrant_checkpoint, "CheckpointFunction.apply", "without a graph"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_cut_names_its_operation_and_mechanism(
    case: Case, operation: str, mechanism: str, planted: Finder
) -> None:
    """The audit names the operation of a cut and how it cut the graph."""
    assert_operation_named(planted(case), operation, mechanism)
