"""A changed run folder is only data: it gains no power over the reader."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.run_folders.fuzzing.attempts import Attempts
from tests.run_folders.fuzzing.commands import COMMANDS, REFUSED

NUM_ATTEMPTS = 300
# Reading takes a hundredth of the time of most commands.
EVERY = 12


def test_changed_folders_are_refused_or_used(tmp_path: Path) -> None:
    """After each of 300 changes, commands print at most one line and stay in the run."""
    attempts, codes = Attempts(tmp_path), Counter[int | None]()
    for number in range(NUM_ATTEMPTS):
        commands = ("read",) if number % EVERY else COMMANDS
        outcome = attempts.attempt(number, commands=commands)
        assert not outcome.fault, (number, outcome)
        codes[outcome.code] += 1
    assert NUM_ATTEMPTS / 5 < codes[REFUSED] < NUM_ATTEMPTS
