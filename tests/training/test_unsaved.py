"""States that the disk refuses: kept in memory, written at the end, or told by an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import bitfold
from bitfold.training import EpochEnded, Event
from bitfold.training.store import checkpoints
from bitfold.training.store.checkpoints import Checkpoint, checkpoint_paths, read_checkpoint
from bitfold.training.store.retention import Retention
from tests.training.training_runs import Heard, assert_same_run, tiny

Refuse = Callable[[Callable[[int, int], bool]], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Make the disk refuse checkpoints by epoch and number of the attempt."""

    def install(is_refused: Callable[[int, int], bool]) -> None:
        attempts: list[int] = []

        def write(folder: Path, checkpoint: Checkpoint, _: Retention) -> Path:
            attempts.append(checkpoint.epoch)
            if is_refused(checkpoint.epoch, len(attempts)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return checkpoints.write_checkpoint(folder, checkpoint)

        monkeypatch.setattr("bitfold.training.run.journal.write_checkpoint", write)

    return install


def test_a_run_whose_last_state_is_lost_has_an_exit_code_of_its_own(
    tmp_path: Path, refuse: Refuse
) -> None:
    """If the last state is lost, the exit code says so, and the message why."""
    refuse(lambda epoch, attempt: epoch > 0)
    heard = Heard()
    run = bitfold.train(tiny(tmp_path / "run"), [heard])
    assert (heard.ended.reason, heard.ended.exit_code) == ("unsaved", 7)
    assert heard.ended.message == (
        "Training completed 12 epochs. Cannot write the state after epoch 12: No space left on "
        "device."
    )
    assert (run.status["status"], run.status["exit_code"]) == ("unsaved", 7)


def test_a_folder_that_is_moved_away_is_not_made_again(tmp_path: Path) -> None:
    """No checkpoint makes a new folder in the place of a run's folder that was moved away."""

    def move(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            (tmp_path / "run").rename(tmp_path / "elsewhere")

    heard = Heard()
    with pytest.raises(bitfold.BitfoldError, match="got one without config"):
        bitfold.train(tiny(tmp_path / "run", checkpoint_interval=3), [move, heard])
    assert heard.ended.exit_code == 7
    assert not (tmp_path / "run").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "run")
    assert bitfold.resume(tmp_path / "run").last_epoch == 12


def test_a_run_whose_last_state_is_lost_can_be_continued(tmp_path: Path, refuse: Refuse) -> None:
    """A run with a lost last state continues, with room on the disk, to the usual end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bitfold.training.run.journal.write_checkpoint", _full)
        bitfold.train(tiny(tmp_path / "run"))
    heard = Heard()
    bitfold.resume(tmp_path / "run", [heard])
    assert heard.ended.exit_code == 0
    bitfold.train(tiny(tmp_path / "whole"))
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def _full(folder: Path, checkpoint: Checkpoint, _: Retention) -> Path:
    if checkpoint.epoch == 0:
        return checkpoints.write_checkpoint(folder, checkpoint)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_refused_state_is_written_at_the_end_of_a_run_that_goes_wrong(
    tmp_path: Path, refuse: Refuse
) -> None:
    """The last good state of a diverged run waits in memory and is written when there is room."""
    settings = {"optimizer": "sgd", "learning_rate": 5.0, "checkpoint_interval": 1}
    expected = bitfold.train(tiny(tmp_path / "whole", **settings))
    last = read_checkpoint(checkpoint_paths(expected.checkpoints)[-1])
    assert last.epoch > 0
    refuse(lambda epoch, attempt: 1 <= attempt <= last.epoch + 1)  # refused until the end
    heard = Heard()
    run = bitfold.train(tiny(tmp_path / "run", **settings), [heard])
    assert (heard.ended.reason, heard.ended.exit_code) == ("finite", 3)
    (path,) = checkpoint_paths(run.checkpoints)
    assert heard.ended.message.endswith(f"{path}.")
    kept = read_checkpoint(path)
    assert kept.epoch == last.epoch
    assert all(torch.equal(kept.tensors[name], item) for name, item in last.tensors.items())


def test_a_checkpoint_between_that_is_refused_costs_nothing(tmp_path: Path, refuse: Refuse) -> None:
    """If a later state is on disk, a refused checkpoint does not change the exit code."""
    refuse(lambda epoch, attempt: epoch == 5)
    heard = Heard()
    run = bitfold.train(tiny(tmp_path / "run"), [heard])
    assert (heard.ended.reason, heard.ended.exit_code) == ("completed", 0)
    assert read_checkpoint(checkpoint_paths(run.checkpoints)[-1]).epoch == 12
