"""The processes that make files for pages; they end with the page that waits for them."""

from __future__ import annotations

from collections.abc import Callable

from bitfold.errors import StudioError
from bitfold.studio.hub.child import Child
from bitfold.studio.wire.message import Message

_SAVER = "bitfold.studio.viewer.saver"
#: Files that are made at a time; each has a process of its own.
MOST_FILES = 4


class Savers:
    """Starts a process for each file.

    Args:
        hear: takes their messages.
    """

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear
        self._waiting: list[int] = []  # the pages that wait for a file, one entry a file
        self._children: list[tuple[int, Child]] = []

    async def save(self, request: Message) -> None:
        """Make a file, and hand it to the page that a request names.

        Raises:
            StudioError: there are too many, or the process has died.
        """
        client = int(request.facts["client"])
        if len(self._waiting) >= MOST_FILES:
            raise StudioError(f"Cannot save: {MOST_FILES} files are being made. Wait for one.")
        self._waiting.append(client)
        try:
            saver = await Child.start(_SAVER, name="the saving process")
            entry = (client, saver)
            self._children.append(entry)
            saver.request(request)
            reason = await saver.listen(self._hear)
            is_wanted = entry in self._children
            if is_wanted:
                self._children.remove(entry)
        finally:
            self._waiting.remove(client)
        if is_wanted and reason != "exit code 0":
            raise StudioError(f"Cannot save: the saving process has ended, {reason}.")

    def leave(self, client: int | None = None) -> None:
        """End the processes that a page waits for; all of them for None."""
        ended = [entry for entry in self._children if client in (None, entry[0])]
        for entry in ended:
            self._children.remove(entry)
            entry[1].give_up()
