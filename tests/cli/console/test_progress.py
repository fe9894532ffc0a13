"""The lines and bars that a training prints while it runs."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from torch import nn

from bitfold.cli.console.progress import ProgressReport
from bitfold.training import EpochEnded, LoopsCompiled, RunEnded, RunStarted

METRICS = {
    "combined_loss": 0.5, "task_loss": 0.5, "kolmogorov_loss": None, "kolmogorov_weight": None,
    "validation_loss": 0.5,
}  # fmt: skip


class FakeTraining:
    """Reports epochs to a progress listener, each as long as a test says."""

    def __init__(self, epochs: int, *, is_terminal: bool) -> None:
        self.out, self.now, self.epoch = io.StringIO(), 0.0, 0
        console = Console(file=self.out, force_terminal=is_terminal, width=200)
        self.report = ProgressReport(console, every_epoch=True, clock=lambda: self.now)
        run: Any = SimpleNamespace(path="RUN", config=SimpleNamespace(epochs=epochs))
        self.report(RunStarted(run, 0, nn.Identity()))

    def end_epoch(self, seconds: float) -> str:
        """Let an epoch take some seconds, and return the last printed line."""
        self.now += seconds
        self.epoch += 1
        self.report(EpochEnded(self.epoch, METRICS, has_frame=False))
        return self.out.getvalue().splitlines()[-1]

    def end(self) -> None:
        """End the training."""
        self.report(RunEnded(self.epoch, "completed", "done", 0, nn.Identity(), None))


def test_time_left_follows_the_last_epochs_and_not_the_first() -> None:
    """No time left is printed after a first, long epoch that compiles loops."""
    training = FakeTraining(1001, is_terminal=False)
    assert training.end_epoch(77).endswith(": task 0.50000, validation 0.50000")
    assert training.end_epoch(0.1).endswith(", 10.0 epochs/s, 100 s left")
    for _ in range(200):
        last = training.end_epoch(0.2)
    assert last.endswith(", 5.0 epochs/s, 160 s left")
    training.end()
    assert training.out.getvalue().endswith("done\n")


def test_a_bar_shows_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows the rate and the time left, both by the last epochs."""
    monkeypatch.setenv("TERM", "xterm")
    training = FakeTraining(1001, is_terminal=True)
    training.end_epoch(77)
    bar = training.report._bar
    assert bar is not None
    assert "/s" not in bar.tasks[0].fields["numbers"]
    for _ in range(100):
        training.end_epoch(0.5)
    assert bar.tasks[0].fields["numbers"].startswith("2/s 7:30 left task 0.50000")
    training.end()
    assert training.report._bar is None


def test_compiling_is_counted_beside_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows a count of compiled loops, and later the losses in the same place."""
    monkeypatch.setenv("TERM", "xterm")
    training = FakeTraining(10, is_terminal=True)
    for compiled, known in ((0, 1), (4, 17)):
        training.report(LoopsCompiled(compiled, known))
        bar = training.report._bar
        assert bar is not None
        shown = bar.tasks[0].fields["numbers"]
        assert shown == f"compiling loops: {compiled}/{known} once on this machine"
    training.end_epoch(30)
    bar = training.report._bar
    assert bar is not None
    assert bar.tasks[0].fields["numbers"].startswith("task 0.50000")
    training.end()


def test_time_left_leaves_out_epochs_in_which_a_loop_is_compiled() -> None:
    """An epoch that compiles a loop does not count towards the time left, also a later one."""
    training = FakeTraining(1001, is_terminal=False)
    for _ in range(3):
        training.end_epoch(0.1)
    training.report(LoopsCompiled(3, 9))
    assert training.end_epoch(90).endswith(": task 0.50000, validation 0.50000")
    assert training.end_epoch(0.1).endswith(", 10.0 epochs/s, 100 s left")


def test_compiling_is_named_once_where_there_is_no_bar() -> None:
    """Without a bar, compiling prints one line before the first loop and none later."""
    training = FakeTraining(10, is_terminal=False)
    for number in (0, 1, 0, 2):
        training.report(LoopsCompiled(number, 9))
    named = [line for line in training.out.getvalue().splitlines() if "compiling" in line]
    assert named == ["compiling loops, once on this machine: some seconds"]
