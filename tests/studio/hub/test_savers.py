"""The processes that make files."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub.child import Child
from bitfold.studio.hub.savers import Savers
from bitfold.studio.wire.message import Message


class LongSpeaker:
    """Stands for a process that sends too much, and ends when it is asked to."""

    is_running = True

    def request(self, _: Message) -> None:
        """Take a request."""

    async def listen(self, _: Any) -> str:
        """Refuse what comes."""
        raise StudioError("Cannot read from it: a message of 9 bytes.")

    def give_up(self) -> None:
        """End."""
        self.is_running = False


def test_a_process_whose_file_is_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is told why there is no file, and the process does not wait for ever."""
    speaker = LongSpeaker()

    async def start(*_: object, **__: object) -> LongSpeaker:
        return speaker

    monkeypatch.setattr(Child, "start", start)
    with pytest.raises(StudioError, match="a message of 9 bytes"):
        asyncio.run(Savers(lambda _: None).save(Message("save", {"client": 1})))
    assert not speaker.is_running
