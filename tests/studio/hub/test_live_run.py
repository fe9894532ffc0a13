"""A run in the server: its messages to pages about a trainer in trouble."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bitfold.studio.hub import live_run
from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.live_run import SILENT_SECONDS, LiveRun
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.wire.message import Message, decode, encode


class Trainer:
    """Stands for a trainer's process."""

    def order(self, _: Any) -> None:
        """Take an order."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stop the server's monotonic clock until a test sets it."""
    now = [1000.0]
    monkeypatch.setattr(live_run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def live() -> LiveRun:
    """Return a run in training."""
    found = LiveRun("ring", "/runs/ring")
    found.attach(Trainer())  # type: ignore[arg-type] # it is enough of one
    return found


def facts(live: LiveRun) -> Any:
    """Return the messages to pages."""
    return decode(live.moment(0)).facts


def hear(live: LiveRun, kind: str, **said: Any) -> list[str]:
    """Pass on a trainer's message, and return the kinds of the messages to pages."""
    told: list[str] = []
    live.hear(encode(Message(kind, said)), lambda kind, _: told.append(kind))
    return told


def test_a_silent_trainer_is_named_until_it_answers(live: LiveRun, clock: list[float]) -> None:
    """A silent trainer is reported once, and not before its first message."""
    assert not live.falls_silent(clock[0] + 1000)
    assert hear(live, "alive") == []
    assert not live.falls_silent(clock[0] + SILENT_SECONDS)
    assert live.falls_silent(clock[0] + SILENT_SECONDS + 1)
    assert not live.falls_silent(clock[0] + SILENT_SECONDS + 2)
    assert facts(live)["is_problem"]
    assert facts(live)["note"].startswith("The trainer does not answer")
    assert hear(live, "alive") == ["moment"]
    assert (facts(live)["is_problem"], facts(live)["note"]) == (False, "")


def test_what_a_trainer_said_last_is_clearer_than_how_it_ended(live: LiveRun) -> None:
    """The trainer's last message, such as a lock elsewhere, is shown instead of its exit code."""
    assert hear(live, "ended", text="Cannot train ring: another process does.") == ["ended"]
    live.end("The trainer has ended: exit code 1.")
    assert facts(live)["note"] == "Cannot train ring: another process does."
    assert facts(live)["is_problem"]
    live.attach(Trainer())  # type: ignore[arg-type] # as above
    live.end("The trainer has ended: killed by signal 9.")
    assert facts(live)["note"] == "The trainer has ended: killed by signal 9."


def test_a_trainer_that_is_started_takes_the_note_of_the_last_one_away(live: LiveRun) -> None:
    """While another trainer starts, the reason why the last one ended is no longer shown."""
    live.end("The trainer has ended: killed by signal 9.")
    live.start({})
    assert (facts(live)["is_problem"], facts(live)["note"]) == (False, "")


def test_a_trainer_that_was_asked_to_end_is_no_problem(live: LiveRun) -> None:
    """If a trainer ends on request, no page gets a message."""
    live.end("")
    assert (facts(live)["is_problem"], facts(live)["note"]) == (False, "")


def test_time_that_the_machine_slept_is_not_silence(
    live: LiveRun, clock: list[float], tmp_path: Path
) -> None:
    """Silence during a machine's sleep does not count, and a stopped trainer stays silent."""
    hear(live, "alive")
    hub = Hub(RunsFolder(tmp_path))
    hub._live["ring"] = live
    now = clock[0]
    hub.find_silence(now, now + 3600)
    assert not live.is_silent
    for seconds in range(3600, 3600 + int(SILENT_SECONDS) + 4, 2):
        assert not live.is_silent
        hub.find_silence(now + seconds - 2, now + seconds)
    assert live.is_silent
