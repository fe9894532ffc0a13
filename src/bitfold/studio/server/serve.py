"""Starts the server of the studio."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from bitfold.errors import StudioError
from bitfold.runtime.strangers.isolated_start import check_not_alone
from bitfold.studio.hosts import LOCAL_HOSTS
from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.server.app import make_app
from bitfold.studio.server.assets import Assets
from bitfold.studio.wire.commands import MAX_BYTES

LOOPBACK: Final = "127.0.0.1"
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_TOKEN_BYTES: Final = 32
# The page is named once it can show something, or after so long: loops may have to be compiled.
_MOST_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02


def serve(
    folder: str | Path,
    *,
    runs: Sequence[str | Path] = (),
    begin: Mapping[str, Any] | None = None,
    is_playing: bool = False,
    host: str = LOOPBACK,
    port: int = 0,
    allowed_hosts: Sequence[str] = (),
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the studio until it is interrupted; then save every session.

    Args:
        folder: of the runs; new ones are made in it.
        runs: more runs to show.
        begin: the settings of a run to begin.
        is_playing: whether that run trains at once; otherwise it waits at epoch 0.
        host: the address to listen on.
        port: 0 for a free one.
        allowed_hosts: further names, each with its port, by which browsers may reach the server.
        ready: called with the URL of the page, which holds the token, once the page would get its
            first picture at once, or after 10 seconds.

    Raises:
        StudioError: the port is taken, or the page was not built.
        ProcessError: trainings need processes of their own, and none can be started.
    """
    check_not_alone()
    assets = Assets.built()
    with _listening(host, port) as listening, suppress(KeyboardInterrupt):
        number = listening.getsockname()[1]
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        hosts = [f"{name}:{number}" for name in (*_LOCAL_NAMES, *_own_name(host))]
        hub = Hub(RunsFolder(Path(folder), [Path(run) for run in runs]))
        app = make_app(hub, assets, token=token, hosts=[*hosts, *allowed_hosts])
        shown = LOOPBACK if host in LOCAL_HOSTS else host
        server = uvicorn.Server(_configuration(app))

        async def run() -> None:
            first = hub.runs.first()
            if begin is not None:
                first = hub.begin(begin, is_playing=is_playing)
            # The server shuts down in order before it hands an interrupt on.
            serving = asyncio.create_task(server.serve(sockets=[listening]))

            def is_ending() -> bool:
                return server.should_exit or serving.done()

            try:
                await _until(lambda: hub.can_show(first) or is_ending())
                if not is_ending():
                    ready(f"http://{shown}:{number}/#token={token}&run={first}")
            except BaseException:
                server.should_exit = True
                raise
            finally:
                await serving

        _run(run, server)


def _run(serving: Callable[[], Coroutine[Any, Any, None]], server: uvicorn.Server) -> None:
    """Run the server here; in a notebook, whose own loop runs here, in a thread beside it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(serving())
        return
    with ThreadPoolExecutor(1) as threads:
        served = threads.submit(lambda: asyncio.run(serving()))
        try:
            served.result()
        finally:  # in a thread the server itself sees no interrupt
            server.should_exit = True


async def _until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, or for `_MOST_SECONDS`."""
    end = time.monotonic() + _MOST_SECONDS
    while not is_so() and time.monotonic() < end:
        await asyncio.sleep(_LOOK_SECONDS)


def _configuration(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=MAX_BYTES,
        ws_per_message_deflate=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


def _listening(host: str, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen()  # whoever has the URL may connect from now on
    except OSError as error:
        found.close()
        raise StudioError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port, or 0 for a "
            "free one."
        ) from None
    return found


def _own_name(host: str) -> tuple[str, ...]:
    if host in {*LOCAL_HOSTS, "0.0.0.0", "::"}:
        return ()
    return (f"[{host}]" if ":" in host else host,)
