"""The audit at the first step, the trade monitor, and the records of both."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bitfold
from bitfold.audit import Verdict
from bitfold.errors import RunError
from bitfold.targets import load_target, sample_split
from bitfold.training import Config, EpochEnded, audit_run
from bitfold.training.step.learner import Learner
from bitfold.training.watch.gradient_audit import audit_learner
from bitfold.training.watch.watchdogs import make_watchdogs
from tests.training.training_runs import (
    TINY,
    WITH_K,
    Heard,
    assert_same_run,
    frames_of,
    hard_binning,
    last_state,
    metrics_of,
    tiny,
)

AUDITED = {**WITH_K, "audit": True}


def learner_of(**settings: Any) -> Learner:
    """Return a learner before its first epoch."""
    config = Config(**{**TINY, **settings})
    target = load_target(config.target, size=config.size, task=config.task)
    return Learner(
        config, target, sample_split(target, points=50, validation_points=20, batch_size=16, seed=0)
    )


def verdicts(table: str) -> dict[tuple[str, str], str]:
    """Return the verdicts by term and module from a table."""
    rows = [line.split()[:3] for line in table.splitlines()]
    return {(row[0], row[1]): row[2] for row in rows if row and row[0] in ("task", "K")}


@pytest.mark.parametrize("no_audit", [False, True])
def test_a_run_whose_k_is_cut_ends_before_it_learns(tmp_path: Path, no_audit: bool) -> None:
    """With hard binning a run ends before its first step, unless the audit is off."""
    heard = Heard()
    with hard_binning():
        run = bitfold.train(tiny(tmp_path / "run", **{**AUDITED, "audit": not no_audit}), [heard])
    if no_audit:
        assert (heard.ended.reason, heard.audits) == ("completed", [])
        assert len(heard.epochs) == 12
        assert not (run.path / "audit.txt").exists()
        return
    assert (heard.ended.reason, heard.ended.exit_code, heard.epochs) == ("audit", 6, [])
    assert "that of K does not reach the network" in heard.ended.message
    assert "\n" not in heard.ended.message
    assert (run.status["status"], run.status["exit_code"], run.status["epoch"]) == ("audit", 6, 0)
    (audit,) = heard.audits
    assert (audit.epoch, audit.is_ok) == (0, False)
    assert verdicts(audit.table)["K", "network"] == "cut"
    assert verdicts(audit.table)["K", "predictor"] == "reaches"
    assert "K -> network is cut at" in audit.table
    assert audit.table in (run.path / "audit.txt").read_text()


def test_a_cut_that_is_planted_by_a_change_is_audited_and_trained(tmp_path: Path) -> None:
    """The audit names a cut that a change plants, and the run and its continuation train on."""
    heard, again = Heard(), Heard()
    with bitfold.Session(tiny(tmp_path / "run", **AUDITED), [heard]) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 4:
                session.change(kolmogorov_targets="cut")
                session.change(learning_rate=0.02)  # K is the same, so it is not audited again
            if isinstance(event, EpochEnded) and event.epoch == 6:
                break
    assert [(audit.epoch, audit.is_ok) for audit in heard.audits] == [(0, True), (4, False)]
    (row,) = [row for row in heard.audits[1].rows if row.verdict == Verdict.CUT]
    assert (row.term, row.module, row.norm) == ("K", "network", 0.0)
    assert "cut.py" in {Path(site.file).name for site in row.sites}
    with bitfold.Session.resume(tmp_path / "run", [again]) as session:
        session.change(kolmogorov_targets="soft")
        list(session)
    assert again.epochs == [7, 8, 9, 10, 11, 12]
    assert again.audits[-1].is_ok


def test_a_run_that_plants_the_cut_itself_is_trained(tmp_path: Path) -> None:
    """A run configured with the cut trains, and audit.txt names the cut."""
    run = bitfold.train(tiny(tmp_path / "run", **AUDITED, kolmogorov_targets="cut"))
    assert run.status["status"] == "completed"
    assert "K -> network is cut at" in (run.path / "audit.txt").read_text()


def test_a_run_that_was_cut_can_be_continued(tmp_path: Path) -> None:
    """Without the bug, a run that was cut continues to the bits of a run without the bug."""
    bitfold.train(tiny(tmp_path / "whole", **AUDITED))
    with hard_binning():
        bitfold.train(tiny(tmp_path / "run", **AUDITED))
    bitfold.resume(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_a_continued_run_is_audited_too(tmp_path: Path) -> None:
    """A continued run is audited at its first step, finds a new bug, and keeps its files."""
    bitfold.train(tiny(tmp_path / "run", **AUDITED))
    before = metrics_of(tmp_path / "run"), frames_of(tmp_path / "run"), last_state(tmp_path / "run")
    heard, again = Heard(), Heard()
    with hard_binning():
        bitfold.resume(tmp_path / "run", [heard], epochs=14)
        assert heard.ended.exit_code == 6
        (audit,) = heard.audits
        assert (audit.epoch, heard.epochs) == (12, [])
        after = [f(tmp_path / "run") for f in (metrics_of, frames_of, last_state)]
        assert list(before) == after
        bitfold.resume(tmp_path / "run", [again], audit=False)
    assert again.epochs == [13, 14]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param(WITH_K, marks=pytest.mark.slow),
        {**WITH_K, "target": "rgb-ring", "grad_clip_norm": 0.5},
        {**WITH_K, "kolmogorov_targets": "noise", "kolmogorov_every": 3},
        pytest.param(
            {**WITH_K, "kolmogorov_loss_type": "gaussian_nll", "kolmogorov_weight": "mdl"},
            marks=pytest.mark.slow,
        ),
        {**WITH_K, "kolmogorov_predictor": "row_column", "kolmogorov_range": "auto"},
        {**WITH_K, "kolmogorov_predictor": "adaptive", "kolmogorov_range": "auto"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())) or "plain",
)
def test_the_audit_changes_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Metrics, frames and state are bit for bit those of a run without the audit."""
    heard = Heard()
    bitfold.train(tiny(tmp_path / "with", **settings, audit=True), [heard])
    bitfold.train(tiny(tmp_path / "without", **settings, audit=False))
    (audit,) = heard.audits
    assert audit.is_ok
    has_k = "kolmogorov_weight" in settings
    assert set(verdicts(audit.table)) == (
        {(term, module) for term in ("task", "K") for module in ("network", "predictor")}
        if has_k
        else {("task", "network")}
    )
    assert metrics_of(tmp_path / "with") == metrics_of(tmp_path / "without")
    assert frames_of(tmp_path / "with") == frames_of(tmp_path / "without")
    assert last_state(tmp_path / "with") == last_state(tmp_path / "without")


def test_the_audit_leaves_random_numbers_alone() -> None:
    """An audit restores PyTorch's, NumPy's and Python's random states and the order of points."""
    learner = learner_of(**WITH_K, kolmogorov_targets="noise", kolmogorov_every=2)
    learner.run_epoch(1)
    assert learner.kolmogorov is not None
    assert learner.kolmogorov.counter is not None

    def states() -> list[Any]:
        return [
            torch.get_rng_state().tolist(),
            repr(np.random.get_state()),  # noqa: NPY002 - the very state that must not change
            random.getstate(),
            learner.order.get_state().tolist(),
            learner.kolmogorov.counter.steps,  # type: ignore[union-attr] # checked above
            learner.flat_weights().tolist(),
            [p.grad for p in learner.network.parameters()],
            learner.network.training,
            learner.kolmogorov.training,  # type: ignore[union-attr] # checked above
        ]

    before = states()
    assert audit_learner(learner).ok
    assert states() == before


def test_a_completed_run_is_not_audited_again(tmp_path: Path) -> None:
    """A completed run without more epochs is not audited."""
    bitfold.train(tiny(tmp_path / "run", **AUDITED))
    heard = Heard()
    bitfold.resume(tmp_path / "run", [heard])
    assert heard.audits == []


def test_a_loss_that_is_not_finite_is_the_watchdogs(tmp_path: Path) -> None:
    """If the loss is not finite, a line says that the audit failed, and the run goes on."""
    settings = {"optimizer": "sgd", "learning_rate": 1e6}
    run = bitfold.train(tiny(tmp_path / "run", **settings, no_watchdog=("finite", "loop")))
    heard = Heard()
    bitfold.resume(run.path, [heard], epochs=14, audit=True)
    assert heard.ended.reason == "completed"
    (notice,) = heard.notices
    assert "Cannot audit" in notice


def test_audit_run_looks_at_the_newest_checkpoint(tmp_path: Path) -> None:
    """`audit_run` finds the cut at the newest checkpoint, and changes no file."""
    bitfold.train(tiny(tmp_path / "run", **WITH_K))
    files = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    audit = audit_run(tmp_path / "run")
    assert audit.ok
    with hard_binning():
        planted = audit_run(tmp_path / "run")
    assert not planted.ok
    learner = learner_of(**WITH_K, epoch_loop="compiled")
    found = audit_learner(learner)
    assert found.row("task", "network").norm != audit.row("task", "network").norm
    for epoch in range(1, 13):
        learner.run_epoch(epoch)
    found = audit_learner(learner)
    assert [row.norm for row in found.rows] == [row.norm for row in audit.rows]
    after = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert after == files


def test_audit_run_needs_a_run(tmp_path: Path) -> None:
    """`audit_run` names a folder that holds no run."""
    with pytest.raises(RunError, match="Cannot open run"):
        audit_run(tmp_path)


class EarlyMonitor:
    """A trade monitor that reports once, in the fifth epoch of four steps."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def update(self, task: float, k: float, weight: float) -> str | None:
        """Count the update, and report at the eighteenth."""
        self.seen += [task, k, weight]
        return "The weighted K rose by 0.009." if len(self.seen) == 3 * 18 else None

    def history(self) -> list[float]:
        """Return all updates so far."""
        return list(self.seen)

    def restore(self, history: list[float]) -> None:
        """Restore all updates so far."""
        self.seen = list(history)


@pytest.fixture
def monitors(monkeypatch: pytest.MonkeyPatch) -> list[EarlyMonitor]:
    """Make runs use early trade monitors, and return the monitors."""
    made: list[EarlyMonitor] = []

    def make(unit: str) -> EarlyMonitor:
        assert unit == "step"
        made.append(EarlyMonitor())
        return made[-1]

    monkeypatch.setattr("bitfold.training.watch.oversight.TradeMonitor", make)
    return made


def test_a_trade_is_noticed_and_audited(tmp_path: Path, monitors: list[EarlyMonitor]) -> None:
    """A trade gives one line, and the audit at that epoch is printed, logged and kept."""
    heard = Heard()
    run = bitfold.train(tiny(tmp_path / "run", **AUDITED, kolmogorov_warmup=4), [heard])
    assert heard.notices == [
        "The weighted K rose by 0.009.",
        "No gradient is cut at epoch 5: see audit.txt.",
    ]
    assert [(a.epoch, a.occasion, a.is_ok) for a in heard.audits] == [
        (0, "before the first step", True),
        (5, "The weighted K rose by 0.009.", True),
    ]
    text = (run.path / "audit.txt").read_text()
    assert text.count("verdict") == 2
    assert "After epoch 5, The weighted K rose by 0.009.\n" in text
    (monitor,) = monitors
    seen = np.array(monitor.seen).reshape(12, 4, 3)  # epochs, steps, numbers
    names = ("task_loss", "kolmogorov_loss", "kolmogorov_weight")
    of_epochs = [[line[name] for name in names] for line in metrics_of(run.path)]
    np.testing.assert_allclose(np.average(seen, 1, (16, 16, 16, 2)), of_epochs, rtol=1e-6)
    assert len(np.unique(seen[..., 0])) == 48


def test_a_trade_is_noticed_without_an_audit(tmp_path: Path, monitors: list[EarlyMonitor]) -> None:
    """``--no-audit`` switches off the audit, but not the trade's warning."""
    heard = Heard()
    run = bitfold.train(tiny(tmp_path / "run", **WITH_K), [heard])
    assert heard.notices == ["The weighted K rose by 0.009."]
    assert heard.audits == []
    assert not (run.path / "audit.txt").exists()


@pytest.mark.parametrize("epochs", [3, 8])
def test_the_monitors_memory_is_in_the_checkpoint(
    tmp_path: Path, monitors: list[EarlyMonitor], epochs: int
) -> None:
    """A continued run warns at an unbroken run's epoch, and not a second time."""
    bitfold.train(tiny(tmp_path / "whole", **AUDITED))
    first, second = Heard(), Heard()
    bitfold.train(tiny(tmp_path / "parts", **AUDITED, epochs=epochs), [first])
    bitfold.resume(tmp_path / "parts", [second], epochs=12)
    assert [len(first.notices), len(second.notices)] == ([0, 2] if epochs == 3 else [2, 0])
    assert monitors[0].seen == monitors[-1].seen
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_without_k_there_is_nothing_to_trade(tmp_path: Path, monitors: list[EarlyMonitor]) -> None:
    """Without K no trade monitor is made."""
    bitfold.train(tiny(tmp_path / "run"))
    assert monitors == []


def test_the_exit_code_is_nobody_elses() -> None:
    """The exit code of an audit differs from those of watchdogs and bad input."""
    from bitfold.training.watch.gradient_audit import AUDIT_EXIT_CODE

    assert AUDIT_EXIT_CODE == 6
    assert AUDIT_EXIT_CODE not in {0, 1, 2, *(w.exit_code for w in make_watchdogs(()))}
