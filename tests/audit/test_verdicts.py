"""Tests of the verdict on a pair of a term and a module."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.audit import AuditRow, GradientAudit, Verdict, audit_gradients


def audit_one(term: Callable[[], Tensor | float], module: nn.Module) -> AuditRow:
    """Audit one pair and return its row."""
    (row,) = audit_gradients({"loss": term}, {"net": module}).rows
    return row


@pytest.fixture
def net() -> nn.Sequential:
    """Return a small network."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


@pytest.fixture
def x() -> Tensor:
    """Return points for the network."""
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(1))


def test_dead_neurons_are_weak_and_not_cut(x: Tensor) -> None:
    """A pair is weak if a gradient arrives only at displaced parameters."""
    torch.manual_seed(0)
    hidden, head = nn.Linear(4, 8), nn.Linear(8, 1)
    with torch.no_grad():
        hidden.bias.fill_(-(x @ hidden.weight.t()).abs().amax() * 1.01)
    row = audit_one(lambda: head(torch.relu(hidden(x))).square().mean(), hidden)
    assert row.verdict == Verdict.WEAK
    assert row.share == 0
    assert "no gradient here" in row.note


def test_neurons_that_nothing_revives_are_independent(x: Tensor) -> None:
    """A value that no displacement changes does not depend on the module."""
    hidden, head = nn.Linear(4, 8), nn.Linear(8, 1)
    term = audit_one(lambda: head(torch.relu(hidden(x)) * 0.0).square().mean(), hidden)
    assert term.verdict == Verdict.INDEPENDENT


def test_few_reached_parameters_are_weak(x: Tensor) -> None:
    """A pair is weak if the gradient reaches below a tenth of the influencing parameters."""
    net = nn.Linear(4, 8)
    row = audit_one(lambda: (x @ net.weight.detach().t()).sum() + net.bias[:2].sum(), net)
    assert row.verdict == Verdict.WEAK
    assert row.share == pytest.approx(2 / 40)
    found = re.fullmatch(r"about (\d+) more parameters influence .* no gradient", row.note)
    assert found is not None
    assert 26 <= int(found[1]) <= 38  # 32 of the 38 without a gradient, estimated by a sample
    assert GradientAudit((row,), 1).ok


def test_more_than_a_tenth_is_enough(x: Tensor) -> None:
    """A pair is reached if over a tenth of its parameters are; the rest may be cut on purpose."""
    net = nn.Linear(4, 8)
    row = audit_one(lambda: (x @ net.weight.detach().t()).sum() + net.bias.sum(), net)
    assert row.verdict == Verdict.REACHES
    assert row.share == pytest.approx(8 / 40)


def test_parameters_without_influence_do_not_count() -> None:
    """An embedding counts as reached if the rows that were looked up are reached."""
    table = nn.Embedding(1000, 2)
    row = audit_one(lambda: table(torch.tensor([3, 7])).square().sum(), table)
    assert row.verdict == Verdict.REACHES
    assert row.share == pytest.approx(2 / 1000)


def test_steps_wider_than_the_parameters_are_found(net: nn.Module, x: Tensor) -> None:
    """Where data flows, displacements grow until the value of a coarse rounding changes."""
    row = audit_one(lambda: (net(x) * 0.01).round().exp().mean(), net)
    assert row.verdict == Verdict.CUT
    assert [site.operation for site in row.sites] == ["Tensor.round"]


@pytest.mark.parametrize("how", ["shape", "zeros_like", "times_zero", "difference"])
def test_data_without_influence_are_independent(net: nn.Module, x: Tensor, how: str) -> None:
    """A module whose values never change the loss is independent, though its tensor is used."""
    terms = {
        "shape": lambda: x.sum() / net.get_parameter("0.weight").shape[0],
        "zeros_like": lambda: torch.zeros_like(net.get_parameter("0.weight")).sum() + x.mean(),
        "times_zero": lambda: (net(x).detach() * 0).sum() + x.mean(),
        "difference": lambda: (net(x).detach() - net(x).detach()).sum() + x.mean(),
    }
    assert audit_one(terms[how], net).verdict == Verdict.INDEPENDENT


def test_influence_is_of_each_module_apart(net: nn.Module, x: Tensor) -> None:
    """Each module has its own verdict: a value may keep one module's graph and cut another's."""
    other = nn.Linear(3, 1)
    terms = {"a": lambda: other(net(x).detach()).mean(), "b": lambda: net(x).square().mean()}
    audit = audit_gradients(terms, {"net": net, "other": other})
    found = {(row.term, row.module): row.verdict for row in audit.rows}
    assert found == {
        ("a", "net"): Verdict.CUT,
        ("a", "other"): Verdict.REACHES,
        ("b", "net"): Verdict.REACHES,
        ("b", "other"): Verdict.INDEPENDENT,
    }
    assert not audit.ok


def test_frozen_parameters_are_not_asked_about(net: nn.Module, x: Tensor) -> None:
    """Frozen parameters do not count in the share."""
    net.get_submodule("0").requires_grad_(False)
    row = audit_one(lambda: net(x).square().mean(), net)
    assert row.share == 1.0


def test_norm_and_share_are_those_of_the_gradient(net: nn.Module, x: Tensor) -> None:
    """Norms are those of the gradients that a backward pass gives."""
    row = audit_one(lambda: net(x).square().mean(), net)
    net(x).square().mean().backward()
    squares = sum(cast(Tensor, p.grad).double().square().sum().item() for p in net.parameters())
    assert row.norm == pytest.approx(squares**0.5, rel=1e-5)
    assert row.share == 1.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_displacements_are_in_the_modules_own_dtype(x: Tensor, dtype: torch.dtype) -> None:
    """The audit tells rounding from smoothness in the module's own dtype."""
    torch.manual_seed(0)
    net, points = nn.Linear(4, 8).to(dtype), x.to(dtype)
    terms = {
        "smooth": lambda: net(points).square().mean(),
        "hard": lambda: (net(points) * 8).round().square().mean(),
    }
    found = audit_gradients(terms, {"net": net}).rows
    assert [row.verdict for row in found] == [Verdict.REACHES, Verdict.CUT]
    assert found[0].agreement is not None
    assert found[0].agreement > 0.8


def test_a_module_of_zeros_is_moved_all_the_same(x: Tensor) -> None:
    """The audit displaces parameters of all zeros too, though their root mean square is 0."""
    net = nn.Linear(4, 2)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    row = audit_one(lambda: net(x).detach().square().mean(), net)
    assert row.verdict == Verdict.CUT


def test_noise_of_the_terms_own_is_told_from_a_dependence(net: nn.Module, x: Tensor) -> None:
    """A term's own NumPy noise, which the audit cannot reset, does not count as a dependence."""
    noise = np.random.default_rng(0)
    other = nn.Linear(4, 1)
    terms = {
        "independent": lambda: other(x).mean() + float(noise.normal()),
        "cut": lambda: other(x).mean() + 1e-3 * noise.normal() + net(x).detach().square().sum(),
        "reaches": lambda: net(x).mean() + float(noise.normal()),
    }
    rows = audit_gradients(terms, {"net": net}).rows
    assert [row.verdict.value for row in rows] == ["independent", "cut", "reaches"]
    assert all("from one evaluation to the next" in row.note for row in rows)


def test_a_generator_of_pytorch_is_put_back_each_time(net: nn.Module, x: Tensor) -> None:
    """A generator of a term is reset, so that noise is the same in every evaluation."""
    generator = torch.Generator().manual_seed(3)
    start = generator.get_state()
    row = audit_one(lambda: (net(x) + torch.randn(16, 3, generator=generator)).square().mean(), net)
    assert row.note == ""
    assert row.agreement == pytest.approx(1.0, abs=0.02)
    assert torch.equal(generator.get_state(), start)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_callers_own_mode_plays_no_part(net: nn.Module, x: Tensor, mode: type) -> None:
    """Terms are evaluated with gradients, even if the caller has disabled gradients."""
    with mode():
        row = audit_one(lambda: net(x).square().mean(), net)
    assert row.verdict == Verdict.REACHES


def test_a_compiled_module_is_looked_into(net: nn.Module, x: Tensor) -> None:
    """A compiled module runs uncompiled during the audit."""
    compiled = torch.compile(net, backend="eager")
    terms = {"whole": lambda: compiled(x).mean(), "cut": lambda: compiled(x).round().mean()}
    rows = audit_gradients(terms, {"net": net}).rows
    assert [row.verdict for row in rows] == [Verdict.REACHES, Verdict.CUT]
    assert [site.operation for site in rows[1].sites] == ["Tensor.round"]


def test_the_number_of_evaluations_is_bounded(net: nn.Module, x: Tensor) -> None:
    """The audit needs 3 evaluations a term, 6 a pair that is reached, at most 3 an unused pair."""
    other = nn.Linear(4, 1)
    audit = audit_gradients({"loss": lambda: net(x).mean()}, {"net": net, "other": other})
    assert audit.num_evaluations == 3 + 6 + 3


def test_the_same_seed_gives_the_same_audit(net: nn.Module, x: Tensor) -> None:
    """Directions are drawn from the audit's own generator."""
    audits = [audit_gradients({"loss": lambda: net(x).mean()}, {"net": net}) for _ in range(2)]
    assert audits[0] == audits[1]
