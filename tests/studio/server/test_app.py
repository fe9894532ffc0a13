"""The life of the application: how it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message

from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.server.app import make_app
from bitfold.studio.server.assets import Assets


class FailingHub(Hub):
    """A hub whose own work fails."""

    is_closed = False

    async def run(self) -> None:
        """Fail."""
        raise LookupError("a fault of the hub")

    async def close(self) -> None:
        """Note it."""
        self.is_closed = True


def test_sessions_are_saved_although_the_hub_has_failed(tmp_path: Path) -> None:
    """The end of the application closes the hub, and tells what has failed before."""
    hub = FailingHub(RunsFolder(tmp_path))
    app = make_app(hub, Assets({}), token="token", hosts=[])

    async def act() -> None:
        coming: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> Message:
            await asyncio.sleep(0.001)
            return coming.pop(0)

        async def send(_: Message) -> None:
            pass

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    with pytest.raises(LookupError, match="a fault of the hub"):
        asyncio.run(act())
    assert hub.is_closed
