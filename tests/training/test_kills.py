"""Runs that are killed at random or at the worst moments, and resumed."""

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
    """Train a run without interruption."""
    folder = tmp_path_factory.mktemp("untouched") / "run"
    bitfold.train(tiny(folder, **SETTINGS))
    return folder


def wait_for_epochs(folder: Path, number: int) -> None:
    """Wait for a number of further lines of metrics from another process."""
    path, start = folder / "metrics.jsonl", time.monotonic()

    def lines() -> int:
        return path.read_bytes().count(b"\n") if path.exists() else 0

    before = lines()
    while lines() < before + number and time.monotonic() < start + 5:
        time.sleep(0.001)


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_one_never_interrupted(tmp_path: Path) -> None:
    """Seeded random SIGKILLs change only the timings of a run."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    bitfold.train(tiny(whole, **LONG))
    assert run_child(tmp_path / "first", {"epochs": 1}) == 0  # later processes start faster
    chance, num_killed = random.Random(7), 0
    for number in range(10):
        child = start_child(broken, LONG)
        if number % 2:  # while it trains, at a moment that depends on this machine
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
    """A half-written file of a killed run does not exist for the run that continues."""
    broken = tmp_path / "run"
    assert run_child(broken, SETTINGS, die_at=(what, number)) == SIGKILL
    assert run_child(broken, SETTINGS) == 0
    assert_same_run(untouched, broken)


@pytest.mark.slow
def test_a_resumed_run_may_be_killed_in_the_same_place_again(
    untouched: Path, tmp_path: Path
) -> None:
    """A run that dies in the write of each stretch's third checkpoint still advances."""
    broken = tmp_path / "run"
    reached = []
    for _ in range(3):
        assert run_child(broken, SETTINGS, die_at=("half a checkpoint", 3)) == SIGKILL
        reached.append(metrics_of(broken)[-1]["epoch"])
    assert reached == [6, 12, 18]
    assert run_child(broken, SETTINGS) == 0
    assert_same_run(untouched, broken)
