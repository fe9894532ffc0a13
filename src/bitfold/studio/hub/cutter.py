"""The process that cuts and reads for pages, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bitfold.studio.hub.child import Child
from bitfold.studio.wire.message import Message

_WORKER = "bitfold.studio.viewer.worker"
# PyTorch's threads would spin while they wait for each other, on the cores that train. So that they
# sleep saves a fifth of the processor time of a cut of 115,000 polytopes beside a training.
_WAITING = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
# A process that dies at once is not started again without end.
_REST_SECONDS = 1.0


class Cutter:
    """Sends requests to the process, and starts it anew if it dies.

    Args:
        choose: returns the next request, or None if there is nothing to do.
        hear: takes the answers.
        fail: takes the request of which the process died, and the reason.
    """

    def __init__(
        self,
        choose: Callable[[], Message | None],
        hear: Callable[[bytes], None],
        fail: Callable[[Message, str], None],
    ) -> None:
        self._choose, self._hear, self._fail = choose, hear, fail
        self._news = asyncio.Event()
        self._child: Child | None = None
        #: Whether the process has loaded what it needs to cut at once.
        self.is_loaded = False

    def wake(self) -> None:
        """Look for something to do."""
        self._news.set()

    async def run(self) -> None:
        """Serve until cancelled.

        The process starts before there is anything to do: it takes seconds to load, for which the
        first picture of a page would wait.
        """
        self._child = await self._start()
        self._child.request(Message("load"))
        self.is_loaded = await self._child.receive() is not None
        if not self.is_loaded:  # another one that dies says its reason to who asked
            await self._child.listen(self._hear)
            self._child = None
        while True:
            request = self._choose()
            if request is None:
                self._news.clear()
                await self._news.wait()
                continue
            if self._child is None or not self._child.is_running:
                self._child = await self._start()
            self._child.request(request)
            answer = await self._child.receive()
            if answer is not None:
                self._hear(answer)
                continue
            reason = await self._child.listen(self._hear)
            self._child = None
            self._fail(request, reason)
            await asyncio.sleep(_REST_SECONDS)

    async def _start(self) -> Child:
        return await Child.start(_WORKER, name="the cutting process", usual=_WAITING)

    async def close(self) -> None:
        """End the process."""
        if self._child is not None:
            if not self.is_loaded:
                self._child.give_up()  # it would first load to the end
            await self._child.stop()
