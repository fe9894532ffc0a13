"""The hub's work beside the answers to pages; none of it ends without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bitfold.errors import BitfoldError
from bitfold.studio.fault import fault_line

# Failed work rests before it begins again, so that a lasting fault does not spin.
_REST_SECONDS: Final = 1.0


class Background:
    """Tasks whose failures are said to pages.

    Args:
        say: takes one line for all pages.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, doing: str, work: Awaitable[None]) -> None:
        """Let work go on beside the caller.

        Args:
            doing: what it does, such as ``delete ring``.
            work: comes to an end.
        """
        task = asyncio.create_task(self._guarded(doing, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def keep(self, doing: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do work that has no end, and begin it anew after a fault; return when cancelled.

        Args:
            doing: what it does, such as ``cut what pages look at``.
            work: makes what is awaited.
        """
        while True:
            await self._guarded(doing, work())
            await asyncio.sleep(_REST_SECONDS)

    async def _guarded(self, doing: str, work: Awaitable[None]) -> None:
        try:
            await work
        except (BitfoldError, OSError) as error:
            self._say(str(error))
        except Exception as error:
            self._say(fault_line(doing, error))
