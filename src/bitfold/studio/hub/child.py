"""A process that the server has started, and the pipes to it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from bitfold.errors import StudioError, printable
from bitfold.runtime.strangers.isolated_start import isolated_command
from bitfold.studio.wire.message import MAX_BYTES, Message, encode
from bitfold.studio.wire.pipe import LENGTH_BYTES, framed

_LOGGER = logging.getLogger("bitfold")
# The end of what a dead process wrote tells why: a traceback and a message.
_LAST_BYTES = 2**18
_PATIENCE_SECONDS = 15.0


class Child:
    """A running process of the studio.

    Args:
        process: with pipes for its standard streams.
        name: of the process, for a person.
    """

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process, self._name = process, name
        self._last_words = b""
        self._errors = asyncio.create_task(self._keep_errors())

    @classmethod
    async def start(
        cls, module: str, *arguments: str, name: str, usual: Mapping[str, str] | None = None
    ) -> Child:
        """Start a module of bitfold in a process of its own.

        Args:
            module: dotted name of the module.
            arguments: of the module.
            name: of the process, for a person.
            usual: environment variables, where the user has not set them otherwise.
        """
        process = await asyncio.create_subprocess_exec(
            *isolated_command(module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
            env={**(usual or {}), **os.environ},
        )
        return cls(process, name)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    def order(self, facts: Mapping[str, Any]) -> None:
        """Send a line of JSON."""
        self._write(json.dumps(facts, allow_nan=False).encode() + b"\n")

    def request(self, message: Message) -> None:
        """Send a message."""
        self._write(framed(encode(message)))

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        if self.is_running and not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    async def receive(self) -> bytes | None:
        """Wait for the next message; None once the process has ended.

        Raises:
            StudioError: the message is too long.
        """
        assert self._process.stdout is not None
        try:
            size = int.from_bytes(await self._process.stdout.readexactly(LENGTH_BYTES), "little")
            if size > MAX_BYTES:
                raise StudioError(f"Cannot read from {self._name}: a message of {size:,} bytes.")
            return await self._process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None

    async def listen(self, hear: Callable[[bytes], None]) -> str:
        """Hand on all messages until the process ends; return its last line, or the reason."""
        while (data := await self.receive()) is not None:
            hear(data)
        code = await self._process.wait()
        await self._errors
        words = self._last_words.decode("utf-8", "replace")
        lines = [printable(line) for line in words.splitlines() if line.strip()]
        reason = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        if code > 0 and any("Traceback" in line for line in lines):
            _LOGGER.error("%s has ended, %s:\n%s", self._name, reason, "\n".join(lines))
        return f"{lines[-1].strip()} ({reason})" if lines else reason

    async def stop(self) -> None:
        """Close the orders, which ends the process; kill it if it does not end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _PATIENCE_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def give_up(self) -> None:
        """Ask the process to end at once: nobody wants its answer."""
        if self.is_running:
            self._process.terminate()

    async def _keep_errors(self) -> None:
        assert self._process.stderr is not None
        # Not by lines: a line may be longer than a stream holds.
        while words := await self._process.stderr.read(_LAST_BYTES):
            self._last_words = (self._last_words + words)[-_LAST_BYTES:]
