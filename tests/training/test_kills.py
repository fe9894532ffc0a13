"""Runs that are killed, at random moments and at the worst ones, and resumed."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

import bitfold
from tests.training.training_runs import (
    WITH_K,
    assert_same_run,
    metrics_of,
    run_child,
    start_child,
    tiny,
)

SIGKILL = -9
SETTINGS: dict[str, Any] = {**WITH_K, "checkpoint_interval": 3, "epochs": 20}
LONG: dict[str, Any] = {**SETTINGS, "epochs": 200}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("untouched") / "run"
    bitfold.train(tiny(folder, **SETTINGS))
    return folder


def wait_for_epochs(folder: Path, number: int) -> None:
    """Wait until a run that another process trains has so many more lines of metrics."""
    path, start = folder / "metrics.jsonl", time.monotonic()

    def lines() -> int:
        return path.read_bytes().count(b"\n") if path.exists() else 0

    before = lines()
    while lines() < before + number and time.monotonic() < start + 5:
        time.sleep(0.001)


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_one_never_interrupted(tmp_path: Path) -> None:
    """SIGKILL at seeded random moments, again and again, changes nothing but the timings."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    bitfold.train(tiny(whole, **LONG))
    assert run_child(tmp_path / "first", {"epochs": 1}) == 0  # later ones start in no time
    chance, num_killed = random.Random(7), 0
    for number in range(10):
        child = start_child(broken, LONG)
        if number % 2:  # while it trains, wherever that may be on this machine
            wait_for_epochs(broken, chance.randrange(1, 25))
        time.sleep(chance.uniform(0, 0.08))
        child.kill()
        child.join()
        num_killed += child.exitcode == SIGKILL
        child.close()
    assert num_killed >= 5
    assert run_child(broken, LONG) == 0
    assert_same_run(whole, broken)


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("half a checkpoint", 4),
        ("before rename", 9),
        ("after rename", 6),
        ("sync", 5),
        ("half a line", 10),
        ("half a frame", 9),
        pytest.param("half a checkpoint", 1, marks=pytest.mark.slow),
        pytest.param("before rename", 3, marks=pytest.mark.slow),
        pytest.param("after rename", 4, marks=pytest.mark.slow),
        pytest.param("after rename", 10, marks=pytest.mark.slow),
        pytest.param("sync", 18, marks=pytest.mark.slow),
        pytest.param("half a line", 1, marks=pytest.mark.slow),
        pytest.param("half a frame", 1, marks=pytest.mark.slow),
    ],
)
def test_a_kill_in_the_middle_of_a_write_loses_nothing(
    untouched: Path, tmp_path: Path, what: str, number: int
) -> None:
    """Whatever was half-written when the process died is not there for the one that goes on."""
    broken = tmp_path / "run"
    assert run_child(broken, SETTINGS, die_at=(what, number)) == SIGKILL
    assert run_child(broken, SETTINGS) == 0
    assert_same_run(untouched, broken)


def test_a_resumed_run_may_be_killed_in_the_same_place_again(
    untouched: Path, tmp_path: Path
) -> None:
    """Each stretch dies in the write of its third checkpoint, and yet the run gets on."""
    broken = tmp_path / "run"
    reached = []
    for _ in range(3):
        assert run_child(broken, SETTINGS, die_at=("half a checkpoint", 3)) == SIGKILL
        reached.append(metrics_of(broken)[-1]["epoch"])
    assert reached == [6, 12, 18]
    assert run_child(broken, SETTINGS) == 0
    assert_same_run(untouched, broken)
