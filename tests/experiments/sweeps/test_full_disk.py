"""Sweeps whose disk fills up: the members, the record and the work that is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from bitfold import load_run, load_sweep, sweep
from bitfold.errors import CheckpointError, RunError
from bitfold.experiments.frontiers.training import train_point
from bitfold.runtime import atomic_files
from bitfold.training.ending import UNSAVED_EXIT_CODE
from bitfold.training.store import checkpoints
from tests.experiments.sweeps.sweep_runs import CONFIG, untimed

GRID: dict[str, Any] = {"seed": range(3)}


def full(path: Path) -> OSError:
    """Return the system's error for a file without room."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def date_of(run: Path) -> int:
    """Return the time at which a run's metrics were last written."""
    return (run / "metrics.jsonl").stat().st_mtime_ns


def test_a_member_that_cannot_be_saved_stops_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep stops with an unsaved run's code, and with room again gives the same table."""
    whole = sweep(CONFIG, GRID, tmp_path / "whole", jobs=1)

    def refuse(folder: Path, *given: Any) -> Path:
        if "seed-1" in str(folder):
            raise full(folder)
        return write(folder, *given)

    write = checkpoints.write_checkpoint
    with monkeypatch.context() as patched:
        patched.setattr("bitfold.training.run.journal.write_checkpoint", refuse)
        found = sweep(CONFIG, GRID, tmp_path / "sweep", jobs=1)
    assert found.exit_code == UNSAVED_EXIT_CODE
    assert found.table["status"] == ["completed", "missing", "missing"]
    again = sweep(None, (), tmp_path / "sweep", jobs=1)
    assert again.exit_code == 0, again.table["reason"]
    assert untimed(again) == untimed(whole)


def test_checkpoints_that_went_away_are_asked_for(tmp_path: Path) -> None:
    """A run that was saved is never begun again: an error says that its checkpoints are missing."""
    sweep(CONFIG, {"seed": [0]}, tmp_path / "sweep", jobs=1)
    run = tmp_path / "sweep" / "seed-0"
    (run / "checkpoints").rename(tmp_path / "away")
    metrics = (run / "metrics.jsonl").read_bytes()
    config = load_run(run).config
    with pytest.raises(CheckpointError, match="holds none"):
        train_point(config.replace(epochs=3), [])
    assert (run / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize("number", [1, 2])
def test_a_record_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A record that cannot be written gives one line, and a later call finds trained members."""
    write, seen = atomic_files.write_atomically, []

    def refuse(path: Path, *given: Any, **named: Any) -> None:
        seen.append(path)
        if len(seen) >= number:
            raise full(path)
        write(path, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr("bitfold.experiments.stored_record.write_atomically", refuse)
        with pytest.raises(RunError, match="No space left") as caught:
            sweep(CONFIG, GRID, tmp_path / "sweep", jobs=1)
    assert "\n" not in str(caught.value)
    trained = [path.name for path in sorted((tmp_path / "sweep").glob("seed-*/"))]
    assert (trained == []) == (number == 1)
    dates = {
        name: (tmp_path / "sweep" / name / "metrics.jsonl").stat().st_mtime_ns for name in trained
    }
    found = sweep(CONFIG, GRID, tmp_path / "sweep", jobs=1)
    assert found.exit_code == 0
    assert load_sweep(found.path).table["status"] == ["completed"] * 3
    for name, date in dates.items():
        assert date_of(found.path / name) == date
