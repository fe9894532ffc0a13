"""The marks on a time line, from the files of a run's folder."""

from __future__ import annotations

import json
from pathlib import Path

import bitfold
from bitfold.studio.marks import Mark, marks_of
from bitfold.training import RunRecord
from tests.training.training_runs import WITH_K, tiny

TABLE = "term  module   verdict\nK     network  reaches"


def test_a_planted_cut_is_marked_where_the_audit_found_it(tmp_path: Path) -> None:
    """A planted cut is marked at the audit's epoch, and an audit without a cut is not marked."""
    settings = {**WITH_K, "audit": True, "epochs": 2}
    bitfold.train(tiny(tmp_path / "cut", **settings, kolmogorov_targets="cut"))
    bitfold.train(tiny(tmp_path / "whole", **settings))
    (mark,) = marks_of(RunRecord.open(tmp_path / "cut"))
    assert (mark.epoch, mark.kind) == (0, "audit")
    assert marks_of(RunRecord.open(tmp_path / "whole")) == []


def test_monitor_and_watchdog_are_marked_and_nonsense_is_not(tmp_path: Path) -> None:
    """Monitor and watchdog are marked by epoch; foreign lines and links are ignored."""
    path = bitfold.train(tiny(tmp_path / "run", epochs=2)).path
    (path / "audit.txt").write_text(
        f"After epoch 1, From step 2 to 5 the weighted K rose.\n{TABLE}\n\n"
        f"After epoch many, nonsense\n{TABLE}\n\nnonsense\n\n"
        f"After epoch 1, when K was changed\n{TABLE}\n\n"
    )
    status = json.loads((path / "run.json").read_text())
    ended = {"status": "loop", "epoch": 2, "message": "Stopped by the watchdog 'loop'."}
    (path / "run.json").write_text(json.dumps({**status, **ended}))
    monitor = Mark(1, "monitor", "From step 2 to 5 the weighted K rose.")
    watchdog = Mark(2, "watchdog", "Stopped by the watchdog 'loop'.")
    assert marks_of(RunRecord.open(path)) == [monitor, watchdog]
    (path / "audit.txt").rename(tmp_path / "elsewhere.txt")
    (path / "audit.txt").symlink_to(tmp_path / "elsewhere.txt")
    assert marks_of(RunRecord.open(path)) == [watchdog]
