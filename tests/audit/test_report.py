"""Tests of an audit's table, and of the assertion for tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bitfold.audit import (
    AuditRow,
    CutSite,
    GradientAudit,
    Verdict,
    assert_gradients_reach,
    audit_gradients,
)

SITE = CutSite("Tensor.detach", "gives a result without a graph", "loss.py", 7, "x.detach()")


def row(verdict: Verdict, *sites: CutSite, note: str = "") -> AuditRow:
    """A row with some numbers."""
    return AuditRow("K", "network", verdict, 0.25, 1.5, None, sites, note)


def test_the_table_names_each_cut_below() -> None:
    """A cut site shows file, line, operation and code."""
    assert str(GradientAudit((row(Verdict.CUT, SITE, note="a note"),), 1)).splitlines() == [
        "term  module   verdict  share   norm  agreement",
        "K     network  cut      25.0%  1.500          -",
        "K -> network is cut at",
        "  loss.py:7: Tensor.detach gives a result without a graph: x.detach()",
        "  a note",
    ]


def test_long_lists_of_places_are_cut_short() -> None:
    """The table lists the first cut sites and counts the others; rows keep all of them."""
    audit = GradientAudit((row(Verdict.CUT, *[SITE] * 20),), 1)
    assert str(audit).splitlines()[-1] == "  and 8 more places"
    assert len(audit.rows[0].sites) == 20


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_a_cut_is_not_ok(verdict: Verdict) -> None:
    """An audit is ok with weak and independent pairs, and not with a cut pair."""
    assert GradientAudit((row(Verdict.REACHES), row(verdict)), 1).ok is (verdict != Verdict.CUT)


def test_rows_are_found_by_name() -> None:
    """`row` finds a pair by its names and raises for unknown names."""
    audit = GradientAudit((row(Verdict.REACHES),), 1)
    assert audit.row("K", "network") is audit.rows[0]
    with pytest.raises(KeyError):
        audit.row("K", "predictor")


def test_files_below_the_working_folder_are_shown_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shown path is relative to the working folder; the site keeps the full path."""
    here = Path(__file__)
    monkeypatch.chdir(here.parent)
    site = CutSite("Tensor.detach", "stops", str(here), 1)
    assert str(site) == f"{here.name}:1: Tensor.detach stops"
    assert site.file == str(here)


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module, Tensor]:
    """Return two modules and points."""
    torch.manual_seed(0)
    return nn.Linear(3, 3), nn.Linear(3, 1), torch.randn(8, 3)


def test_the_assertion_passes_and_fails(pair: tuple[nn.Module, nn.Module, Tensor]) -> None:
    """The assertion fails with the pair's names and the table."""
    net, head, x = pair
    modules = {"net": net, "head": head}
    assert_gradients_reach({"loss": lambda: head(net(x)).mean()}, modules)
    with pytest.raises(AssertionError) as caught:
        assert_gradients_reach({"loss": lambda: head(net(x).detach()).mean()}, modules)
    assert str(caught.value).startswith("gradients do not reach: loss -> net\nterm ")
    assert "Tensor.detach" in str(caught.value)


def test_the_assertion_can_ask_for_pairs(pair: tuple[nn.Module, nn.Module, Tensor]) -> None:
    """With named pairs, other pairs may be cut, but an independent named pair fails."""
    net, head, x = pair
    terms = {"loss": lambda: head(net(x).detach()).mean()}
    modules = {"net": net, "head": head, "unused": nn.Linear(1, 1)}
    assert_gradients_reach(terms, modules, pairs=[("loss", "head")])
    with pytest.raises(AssertionError, match="loss -> unused"):
        assert_gradients_reach(terms, modules, pairs=[("loss", "unused")])


def test_a_term_without_code_of_its_own_names_its_caller(
    pair: tuple[nn.Module, nn.Module, Tensor],
) -> None:
    """For a term that is a bound PyTorch method, the site is the line that calls the audit."""
    net, _, _ = pair
    (found,) = audit_gradients(
        {"loss": net.get_parameter("weight").detach().sum}, {"net": net}
    ).rows
    assert found.verdict == Verdict.CUT
    assert {site.file for site in found.sites} == {__file__}
