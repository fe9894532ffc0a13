"""The outbox of a page: only the newest message of each kind waits."""

from __future__ import annotations

import asyncio
from functools import partial

from bitfold.studio.hub.outbox import Outbox


def test_a_newer_message_takes_the_place_of_an_older_one() -> None:
    """A newer message replaces an older one and keeps its place in the order."""
    outbox = Outbox()
    for number in range(3):
        outbox.put("moment", partial(bytes, f"moment {number}", "ascii"))
        outbox.put(f"line {number}", partial(bytes, f"line {number}", "ascii"))

    async def taken() -> list[bytes]:
        return [await outbox.take() for _ in range(4)]

    assert asyncio.run(taken()) == [b"moment 2", b"line 0", b"line 1", b"line 2"]


def test_a_message_is_made_when_its_turn_has_come() -> None:
    """A message is made when it is sent, so that it is the newest."""
    outbox, epoch = Outbox(), [1]
    outbox.put("moment", lambda: b"%d" % epoch[0])
    epoch[0] = 7
    assert asyncio.run(outbox.take()) == b"7"


def test_a_page_that_waits_gets_what_comes() -> None:
    """A waiting page gets the next message without asking again."""
    outbox = Outbox()

    async def both() -> bytes:
        waiting = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        outbox.put("runs", lambda: b"runs")
        return await waiting

    assert asyncio.run(both()) == b"runs"
