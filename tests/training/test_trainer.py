"""Interrupts, full disks and numbers that are not finite end a run in order."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.errors import BitfoldError, RunError
from bitfold.runtime import atomic_files as files
from bitfold.training import EpochEnded, RunStarted
from bitfold.training.store.checkpoints import checkpoint_paths, read_checkpoint
from bitfold.training.watch import stop_request
from tests.training.training_runs import (
    WITH_K,
    Heard,
    assert_same_run,
    metrics_of,
    run_child,
    tiny,
)


@pytest.mark.parametrize(
    ("number", "status", "exit_code"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_signal_saves_and_the_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, number: int, status: str, exit_code: int
) -> None:
    """A signal ends the process with the shell's exit code, and the saved run can continue."""
    settings = {**WITH_K, "checkpoint_interval": 7, "save_interval": "3"}
    bitfold.train(tiny(tmp_path / "whole", **settings))
    folder = tmp_path / "run"
    assert run_child(folder, settings, signal_at=(number, 4)) == exit_code
    run = bitfold.load_run(folder)
    assert (run.status["status"], run.status["exit_code"]) == (status, exit_code)
    assert run.status["epoch"] == metrics_of(folder)[-1]["epoch"] == 5
    assert run.epochs() == [0, 3, 5]
    bitfold.resume(folder)
    assert_same_run(tmp_path / "whole", folder)


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Make each step take some time."""
    from bitfold.training.step.learner import Learner

    step = Learner._step

    def slow(self: Learner, *arguments: Any) -> Any:
        time.sleep(seconds)
        return step(self, *arguments)

    monkeypatch.setattr(Learner, "_step", slow)


@pytest.mark.parametrize("asked_after", [0, 2])
def test_a_long_epoch_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_after: int
) -> None:
    """A long epoch is given up after the request, and the epoch before it is saved."""
    settings = {**WITH_K, "epoch_loop": "stepwise"}  # its steps can be slowed down
    bitfold.train(tiny(tmp_path / "whole", **settings))
    heard = Heard()

    def ask(event: object) -> None:
        heard(event)  # type: ignore[arg-type] # it is an event
        is_time = (
            isinstance(event, RunStarted)
            if asked_after == 0
            else isinstance(event, EpochEnded) and event.epoch == asked_after
        )
        if is_time:
            # After the present epoch was checked, as if a person pressed the keys later.
            signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
            signal.setitimer(signal.ITIMER_REAL, 0.15)

    with monkeypatch.context() as patched:
        patched.setattr(stop_request, "PATIENCE_SECONDS", 0.1)
        patched.setattr("bitfold.training.trainer.PATIENCE_SECONDS", 0.1)
        slow_down(patched, 0.1)
        bitfold.train(tiny(tmp_path / "run", **settings), [ask])
    assert heard.ended.exit_code == 130
    assert heard.ended.epoch == asked_after
    assert len(heard.epochs) == asked_after
    run = bitfold.load_run(tmp_path / "run")
    assert run.epochs()[-1] == asked_after
    kept = run.network().state_dict()
    ended = heard.ended.network.state_dict()
    assert all(torch.equal(kept[name], ended[name]) for name in kept)
    bitfold.resume(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_the_second_interrupt_interrupts_at_once(tmp_path: Path) -> None:
    """A second interrupt ends the run at once, and the saved state stays valid."""

    def ask(event: object) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 6:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        bitfold.train(tiny(tmp_path / "run"), [ask])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    bitfold.train(tiny(tmp_path / "whole"))
    bitfold.resume(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_a_full_disk_does_not_end_training(tmp_path: Path) -> None:
    """With a full disk training goes on, each kind of file is named once, and all stay readable."""
    settings = {"epochs": 30, "checkpoint_interval": 4, "measure_folds": 0}
    assert run_child(tmp_path / "run", settings, largest_file=3000) == 7
    assert (tmp_path / "run" / "notices").read_text().splitlines() == [
        "Cannot write frames: File too large. Training goes on without.",
        "Cannot write a checkpoint: File too large. Training goes on without.",
        "Cannot write metrics: File too large. Training goes on without.",
    ]
    run = bitfold.load_run(tmp_path / "run")
    epochs = run.metrics["epoch"]
    assert epochs == list(range(1, len(epochs) + 1))
    assert 5 < len(epochs) < 30
    assert run.status["status"] == "unsaved"
    assert run.epochs()[0] == 0
    assert all(isinstance(run.network(epoch), bitfold.PolytopeNet) for epoch in run.epochs())
    assert [p.name for p in (run.path / "checkpoints").iterdir()] == ["epoch-000000000.safetensors"]
    bitfold.resume(tmp_path / "run")
    bitfold.train(tiny(tmp_path / "whole", **settings))
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize("name", ["split.safetensors", "config.toml", "trajectory.bin"])
def test_a_disk_that_is_full_at_the_start_gets_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """If the disk is full at the start, one line says so and no run is left."""
    write = files.write_atomically

    def refuse(path: Path, data: bytes) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, data)

    for module in ("folder", "trajectory"):
        monkeypatch.setattr(f"bitfold.training.store.{module}.write_atomically", refuse)
    with pytest.raises(RunError, match="No space left on device") as caught:
        bitfold.train(tiny(tmp_path / "run"))
    assert "\n" not in str(caught.value)
    if name != "trajectory.bin":
        assert {path.name for path in (tmp_path / "run").iterdir()} <= {".lock"}


@pytest.mark.parametrize("name", ["MetricsLog", "TrajectoryWriter"])
def test_a_disk_that_fails_when_a_run_is_continued_gets_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """If a continued run's files cannot be opened, one line says so and the files stay."""
    bitfold.train(tiny(tmp_path / "run"))
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(f"bitfold.training.run.journal.{name}", refuse)
    with pytest.raises(RunError, match="Read-only file system"):
        bitfold.resume(tmp_path / "run", epochs=20)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_numbers_that_are_not_finite_end_the_run(tmp_path: Path) -> None:
    """The error names the term, the epoch and the last good checkpoint, which loads."""
    heard = Heard()
    settings = {"optimizer": "sgd", "learning_rate": 1e6, "checkpoint_interval": 1}
    run = bitfold.train(tiny(tmp_path / "run", **settings), [heard])
    ended = heard.ended
    assert (ended.reason, ended.exit_code) == ("finite", 3)
    last = checkpoint_paths(run.checkpoints)[-1]
    assert f"at epoch {ended.epoch}" in ended.message
    assert "loss is" in ended.message
    assert ended.message.endswith(f"{last}.")
    assert read_checkpoint(last).epoch == ended.epoch - 1
    assert all(torch.isfinite(p).all() for p in run.network().parameters())
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1], parse_constant=pytest.fail)["combined_loss"] is None
    assert run.status["exit_code"] == 3


def test_a_watchdog_that_is_switched_off_lets_the_run_go_on(tmp_path: Path) -> None:
    """Without watchdogs even a broken network trains to the end, and files stay few."""
    heard = Heard()
    settings = {"optimizer": "sgd", "learning_rate": 1e6, "checkpoint_interval": 1}
    off = ("finite", "loop", "stagnation")
    run = bitfold.train(tiny(tmp_path / "run", **settings, no_watchdog=off), [heard])
    assert heard.ended.reason == "completed"
    assert len(checkpoint_paths(run.checkpoints)) <= 4
    (frame,) = (e.metrics for e in heard.events if isinstance(e, EpochEnded) and e.epoch == 12)
    assert frame["combined_loss"] is None


def test_a_listener_that_raises_leaves_a_run_that_can_be_continued(tmp_path: Path) -> None:
    """A listener's exception reaches the caller; the folder is unlocked and no file left open."""

    def fail(event: object) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 8:
            raise LookupError

    with pytest.raises(LookupError):
        bitfold.train(tiny(tmp_path / "run"), [fail])
    bitfold.train(tiny(tmp_path / "whole"))
    bitfold.resume(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize(
    "settings",
    [
        {"target": "nothing-here.png"},
        {"points": 10_000},
        {"device": "meta"},
        {"device": "nonsense"},
        {"kolmogorov_weight": 0.1, "kolmogorov_shape": "[1]*60"},
    ],
    ids=str,
)
def test_bad_input_is_refused_before_anything_is_on_disk(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Bad input gives one line and creates no folder."""
    with pytest.raises(BitfoldError) as caught:
        bitfold.train(tiny(tmp_path / "run", **settings))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
