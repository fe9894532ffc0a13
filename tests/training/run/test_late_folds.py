"""Tests of folds that are measured late, after their loops are compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bitfold
from bitfold.training import EpochEnded, Event, FoldsMeasured
from bitfold.training.run import fold_loops, late_folds
from tests.training.training_runs import WITH_K, Heard, assert_same_run, metrics_of, tiny

LEARNED = {**WITH_K, "kolmogorov_quantise": "learned", "epochs": 24}


class SlowLoops:
    """Loops that count as compiled after a number of requests."""

    patience = 8

    def __init__(self, path: Path) -> None:
        self._num_left = self.patience
        self.has_waited = False

    def start(self) -> None:
        """Begin to compile."""

    def close(self) -> None:
        """Stop compiling."""

    def are_ready(self) -> bool:
        """Return whether the loops were requested often enough."""
        self._num_left -= 1
        return self._num_left < 0

    def wait(self, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Compile to the end, unless training should stop."""
        if not is_stopping():
            self._num_left = 0


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the loops take a while from now on."""

    def use(patience: int) -> None:
        monkeypatch.setattr(SlowLoops, "patience", patience)
        monkeypatch.setattr(late_folds, "FoldLoops", SlowLoops)

    return use


@pytest.mark.parametrize(
    "patience", [1, 7, *(pytest.param(p, marks=pytest.mark.slow) for p in (8, 1000))]
)
@pytest.mark.parametrize(
    "settings",
    [{}, WITH_K, LEARNED, {"measure_folds": 5, "save_interval": "3"}, {"save_interval": "5"}],
    ids=["plain", "k", "learned", "not at frames", "every fifth"],
)
def test_a_first_run_leaves_the_metrics_of_a_later_one(
    tmp_path: Path, slow: Callable[[int], None], settings: dict[str, Any], patience: int
) -> None:
    """The metrics, with their order of names, do not depend on when the loops become ready."""
    warm = bitfold.train(tiny(tmp_path / "warm", **settings))
    slow(patience)
    cold = bitfold.train(tiny(tmp_path / "cold", **settings))
    lines, others = ([list(line.items()) for line in metrics_of(run.path)] for run in (warm, cold))
    assert lines == others
    assert warm.network().state_dict().keys() == cold.network().state_dict().keys()


@pytest.mark.parametrize(("most_bytes", "waited_at"), [(2**28, 10), (0, 1)])
def test_training_waits_for_no_loop_before_a_state_is_saved(
    tmp_path: Path,
    slow: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    most_bytes: int,
    waited_at: int,
) -> None:
    """Training saves states before the loops are ready, and keeps few weights in memory."""
    settings = {"measure_folds": 1, "save_interval": "1000", "checkpoint_interval": 10}
    warm = bitfold.train(tiny(tmp_path / "warm", **settings))
    slow(1000)
    monkeypatch.setattr(late_folds, "_MOST_BYTES", most_bytes)
    epochs, wait = [0], SlowLoops.wait
    waits: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            epochs.append(event.epoch)

    def waiting(loops: SlowLoops, is_stopping: Callable[[], bool] = lambda: False) -> None:
        waits.append(epochs[-1])
        wait(loops, is_stopping)

    monkeypatch.setattr(SlowLoops, "wait", waiting)
    cold = bitfold.train(tiny(tmp_path / "cold", **settings), [note])
    assert waits == [waited_at]
    assert metrics_of(cold.path) == metrics_of(warm.path)


class _StopError(Exception):
    pass


@pytest.mark.parametrize("settings", [{}, WITH_K], ids=["plain", "k"])
@pytest.mark.parametrize("then", [3, 1000])
def test_a_killed_run_measures_what_is_left_when_it_is_continued(
    tmp_path: Path, slow: Callable[[int], None], settings: dict[str, Any], then: int
) -> None:
    """A continued run measures the missing epochs, which its checkpoint names."""
    whole = bitfold.train(tiny(tmp_path / "whole", **settings))

    def die(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 8:
            raise _StopError

    slow(1000)
    with pytest.raises(_StopError):
        bitfold.train(tiny(tmp_path / "killed", **settings), [die])
    assert not any("num_polytopes" in line for line in metrics_of(tmp_path / "killed"))
    slow(then)
    bitfold.resume(tmp_path / "killed")
    assert metrics_of(tmp_path / "killed") == metrics_of(whole.path)
    assert_same_run(tmp_path / "killed", whole.path)


def test_listeners_are_told_of_late_folds(tmp_path: Path, slow: Callable[[int], None]) -> None:
    """Each late epoch gives an event with the numbers that were added to its line."""
    slow(9)
    heard = Heard()
    bitfold.train(tiny(tmp_path / "run"), [heard])
    late = {e.epoch: dict(e.metrics) for e in heard.events if isinstance(e, FoldsMeasured)}
    assert list(late) == list(range(1, 1 + len(late)))
    assert 2 < len(late) < 12
    for line in metrics_of(tmp_path / "run"):
        numbers = late.get(line["epoch"], {})
        assert {name: line[name] for name in numbers} == numbers


def test_the_process_measures_the_runs_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has a lower priority, ends without an error and leaves the loops ready."""
    run = bitfold.train(tiny(tmp_path / "run", epochs=1))
    monkeypatch.setattr(fold_loops, "_are_on_disk", lambda: False)
    loops = fold_loops.FoldLoops(run.path)
    loops.start()
    assert loops._process is not None
    assert not loops.are_ready()
    if hasattr(os, "getpriority"):
        niceness = os.getpriority(os.PRIO_PROCESS, loops._process.pid)
        assert niceness > os.getpriority(os.PRIO_PROCESS, 0)
    loops.wait()
    assert loops.are_ready()
    assert loops._process.returncode == 0
    loops.close()


def test_a_process_that_is_not_needed_any_more_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that stops early ends its compiling process."""
    run = bitfold.train(tiny(tmp_path / "run", epochs=1))
    monkeypatch.setattr(fold_loops, "_are_on_disk", lambda: False)
    loops = fold_loops.FoldLoops(run.path)
    loops.start()
    loops.wait(lambda: True)
    assert not loops.are_ready()
    loops.close()
    assert loops._process is not None
    assert loops._process.returncode != 0


def test_loops_that_were_used_are_on_disk(tmp_path: Path) -> None:
    """After a run has measured folds, the next run starts no compiling process."""
    bitfold.train(tiny(tmp_path / "run", epochs=1))
    loops = fold_loops.FoldLoops(tmp_path / "run")
    loops.start()
    assert loops._process is None
    assert loops.are_ready()


def test_where_nothing_can_be_kept_the_trainer_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no folder can hold the loops, the trainer itself compiles them."""
    monkeypatch.setattr(fold_loops, "_are_on_disk", lambda: False)
    monkeypatch.setattr(fold_loops, "_can_be_kept", lambda: False)
    loops = fold_loops.FoldLoops(tmp_path)
    loops.start()
    assert loops._process is None
    assert loops.are_ready()


def test_a_failed_process_leaves_compiling_to_the_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the compiling process fails, the trainer compiles the loops and measures at once."""
    monkeypatch.setattr(fold_loops, "_are_on_disk", lambda: False)
    loops = fold_loops.FoldLoops(tmp_path / "no run")
    loops.start()
    loops.wait()
    assert loops.are_ready()
    done = subprocess.run(
        [sys.executable, "-m", "bitfold.training.run.loop_compiler", str(tmp_path / "no run")],
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
