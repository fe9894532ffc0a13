"""The life of the application: how it ends, and how its pages outlive a fault."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.server.app import make_app
from bitfold.studio.server.assets import Assets
from bitfold.studio.wire.commands import Command
from bitfold.studio.wire.message import VERSION, decode


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


class FaultyHub(Hub):
    """A hub that cannot do the first command, nor make the first message."""

    num_commands = 0

    def carry_out(self, client: PageClient, command: Command) -> None:
        """Fail, and then fail to tell."""
        self.num_commands += 1
        if self.num_commands == 1:
            raise LookupError("what is asked")

        def fail() -> bytes:
            raise RuntimeError("what is told")

        client.put_made("moment", fail)


def test_a_page_is_told_of_faults_and_stays_connected(tmp_path: Path) -> None:
    """Neither a command nor a message that meets a fault ends the connection or its messages."""
    hub = FaultyHub(RunsFolder(tmp_path))
    app = make_app(hub, Assets({}), token="token", hosts=["localhost:1"])
    lines: list[str] = []

    async def act() -> None:
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        coming: asyncio.Queue[Message] = asyncio.Queue()

        def say(kind: str, **fields: Any) -> None:
            text = json.dumps({"kind": kind, **fields})
            coming.put_nowait({"type": "websocket.receive", "text": text})

        async def send(message: Message) -> None:
            if message["type"] == "websocket.send":
                told.put_nowait(dict(decode(message["bytes"]).facts))

        async def line() -> str:
            while "text" not in (facts := await asyncio.wait_for(told.get(), 20)):
                pass
            return str(facts["text"])

        coming.put_nowait({"type": "websocket.connect"})
        say("hello", token="token", version=VERSION)
        scope = {
            "type": "websocket", "path": "/socket", "subprotocols": [], "headers": [
                (b"host", b"localhost:1"), (b"origin", b"http://localhost:1"),
            ],
        }  # fmt: skip
        serving = asyncio.ensure_future(app(scope, coming.get, send))
        for _ in range(2):
            say("cancel")
            lines.append(await line())
        say("nonsense")
        lines.append(await line())
        assert not serving.done()
        coming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving

    asyncio.run(act())
    assert [text.partition(";")[0] for text in lines] == [
        "Cannot do what the page asks for: a fault of bitfold (LookupError: what is asked)",
        "Cannot tell the page what is new: a fault of bitfold (RuntimeError: what is told)",
        "Cannot read a command: expected a known kind, got 'nonsense'.",
    ]
