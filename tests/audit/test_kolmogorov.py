"""The bug behind the audit: the gradient of K never reaches the network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bitfold.audit import GradientAudit, Verdict, audit_gradients
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet

PLANTED = Path(__file__).parents[2] / "benchmarks" / "harness" / "planted_bug.py"


@pytest.fixture
def hard_binning() -> Callable[[], AbstractContextManager[None]]:
    """Return the context in which a KolmogorovLoss bins hard, planted as in the benchmarks."""
    spec = importlib.util.spec_from_file_location("planted_bug", PLANTED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    hard_binning: Callable[[], AbstractContextManager[None]] = module.hard_binning
    return hard_binning


def audit_training() -> GradientAudit:
    """Audit a task loss and K as training does."""
    torch.manual_seed(0)
    network, x = PolytopeNet(2, "[10]*8", 1), torch.rand(200, 2)
    wanted = (x.norm(dim=1, keepdim=True) > 0.7).float()
    kolmogorov = KolmogorovLoss(network, temperature=0.1, targets="soft")
    terms: dict[str, Callable[[], Tensor | float]] = {
        "task": lambda: nn.functional.mse_loss(network(x), wanted),
        "K": kolmogorov,
    }
    return audit_gradients(terms, {"network": network, "predictor": kolmogorov})


def test_the_seeds_bug_is_found(hard_binning: Callable[[], AbstractContextManager[None]]) -> None:
    """With hard bins K reaches the predictor alone, and the audit names the line that cuts."""
    with hard_binning():
        audit = audit_training()
    assert not audit.ok
    assert {(row.term, row.module): row.verdict for row in audit.rows} == {
        ("task", "network"): Verdict.REACHES,
        ("task", "predictor"): Verdict.INDEPENDENT,
        ("K", "network"): Verdict.CUT,
        ("K", "predictor"): Verdict.REACHES,
    }
    named = {(Path(site.file).name, site.operation) for site in audit.row("K", "network").sites}
    assert ("planted_bug.py", "Tensor.floor") in named


def test_soft_targets_are_right() -> None:
    """With soft targets K reaches network and predictor, and agrees with finite differences."""
    audit = audit_training()
    assert audit.ok
    for module in ("network", "predictor"):
        row = audit.row("K", module)
        assert row.verdict == Verdict.REACHES
        assert row.agreement is not None
        assert row.agreement > 0.9
