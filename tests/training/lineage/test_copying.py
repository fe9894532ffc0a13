"""Branches of runs that keep older checkpoints: quick to begin, independent of their parents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import bitfold
from bitfold.training import Changed, EpochEnded
from bitfold.training.lineage.branch import branch
from bitfold.training.store import retention
from bitfold.training.store.checkpoints import checkpoint_epoch, checkpoint_paths
from tests.training.training_runs import WITH_K, Heard, assert_same_run, tiny

SETTINGS = {**WITH_K, "checkpoint_interval": 5, "checkpoint_budget": 20, "measure_folds": 0}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bitfold.Run:
    """Train 12 epochs, each longer than the time between two checkpoints."""
    monkeypatch.setattr(retention, "SPACING_SECONDS", 0.0)
    return bitfold.train(tiny(tmp_path / "run", **SETTINGS))


def kept(run: bitfold.Run) -> list[int]:
    """Return the epochs of a run's checkpoints."""
    return [checkpoint_epoch(path) for path in checkpoint_paths(run.checkpoints)]


def test_a_branch_needs_its_parent_no_more(run: bitfold.Run, tmp_path: Path) -> None:
    """A branch, and a branch of it, continue after their parents are deleted."""
    assert kept(run) == list(range(13))
    child = run.branch(9, tmp_path / "child")
    shutil.copytree(run.path, tmp_path / "whole")
    shutil.rmtree(run.path)
    heard = Heard()
    grandchild = bitfold.load_run(branch(child, 4, tmp_path / "grandchild", [heard]))
    assert [event.epoch for event in heard.events if isinstance(event, EpochEnded)] == []
    assert kept(child) == list(range(10))
    assert kept(grandchild) == list(range(5))
    shutil.rmtree(child.path)
    bitfold.resume(grandchild.path)
    assert_same_run(tmp_path / "whole", grandchild.path)


def test_the_budget_may_be_changed_while_a_run_trains(run: bitfold.Run, tmp_path: Path) -> None:
    """Changing the budget changes no result; without a budget the last three and the best stay."""
    without = {**SETTINGS, "checkpoint_budget": 0}
    with bitfold.Session(tiny(tmp_path / "changed", **without)) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 4:
                session.change(checkpoint_budget=20)
            elif isinstance(event, EpochEnded) and event.epoch == 8:
                session.change(checkpoint_budget=0)
            elif isinstance(event, Changed) and event.epoch == 9:
                assert set(range(5, 9)) <= set(kept(bitfold.load_run(tmp_path / "changed")))
    changed = bitfold.load_run(tmp_path / "changed")
    assert len(kept(changed)) <= 4
    one, other = run.metrics, changed.metrics
    assert one["combined_loss"] == other["combined_loss"]
