"""Messages that wait for one page; the newest of each kind replaces the one before."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

Made = Callable[[], bytes]
"""Makes a message when its turn has come, so that it is the newest."""


class Outbox:
    """A queue in which a message takes the place of an older one with the same key."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Made] = OrderedDict()
        self._news = asyncio.Event()

    def put(self, key: str, made: Made) -> None:
        """Add a message, or replace the one with the same key where it waits."""
        self._waiting[key] = made
        self._news.set()

    async def take(self) -> bytes:
        """Wait for a message, and make it."""
        while (data := self.take_now()) is None:
            self._news.clear()
            await self._news.wait()
        return data

    def take_now(self) -> bytes | None:
        """Make the message that waits longest; None if none waits."""
        if not self._waiting:
            return None
        _, made = self._waiting.popitem(last=False)
        return made()
