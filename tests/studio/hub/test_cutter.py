"""The process that cuts: how it is started."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub import cutter
from bitfold.studio.hub.child import Child
from bitfold.studio.hub.cutter import Cutter
from bitfold.studio.wire.message import Message


class EndedError(Exception):
    """There is nothing more to cut."""


def cutter_of(requests: list[Message], told: list[object] | None = None) -> Cutter:
    """Return a cutter for some requests, which tells the answers and the failures."""
    told = [] if told is None else told
    waiting = iter(requests)

    def choose() -> Message:
        try:
            return next(waiting)
        except StopIteration:
            raise EndedError from None

    return Cutter(choose, told.append, lambda request, reason: told.append((request, reason)))


@pytest.mark.parametrize("given", [None, "active"])
def test_its_threads_sleep_while_they_wait(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting threads leave the cores to those that train, unless the user wants it otherwise."""
    found: dict[str, Any] = {}

    async def start(*_: object, **options: Any) -> None:
        found.update(options)
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    with pytest.raises(EndedError):
        asyncio.run(cutter_of([]).run())
    assert found["env"]["OMP_WAIT_POLICY"] == (given or "passive")
    assert "PATH" in found["env"]


def test_it_goes_on_after_a_process_that_could_not_be_started_or_said_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request without an answer says why, and the next one has a process of its own."""

    class Process:
        is_running = True

        def __init__(self, answers: list[bytes | None]) -> None:
            self._answers = answers

        def request(self, _: Message) -> None:
            """Take a request."""

        def give_up(self) -> None:
            """End."""

        async def receive(self) -> bytes | None:
            if not self._answers:
                raise StudioError("Cannot read from it: a message of 2,000,000,000 bytes.")
            return self._answers.pop(0)

        async def listen(self, _: object) -> str:
            return "killed by signal 9"

    starts: list[OSError | Process] = [
        OSError(errno.EAGAIN, "no more processes"), OSError(errno.EAGAIN, "no more processes"),
        Process([b"two"]), Process([None]), Process([b"five"]),
    ]  # fmt: skip

    async def start(*_: object, **__: object) -> Process:
        found = starts.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    monkeypatch.setattr(Child, "start", start)
    monkeypatch.setattr(cutter, "_REST_SECONDS", 0)
    requests = [Message("cut", {"number": number}) for number in range(1, 6)]
    told: list[object] = []
    with pytest.raises(EndedError):
        asyncio.run(cutter_of(requests, told).run())
    name = "the cutting process"
    assert told == [
        (requests[0], f"{name} cannot be started: no more processes"),
        b"two",
        (requests[2], "Cannot read from it: a message of 2,000,000,000 bytes."),
        (requests[3], f"{name} has ended, killed by signal 9"),
        b"five",
    ]


def test_it_goes_on_after_an_answer_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked is told of the fault, and the same process answers the next request."""

    class Process:
        is_running = True

        def request(self, _: Message) -> None:
            """Take a request."""

        async def receive(self) -> bytes:
            return b"an answer"

    heard: list[bytes] = []
    failed: list[tuple[Message, str]] = []
    starts: list[Process] = []

    async def start(*_: object, **__: object) -> Process:
        starts.append(Process())
        return starts[-1]

    def hear(data: bytes) -> None:
        heard.append(data)
        if len(heard) == 1:
            raise KeyError("client")

    monkeypatch.setattr(Child, "start", start)
    monkeypatch.setattr(cutter, "_REST_SECONDS", 0)
    requests = [Message("cut", {"number": number}) for number in range(2)]
    found = cutter_of(requests)
    found._hear, found._fail = hear, lambda *told: failed.append(told)
    with pytest.raises(EndedError):
        asyncio.run(found.run())
    assert (len(heard), len(starts)) == (2, 1)
    [(request, reason)] = failed
    assert request is requests[0]
    assert reason.startswith("a fault of bitfold (KeyError: 'client')")


def test_a_process_with_an_unread_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an exception between a request and its answer, no later request gets that answer."""

    class Process:
        def __init__(self, answer: bytes | None) -> None:
            self.answer, self.is_running = answer, True

        def request(self, _: Message) -> None:
            """Take a request."""

        def give_up(self) -> None:
            self.is_running = False

        async def receive(self) -> bytes:
            if self.answer is None:
                raise RuntimeError("another task reads")
            return self.answer

    processes = [Process(None), Process(b"two")]
    waiting = iter(processes)

    async def start(*_: object, **__: object) -> Process:
        return next(waiting)

    async def act() -> bytes:
        found = cutter_of([])
        with pytest.raises(RuntimeError):
            await found._answer(Message("cut"))
        return await found._answer(Message("cut"))

    monkeypatch.setattr(Child, "start", start)
    assert asyncio.run(act()) == b"two"
    assert [process.is_running for process in processes] == [False, True]
