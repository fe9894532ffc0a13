"""A run with changed settings, killed at any moment, continues without a difference."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bitfold
from bitfold.training import RunFolder
from tests.training.training_runs import WITH_K, assert_same_run, run_in_child, sabotage, tiny

SETTINGS: dict[str, Any] = {**WITH_K, "epochs": 9, "checkpoint_interval": 2, "measure_folds": 0}
CHANGES: dict[int, dict[str, Any]] = {
    2: {"target": np.tri(16, dtype=np.uint8) * 255},
    3: {"kolmogorov_weight": 0.5, "learning_rate": 0.03},
    6: {"points": 30},
    7: {"optimizer": "sgd"},
}


def advance(folder: str, die_at: tuple[str, int] | None) -> None:
    """Train or continue, make each unrecorded change after its epoch, and exit."""
    if die_at is not None:
        sabotage(*die_at)
    path = Path(folder)
    is_run = RunFolder(path).is_run()
    opened = bitfold.Session.resume(path) if is_run else bitfold.Session(tiny(path, **SETTINGS))
    with opened as session:
        while not session.is_over:
            done = {change.epoch - 1 for change in session.run.changes.items}
            if session.epoch in CHANGES.keys() - done:
                session.change(**CHANGES[session.epoch])
            next(session)
    os._exit(0)


def check_kills(tmp_path: Path, kills: list[tuple[str, int]]) -> None:
    """Kill a run at some moments, and compare its end with a run that nobody killed."""
    assert run_in_child(advance, str(tmp_path / "whole"), None) == 0
    for number, die_at in enumerate(kills):
        folder = tmp_path / str(number)
        code = run_in_child(advance, str(folder), die_at)
        assert code in (0, -signal.SIGKILL)
        if code and not RunFolder(folder).is_run():
            continue  # killed before there was a run
        assert run_in_child(advance, str(folder), None) == 0
        assert_same_run(tmp_path / "whole", folder)
        changes = [RunFolder(path).changes for path in (tmp_path / "whole", folder)]
        assert changes[0].read_bytes() == changes[1].read_bytes()


def test_a_kill_around_a_change_loses_nothing(tmp_path: Path) -> None:
    """A kill in a change's line, before its sync or before the new configuration loses nothing."""
    check_kills(tmp_path, [("half a line", 3), ("before rename", 9)])


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    """Kills within random writes of each kind lose nothing."""
    random = np.random.default_rng(3)
    kinds = ("half a line", "sync", "before rename", "after rename", "half a record")
    check_kills(
        tmp_path, [(str(random.choice(kinds)), int(random.integers(1, 25))) for _ in range(40)]
    )


def test_the_changed_run_is_repeated(tmp_path: Path) -> None:
    """A replay of the changed run's record gives the same run."""
    assert run_in_child(advance, str(tmp_path / "whole"), None) == 0
    bitfold.load_run(tmp_path / "whole").replay(tmp_path / "again")
    assert_same_run(tmp_path / "whole", tmp_path / "again")
