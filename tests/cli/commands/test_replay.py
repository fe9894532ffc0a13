"""``bitfold replay``: trains a run again with its changes and compares both runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bitfold
from bitfold.cli.main import main
from bitfold.training import EpochEnded
from tests.training.training_runs import assert_same_run, tiny


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Train a run and change its learning rate."""
    with bitfold.Session(tiny(tmp_path / "run", epochs=6)) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 3:
                session.change(learning_rate=0.1)
    return tmp_path / "run"


def test_an_equal_run_is_said_to_be_equal(
    changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An equal replay is reported as equal, and kept only in a folder that is asked for."""
    assert main(["replay", str(changed)]) == 0
    assert "All metrics of 6 epochs are equal to the last bit." in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert main(["replay", str(changed), "-o", str(tmp_path / "again"), "--quiet"]) == 0
    assert_same_run(changed, tmp_path / "again")
    assert capsys.readouterr().out == ""


def test_the_first_difference_is_named(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first difference, such as an altered metric, is named and changes the exit code."""
    metrics = changed / "metrics.jsonl"
    lines = metrics.read_text().splitlines()
    lines[4] = json.dumps({**json.loads(lines[4]), "task_loss": 0.5})
    metrics.write_text("".join(line + "\n" for line in lines))
    assert main(["replay", str(changed)]) == 1
    assert "Epoch 5: task_loss was 0.5, and is now 0." in capsys.readouterr().out


def test_a_damaged_record_of_changes_is_refused(
    changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged record of changes is named in one line."""
    (changed / "changes.jsonl").write_text('{"epoch": 3, "settings": {"shape": "[2]"}}\n')
    assert main(["replay", str(changed)]) == 2
    assert "expected a change in line 1, got another text" in capsys.readouterr().err
