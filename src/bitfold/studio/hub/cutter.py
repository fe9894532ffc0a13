"""The process that cuts and reads for pages, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bitfold.errors import StudioError
from bitfold.studio.fault import log_fault
from bitfold.studio.hub.child import Child
from bitfold.studio.wire.message import Message

_NAME = "the cutting process"
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
        fail: takes a request that has no answer, and the reason.
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
        with suppress(StudioError):  # another one that dies says its reason to who asked
            await self._answer(Message("load"))
            self.is_loaded = True
        while True:
            request = self._choose()
            if request is None:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                self._hear(await self._answer(request))
                continue
            except StudioError as error:
                reason = str(error)
            except Exception as error:
                reason = log_fault(f"answer the request {request.kind}", error)
            self._fail(request, reason)
            await asyncio.sleep(_REST_SECONDS)

    async def _answer(self, request: Message) -> bytes:
        """Return the answer to a request.

        Raises:
            StudioError: the process cannot be started, has ended, or answers too much; it is
                started anew for the next request.
        """
        if self._child is None or not self._child.is_running:
            self._child = await self._started()
        child = self._child
        try:
            child.request(request)
            answer = await child.receive()
        except Exception:  # what it sends from now on may answer another request
            self._child = None
            child.give_up()
            raise
        if answer is None:
            self._child = None
            raise StudioError(f"{_NAME} has ended, {await child.listen(self._hear)}")
        return answer

    async def _started(self) -> Child:
        try:
            return await Child.start(_WORKER, name=_NAME, usual=_WAITING)
        except OSError as error:
            raise StudioError(f"{_NAME} cannot be started: {error.strerror}") from None

    async def close(self) -> None:
        """End the process."""
        if self._child is not None:
            if not self.is_loaded:
                self._child.give_up()  # it would first load to the end
            await self._child.stop()
