"""A killed sweep ends with the table of an undisturbed sweep."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitfold import load_sweep, sweep
from bitfold.cli.main import main
from tests.experiments.sweeps.sweep_runs import untimed

SMALL = [
    "disk", "--size", "16", "--shape", "[3]", "--points", "60", "--validation-points", "20",
    "--batch-size", "60", "--epochs", "12", "--measure-folds", "0", "--no-audit",
    "--save-interval", "1000", "--checkpoint-interval", "4", "--vary", "learning-rate=0.001,0.01",
]  # fmt: skip


def command(folder: Path, num_seeds: int, *options: str) -> list[str]:
    """Return the words of a sweep of twice as many members as seeds."""
    seeds = f"seed=0:{num_seeds}"
    return ["sweep", *SMALL, "--vary", seeds, "-o", str(folder), "--quiet", *options]


def kill_once(words: list[str], folder: Path, chance: random.Random) -> None:
    """Start a sweep, and kill its process after some more members have begun."""
    before = len(list(folder.glob("*/config.toml")))
    more = chance.randrange(1, 30)
    process = subprocess.Popen([sys.executable, "-m", "bitfold", *words], env=os.environ)
    end = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < end:
        if len(list(folder.glob("*/config.toml"))) >= before + more:
            break
        time.sleep(0.01)
    process.kill()
    assert process.wait() in (0, -signal.SIGKILL)


def check_kills(tmp_path: Path, num_seeds: int, num_kills: int, *options: str) -> None:
    """Kill a sweep several times at random, and compare it with an undisturbed sweep."""
    chance, killed, whole = random.Random(7), tmp_path / "killed", tmp_path / "whole"
    for _ in range(num_kills):
        kill_once(command(killed, num_seeds, "--jobs", "2", *options), killed, chance)
    assert main(command(killed, num_seeds, "--jobs", "2", *options)) == 0
    assert main(command(whole, num_seeds, "--jobs", "1")) == 0
    assert untimed(load_sweep(killed)) == untimed(load_sweep(whole))
    for path in whole.glob("*.bitfold"):
        assert path.read_bytes() == (killed / path.name).read_bytes()
    assert sweep(None, (), killed).missing == []


@pytest.mark.slow
def test_two_hundred_members_survive_five_kills(tmp_path: Path) -> None:
    """Two hundred members survive five kills of the sweep's process at any moment."""
    check_kills(tmp_path, 100, 5)


@pytest.mark.slow
def test_members_in_threads_survive_two_kills(tmp_path: Path) -> None:
    """A sweep of one job trains in its own process, and survives its kills."""
    check_kills(tmp_path, 12, 2, "--jobs", "1")
