"""The routes of the server; `Guard` stands before all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from bitfold.errors import BitfoldError, WireError
from bitfold.studio.fault import fault_line
from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.page_client import PageClient
from bitfold.studio.server.assets import Assets
from bitfold.studio.server.guard import SOCKET_PATH, Guard
from bitfold.studio.server.pictures import take_picture
from bitfold.studio.server.settings_table import settings_table
from bitfold.studio.wire.commands import read_command
from bitfold.studio.wire.message import VERSION, Message, encode
from bitfold.targets.drawn.builtin import builtin_names
from bitfold.training.store.metrics import METRIC_NAMES

# A page that connects says the token at once.
_HELLO_SECONDS: Final = 10.0
_POLICY_VIOLATION: Final = 1008  # RFC 6455, section 7.4.1
#: The connection is closed with this code if the page speaks another version of the wire.
OTHER_VERSION: Final = 4000


def make_app(hub: Hub, assets: Assets, *, token: str, hosts: list[str]) -> ASGIApp:
    """Return the application of the studio.

    Args:
        hub: what the studio does.
        assets: the page.
        token: the secret of this server.
        hosts: the names, each with its port, by which browsers may reach the server.
    """

    async def file(request: Request) -> Response:
        return assets.response(request.scope["path"])

    async def picture(request: Request) -> Response:
        return await take_picture(request, hub.runs.pictures)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(hub.run())
        try:
            yield
        finally:
            work.cancel()
            try:
                with suppress(asyncio.CancelledError):
                    await work
            finally:  # sessions are saved also if the hub's own work has failed
                await hub.close()

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        if await _says_token(websocket, guard):
            await _serve_page(websocket, hub)

    routes = [
        *(Route(path, file, methods=["GET"]) for path in assets.files),
        Route("/picture", picture, methods=["POST"]),
        WebSocketRoute(SOCKET_PATH, socket),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    guard = Guard(app, token=token, hosts=hosts, public=assets.files)
    return guard


async def _says_token(websocket: WebSocket, guard: Guard) -> bool:
    """Wait for the first message, which must hold the token; until then nothing is answered."""
    try:
        text = await asyncio.wait_for(websocket.receive_text(), _HELLO_SECONDS)
        command = read_command(text)
    except (WireError, TimeoutError, KeyError):
        command = None
    except WebSocketDisconnect:
        return False
    if command is not None and command.kind == "hello" and guard.is_token(command["token"]):
        if command["version"] == VERSION:
            return True
        await websocket.close(OTHER_VERSION, "The page is of another version: load it again.")
        return False
    await websocket.close(_POLICY_VIOLATION, "The token is missing or wrong.")
    return False


async def _serve_page(websocket: WebSocket, hub: Hub) -> None:
    try:
        client = hub.join()
    except BitfoldError as error:
        await websocket.send_bytes(encode(Message("refused", {"text": str(error)})))
        await websocket.close()
        return
    client.put("hello", encode(_hello()))
    sending = asyncio.create_task(_send(websocket, client))
    try:
        while True:
            _obey(hub, client, await websocket.receive_text())
    except (WebSocketDisconnect, KeyError):  # a KeyError: the message was not a text
        return
    finally:
        sending.cancel()
        hub.leave(client)


def _obey(hub: Hub, client: PageClient, text: str) -> None:
    try:
        hub.carry_out(client, read_command(text))
    except BitfoldError as error:
        _refuse(client, str(error))
    except Exception as error:  # to connect again would repeat what the page asks for
        _refuse(client, fault_line("do what the page asks for", error))


async def _send(websocket: WebSocket, client: PageClient) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # the page is gone
        while True:
            await websocket.send_bytes(await _next(client))


async def _next(client: PageClient) -> bytes:
    """Wait for the next message of a page; one that cannot be made is left out."""
    while True:
        try:
            return await client.outbox.take()
        except Exception as error:
            _refuse(client, fault_line("tell the page what is new", error))


def _refuse(client: PageClient, text: str) -> None:
    client.put_line(encode(Message("refused", {"text": text})))


def _hello() -> Message:
    facts = {
        "wire": VERSION,
        "columns": list(METRIC_NAMES),
        "settings": settings_table(),
        "targets": list(builtin_names()),
    }
    return Message("hello", facts)
