"""The processes that make files for pages; they end with the page that waits for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bitfold.errors import StudioError
from bitfold.studio.hub.child import Child
from bitfold.studio.wire.message import Message

_SAVER = "bitfold.studio.export.saver"
#: Files that are made at a time; each has a process of its own.
MOST_FILES = 4


@dataclass(eq=False)
class _Job:
    """A file that is being made.

    Args:
        client: the number of the page that waits for it.

    Attributes:
        child: the process; None until it has started.
        is_wanted: whether the page still waits.
    """

    client: int
    child: Child | None = None
    is_wanted: bool = True


class Savers:
    """Starts a process for each file.

    Args:
        hear: takes their messages.
    """

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear
        self._jobs: list[_Job] = []

    async def save(self, request: Message) -> None:
        """Make a file, and hand it to the page that a request names.

        Raises:
            StudioError: there are too many, or the process has died.
        """
        if len(self._jobs) >= MOST_FILES:
            raise StudioError(f"Cannot save: {MOST_FILES} files are being made. Wait for one.")
        job = _Job(int(request.facts["client"]))
        self._jobs.append(job)
        try:
            reason = await self._made(job, request)
        finally:
            self._jobs.remove(job)
            if job.child is not None:
                job.child.give_up()  # one whose message cannot be read still waits to send it
        if job.is_wanted and reason != "exit code 0":
            raise StudioError(f"Cannot save: the saving process has ended, {reason}.")

    async def _made(self, job: _Job, request: Message) -> str:
        """Return how the process ended."""

        def hear(data: bytes) -> None:
            if job.is_wanted:
                self._hear(data)

        job.child = await Child.start(_SAVER, name="the saving process")
        if job.is_wanted:
            job.child.request(request)
        else:
            job.child.give_up()
        return await job.child.listen(hear)

    def leave(self, client: int | None = None) -> None:
        """End the processes that a page waits for; all of them for None."""
        for job in self._jobs:
            if client in (None, job.client):
                job.is_wanted = False
                if job.child is not None:
                    job.child.give_up()
