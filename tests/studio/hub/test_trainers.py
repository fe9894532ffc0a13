"""Trainers that the hub starts and stops: no order is lost, and no folder is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub import hub as hub_module
from bitfold.studio.hub.child import Child
from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.wire.commands import read_command
from bitfold.studio.wire.message import Message, decode, encode
from bitfold.training.store.metrics import METRIC_NAMES


class Process:
    """Stands for a trainer's process, which ends when it is asked to and may."""

    def __init__(self, beginning: str, may_end: asyncio.Event) -> None:
        self.beginning, self.orders = beginning, list[str]()
        self.problem: Exception | None = None
        self.hear: Any = None
        self._may_end, self._is_asked = may_end, asyncio.Event()

    def order(self, order: Mapping[str, Any]) -> None:
        """Take an order; none comes after the end was asked for."""
        assert not self._is_asked.is_set()
        if order["kind"] != "watch":
            self.orders.append(order["kind"])

    async def listen(self, hear: Any) -> str:
        """Wait for the end."""
        self.hear = hear
        while not self._is_asked.is_set():
            await asyncio.sleep(0.001)
            if self.problem is not None:
                raise self.problem
        await self._may_end.wait()
        return "exit code 0"

    async def stop(self) -> None:
        """Ask for the end, and wait for it."""
        self._is_asked.set()
        await self._may_end.wait()


class Studio:
    """A hub with one run, and the processes that it starts.

    Args:
        folder: of its runs.
        monkeypatch: puts the processes in the place of real ones.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "ring"
        self.path.mkdir(parents=True)
        (self.path / "config.toml").write_text('target = "ring"\n')
        self.processes: list[Process] = []
        self.may_end = asyncio.Event()
        self.hub = Hub(RunsFolder(folder))
        self.page = PageClient()
        self.hub.clients[self.page.number] = self.page
        monkeypatch.setattr(Child, "start", self._start)

    async def _start(self, _: str, beginning: str, **__: object) -> Process:
        await asyncio.sleep(0)
        self.processes.append(Process(beginning, self.may_end))
        return self.processes[-1]

    async def say(self, *texts: str) -> None:
        """Carry out commands, one right after the other, and let processes start and end."""
        for text in texts:
            self.hub.carry_out(self.page, read_command(text))
        await self.rest()

    async def rest(self) -> None:
        """Let everything happen that waits for nothing else."""
        for _ in range(50):
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        """Let all processes end."""
        self.may_end.set()
        await self.hub.close()
        await self.rest()


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Return a studio with the run ``ring``, which no process trains yet."""
    return Studio(tmp_path, monkeypatch)


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test in an event loop, and let the studio's processes end after it."""

    @wraps(test)
    def run(studio: Studio, **fixtures: Any) -> None:
        async def act() -> None:
            try:
                await test(studio, **fixtures)
            finally:
                await studio.end()

        asyncio.run(act())

    return run


PLAY, STOP = '{"kind": "play", "run": "ring"}', '{"kind": "stop", "run": "ring"}'
SPEED = '{"kind": "speed", "run": "ring", "epochs_per_second": 2}'
FULL_SPEED = '{"kind": "speed", "run": "ring", "epochs_per_second": null}'
PAUSE, CHANGE = '{"kind": "pause", "run": "ring"}', '{"kind": "change", "run": "ring", "settings": '
UNDO, DELETE = '{"kind": "undo", "run": "ring"}', '{"kind": "delete", "run": "ring"}'
NEW = '{"kind": "new", "settings": {"target": "disk"}}'
SAVE = '{"kind": "save", "view": 0, "format": "svg"}'
BRANCH = '{"kind": "branch", "run": "ring", "epoch": 0}'
LOOK = (
    '{"kind": "look", "run": "ring", "view": 0, "x": 0, "y": 0, "half": 1, "aspect": 1, '
    '"faces": "value"}'
)


@in_loop
async def test_orders_to_a_run_that_is_stopping_go_to_its_next_trainer(studio: Studio) -> None:
    """What is ordered while a trainer saves and ends is done by another one; a look alone not."""
    await studio.say(PLAY)
    await studio.say(LOOK, STOP, UNDO, PLAY)
    assert [process.orders for process in studio.processes] == [["play"]]
    studio.may_end.set()
    await studio.rest()
    assert [process.orders for process in studio.processes] == [["play"], ["undo", "play"]]
    await studio.say(STOP, LOOK)
    assert len(studio.processes) == 2


@in_loop
async def test_a_closed_run_is_not_trained_for_what_needs_no_trainer(studio: Studio) -> None:
    """A speed, Pause and Undo start no process, also while one ends; a speed waits for the next."""
    await studio.say(SPEED, SPEED, PAUSE)
    with pytest.raises(StudioError, match="Cannot undo: expected a stroke, got none"):
        await studio.say(UNDO)
    assert studio.processes == []
    await studio.say(PLAY)
    await studio.say(STOP, UNDO, SPEED, PAUSE)
    studio.may_end.set()
    await studio.rest()
    assert [process.orders for process in studio.processes] == [["speed", "play"]]
    await studio.say(PLAY)
    assert studio.processes[1].orders == ["speed", "play"]


@in_loop
async def test_a_chosen_speed_is_kept_for_every_trainer_and_told_to_every_page(
    studio: Studio,
) -> None:
    """The next trainer of the run and its branch have the speed that the last one had."""
    studio.may_end.set()
    studio.hub.open(studio.page, "ring")
    await studio.say(PLAY, STOP)
    await studio.say(SPEED)
    assert told(studio.page, "moment")["epochs_per_second"] == 2
    await studio.say(PLAY)
    await studio.say(FULL_SPEED, SPEED)
    await studio.say(STOP)
    await studio.say(PLAY, BRANCH)
    orders = [["play"], ["speed", "play", "speed", "speed"], ["speed", "play"], ["speed"]]
    assert [process.orders for process in studio.processes] == orders
    await studio.say(FULL_SPEED, STOP)
    assert told(studio.page, "moment")["epochs_per_second"] is None
    await studio.say(PLAY)
    assert studio.processes[-1].orders == ["play"]


@in_loop
async def test_strokes_of_a_trainer_that_has_ended_cannot_be_undone(studio: Studio) -> None:
    """Only the trainer that took the strokes has what was before them, and pages are told so."""
    studio.may_end.set()
    studio.hub.open(studio.page, "ring")
    await studio.say(PLAY)
    pixels = np.zeros((1, 2, 2, 1), np.uint8)
    studio.processes[0].hear(
        encode(Message("target", {"name": "ring", "can_undo": True}, {"pixels": pixels}))
    )
    assert told(studio.page, "target")["can_undo"]
    await studio.say(STOP)
    assert not told(studio.page, "target")["can_undo"]
    await studio.say(PLAY, STOP)
    assert "target" not in [message.kind for message in heard(studio.page)]


def heard(page: PageClient) -> list[Message]:
    """Return all messages that wait for a page."""
    found = []
    while (data := page.outbox.take_now()) is not None:
        found.append(decode(data))
    return found


def told(page: PageClient, kind: str) -> Mapping[str, Any]:
    """Return the facts of the newest message of a kind that waits for a page."""
    return [message for message in heard(page) if message.kind == kind][-1].facts


@in_loop
async def test_a_refused_order_starts_no_trainer(studio: Studio) -> None:
    """A change that no page may make leaves a closed run closed."""
    with pytest.raises(StudioError, match="Cannot set log_file"):
        await studio.say(CHANGE + '{"log_file": "x"}}')
    await studio.rest()
    assert studio.processes == []


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (
            StudioError("Cannot read it: a message of 9 bytes."),
            "Cannot read it: a message of 9 bytes",
        ),
        (TypeError("no rows"), "a fault of bitfold (TypeError: no rows)"),
    ],
)
@in_loop
async def test_a_run_whose_trainer_cannot_be_read_can_be_opened_again(
    studio: Studio, problem: Exception, told: str
) -> None:
    """A message that is too long, or that nobody expects, ends the trainer; Play starts another."""
    studio.may_end.set()
    await studio.say(PLAY)
    studio.processes[0].problem = problem
    await studio.rest()
    live = studio.hub.live("ring")
    assert not live.is_open
    note = str(decode(live.moment(0)).facts["note"])
    assert note.startswith(f"The trainer has ended: {told}")
    assert note.endswith(". Press Play to go on from the last checkpoint.")
    await studio.say(PLAY)
    assert len(studio.processes) == 2


@in_loop
async def test_a_trainer_that_cannot_be_started_is_explained(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is told a moment with the reason, and a new run leaves no empty folder."""

    async def fail(*_: object, **__: object) -> Process:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(Child, "start", fail)
    studio.page.watch("disk")
    await studio.say(NEW)
    assert not (tmp_path / "disk").exists()
    note = "The trainer cannot be started: Cannot allocate memory."
    assert told(studio.page, "moment")["note"] == note


@in_loop
async def test_a_hub_that_closes_starts_no_trainer(studio: Studio) -> None:
    """An order that waits for the next trainer is not obeyed while the server ends."""
    await studio.say(PLAY)
    await studio.say(STOP, PLAY)
    await studio.end()
    assert len(studio.processes) == 1


@in_loop
async def test_a_run_that_was_stopped_before_it_was_made_begins_when_it_is_played(
    studio: Studio,
) -> None:
    """A new run that is stopped and played at once begins with its own settings."""
    await studio.say(NEW)
    await studio.say('{"kind": "stop", "run": "disk"}', '{"kind": "play", "run": "disk"}')
    studio.may_end.set()
    await studio.rest()
    first, second = (json.loads(process.beginning) for process in studio.processes)
    assert first["settings"]["target"] == "disk"
    assert second == first


@in_loop
async def test_a_run_that_is_stopped_while_it_starts_ends(studio: Studio) -> None:
    """A stop right after the play that starts a process ends that process."""
    studio.may_end.set()
    await studio.say(PLAY, STOP)
    assert [process.orders for process in studio.processes] == [["play"]]
    assert not studio.hub.live("ring").is_open


@in_loop
async def test_a_run_that_is_deleted_takes_no_orders_and_is_shown_no_longer(studio: Studio) -> None:
    """From the deletion on orders are refused; a page that looked at the run saves nothing."""
    await studio.say(PLAY, LOOK)
    await studio.say(STOP, PLAY, DELETE)
    with pytest.raises(StudioError, match="Cannot open run ring: it is being deleted"):
        await studio.say(PLAY)
    studio.may_end.set()
    while studio.path.exists():
        await studio.rest()
    await studio.rest()
    assert len(studio.processes) == 1
    with pytest.raises(StudioError, match="expected a run that is shown, got none"):
        await studio.say(SAVE)
    with pytest.raises(StudioError, match="there is none of this name"):
        await studio.say(PLAY)


@in_loop
async def test_what_cannot_begin_leaves_no_folder(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch beyond the bounded number of trainers, or one that fails, leaves no empty folder."""
    studio.may_end.set()
    with monkeypatch.context() as full:
        full.setattr(hub_module, "MOST_TRAINERS", 0)
        with pytest.raises(StudioError, match="0 runs are open"):
            await studio.say(BRANCH)
    assert [path.name for path in tmp_path.iterdir()] == ["ring"]
    await studio.say(BRANCH)
    assert (tmp_path / "ring-from-0").is_dir()
    await studio.end()
    assert [path.name for path in tmp_path.iterdir()] == ["ring"]


@in_loop
async def test_rows_that_are_trained_again_are_told_again(studio: Studio) -> None:
    """A trainer that goes on from an earlier epoch replaces rows and frames, also at the page."""

    def moment(epoch: int, *epochs: int, loss: float) -> bytes:
        rows = np.full((len(epochs), len(METRIC_NAMES)), float(loss))
        rows[:, 0] = epochs
        facts = {"epoch": epoch, "frames": [e for e in epochs if e % 2 == 0]}
        return encode(Message("moment", facts, {"rows": rows}))

    async def told(studio: Studio) -> Message:
        while True:
            message = decode(await studio.page.outbox.take())
            if message.kind == "moment":
                return message

    await studio.say(PLAY)
    studio.hub.live("ring").has_history = True
    hear = studio.processes[0].hear
    hear(moment(5, 1, 2, 3, 4, 5, loss=1))
    assert (await told(studio)).arrays["rows"][:, 0].tolist() == [1, 2, 3, 4, 5]
    hear(moment(2, loss=0))
    again = await told(studio)
    assert (again.facts["first_row"], again.facts["frames"]) == (2, [2])
    hear(moment(3, 3, loss=2))
    hear(moment(4, 4, loss=2))
    again = await told(studio)
    assert (again.facts["first_row"], again.facts["frames"]) == (2, [2, 4])
    assert again.arrays["rows"][:, :2].tolist() == [[3, 2], [4, 2]]
