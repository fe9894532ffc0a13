"""How a planted cut is audited."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.audit import CutSite, Verdict, audit_gradients

Case = Callable[..., Callable[[], Any]]


def audit_planted(case: Case) -> tuple[set[int], tuple[CutSite, ...]]:
    """Audit a case; return its marked lines and the lines that the audit names."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
    other = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
    term = case(net, other, torch.randn(16, 4))
    audit = audit_gradients({"loss": term}, {"net": net, "other": other})
    assert audit.rows[0].verdict == Verdict.CUT, str(audit)
    assert not audit.ok
    lines, first = inspect.getsourcelines(case)
    marked = {first + i for i, line in enumerate(lines) if line.rstrip().endswith("# cut")}
    return marked, audit.rows[0].sites


@pytest.fixture
def planted() -> Callable[[Case], tuple[set[int], tuple[CutSite, ...]]]:
    """Return a function from a case to its marked lines and the lines that the audit names."""
    return audit_planted
