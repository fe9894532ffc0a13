"""Losses that each cut the graph in one way; the audit must name the exact line."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own abbreviation

from bitfold.audit import CutSite
from tests.audit.planted_checks import assert_named_at_its_lines, assert_operation_named

Term = Callable[[], Any]
Case = Callable[[nn.Module, nn.Module, Tensor], Term]
Finder = Callable[[Case], tuple[set[int], tuple[CutSite, ...]]]


def cast_to_integers(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A cast to integers finds the bins, as in the seed's story."""

    def term() -> Tensor:
        bins = (net(x) * 20).long().clamp(-9, 9) + 9  # cut
        return other(x).mean() + torch.linspace(0, 1, 19)[bins].mean()

    return term


def detach(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The hidden layer is detached."""

    def term() -> Tensor:
        hidden = net(x).detach()  # cut
        return other(hidden).square().mean()

    return term


def without_gradients(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The network runs under no_grad."""

    def term() -> Tensor:
        with torch.no_grad():
            hidden = net(x)  # cut
            hidden = hidden * 2
        return other(hidden).square().mean()

    return term


def in_inference_mode(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The network runs in inference mode, and its result is then changed in place."""

    def term() -> Tensor:
        with torch.inference_mode():
            hidden = net(x)  # cut
            hidden += 1
        return hidden.clone().square().mean() * other(x).mean()

    return term


def data_attribute(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The loss uses the parameters' ``.data``."""

    def term() -> Tensor | float:
        return sum(item.data.square().sum() for item in net.parameters())  # cut

    return term


def through_numpy(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A detached array goes through NumPy."""

    def term() -> Tensor:
        values = net(x).detach().numpy()  # cut
        return other(torch.from_numpy(np.tanh(values) * 2)).mean()

    return term


def numpy_and_back_in_place(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """An array is changed in place outside PyTorch, and a number is logged."""
    log: list[float] = []

    def term() -> Tensor:
        hidden = net(x)
        log.append(hidden.sum().item())
        values = hidden.detach().numpy()  # cut
        values **= 2
        return torch.from_numpy(values).mean() + other(x).mean()

    return term


def item(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A scale becomes a Python number."""

    def term() -> Tensor:
        scale = net(x).abs().mean().item()  # cut
        return other(x).square().mean() * scale

    return term


def to_list(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The output becomes nested lists."""

    def term() -> Tensor:
        rows = net(x).tolist()  # cut
        return torch.tensor([max(row) for row in rows]).mean() + other(x).mean()

    return term


def to_float(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A norm becomes a float."""

    def term() -> Tensor:
        total = net(x).norm()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scale = float(total)  # cut
        return other(x * scale).square().mean()

    return term


def returns_a_number(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The term returns a Python number."""

    def term() -> float:
        loss = net(x).square().mean()
        return 2 * loss.item() + 1  # cut

    return term


def comparison(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A comparison counts the active units."""

    def term() -> Tensor:
        active = net(x) > 0  # cut
        return active.float().mean() + other(x).mean()

    return term


def argmax(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The index of the largest output becomes one-hot."""

    def term() -> Tensor:
        choice = net(x).argmax(dim=1)  # cut
        return (F.one_hot(choice, 4) * other(x)[:, :4]).sum()

    return term


def rank(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The order of the outputs replaces their values."""

    def term() -> Tensor:
        order = net(x).flatten().argsort()  # cut
        return (order * torch.arange(len(order))).float().mean()

    return term


def top_places(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The loss uses only the indices of the largest outputs."""

    def term() -> Tensor:
        _, places = net(x).topk(2, dim=1)  # cut
        return other(x).gather(1, places).mean()

    return term


def bucketize(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """A table of edges assigns bins."""

    def term() -> Tensor:
        bins = torch.bucketize(net(x).detach(), torch.linspace(-1, 1, 9))  # cut
        return bins.float().mean()

    return term


def control_flow(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The output decides which branch runs."""

    def term() -> Tensor:
        if net(x).sum() > 0:  # cut
            return other(x).square().mean()
        return 1 + other(x).abs().mean()

    return term


def written_into_data(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The output is written into a tensor's data."""

    memory = torch.zeros(len(x), 4)

    def term() -> Tensor:
        memory.data.copy_(net(x))  # cut
        return other(memory).square().mean()

    return term


def new_leaf(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The outputs' values become a new leaf."""

    def term() -> Tensor:
        hidden = torch.tensor(net(x).detach().numpy(), requires_grad=True)  # cut
        return other(hidden).square().mean()

    return term


def alias_made_before(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The term uses detached parameters that were made once, outside the term."""

    weights = [item.detach() for item in net.parameters()]

    def term() -> Tensor:
        sizes = [weight.abs() for weight in weights]  # cut
        return torch.cat([size.flatten() for size in sizes]).mean()

    return term


def copied_module(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The term evaluates a deep copy."""

    def term() -> Tensor:
        twin = copy.deepcopy(net)  # cut
        return twin(x).square().mean()

    return term


def loaded_state(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """Another module loads the network's state."""

    def term() -> Tensor:
        state = net.state_dict()  # cut
        other.load_state_dict(state)
        return other(x).square().mean()

    return term


def logged_beside_a_cut(net: nn.Module, other: nn.Module, x: Tensor) -> Term:
    """The term detaches one number for its log and one for its value; only the second is a cut."""
    log: list[float] = []

    def term() -> Tensor:
        hidden = net(x)
        log.append(hidden.mean().item())
        scale = hidden.square().mean().item()  # cut
        return other(x).square().mean() * scale

    return term


CASES: tuple[Case, ...] = (
    cast_to_integers,
    detach,
    without_gradients,
    in_inference_mode,
    data_attribute,
    through_numpy,
    numpy_and_back_in_place,
    item,
    to_list,
    to_float,
    returns_a_number,
    comparison,
    argmax,
    rank,
    top_places,
    bucketize,
    control_flow,
    written_into_data,
    new_leaf,
    alias_made_before,
    copied_module,
    loaded_state,
    logged_beside_a_cut,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_planted_cut_is_named_at_its_very_line(case: Case, planted: Finder) -> None:
    """The audit names exactly the marked lines of this file."""
    assert_named_at_its_lines(planted(case), __file__)


@pytest.mark.parametrize(
    ("case", "operation", "mechanism"),
    [
        (cast_to_integers, "Tensor.long", "gives int64"),
        (detach, "Tensor.detach", "without a graph"),
        (without_gradients, "nn.functional.linear", "runs under no_grad"),
        (in_inference_mode, "nn.functional.linear", "runs under inference_mode"),
        (data_attribute, "Tensor.data", "without a graph"),
        (item, "Tensor.item", "number or array"),
        (comparison, "Tensor.gt", "gives bool"),
        (alias_made_before, "Tensor.abs", "shares memory with net."),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_cut_names_its_operation_and_mechanism(
    case: Case, operation: str, mechanism: str, planted: Finder
) -> None:
    """The audit names the operation of a cut and how it cut the graph."""
    assert_operation_named(planted(case), operation, mechanism)
