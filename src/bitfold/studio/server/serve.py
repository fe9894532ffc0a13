"""Starts the server of the studio."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from bitfold.errors import StudioError
from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.server.app import make_app
from bitfold.studio.server.assets import Assets
from bitfold.studio.wire.commands import MAX_BYTES

LOOPBACK: Final = "127.0.0.1"
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True)
class Settings:
    """How the studio is served.

    Args:
        host: the address to listen on.
        port: 0 for a free one.
        allowed_hosts: further names, each with its port, by which browsers may reach the server.
    """

    host: str = LOOPBACK
    port: int = 0
    allowed_hosts: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in {LOOPBACK, "localhost", "::1"}


def serve(
    folder: str | Path,
    *,
    runs: Sequence[str | Path] = (),
    begin: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the studio until it is interrupted; then save every session.

    Args:
        folder: of the runs; new ones are made in it.
        runs: more runs to show.
        begin: the settings of a run to begin, paused at epoch 0.
        settings: how to serve.
        ready: called with the URL of the page, which holds the token.

    Raises:
        StudioError: the port is taken, or the page was not built.
    """
    chosen = settings or Settings()
    assets = Assets.built()
    listening = _listening(chosen)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    hosts = [f"{name}:{port}" for name in (*_LOCAL_NAMES, *_own_name(chosen))]
    hub = Hub(RunsFolder(Path(folder), [Path(run) for run in runs]))
    app = make_app(hub, assets, token=token, hosts=[*hosts, *chosen.allowed_hosts])
    shown = chosen.host if not chosen.is_local else LOOPBACK

    async def run() -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            ws="websockets-sansio",
            ws_max_size=MAX_BYTES,
            ws_per_message_deflate=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        first = hub.begin(begin) if begin is not None else next(iter(hub.runs.names()), "")
        ready(f"http://{shown}:{port}/#token={token}&run={first}")
        await server.serve(sockets=[listening])

    # The server has shut down in order before it hands the interrupt on.
    with listening, suppress(KeyboardInterrupt):
        asyncio.run(run())


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen()  # whoever has the URL may connect from now on
    except OSError as error:
        found.close()
        raise StudioError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another "
            "--port, or 0 for a free one."
        ) from None
    return found


def _own_name(settings: Settings) -> tuple[str, ...]:
    is_any = settings.host in {"0.0.0.0", "::"}
    if settings.is_local or is_any:
        return ()
    return (f"[{settings.host}]" if ":" in settings.host else settings.host,)
