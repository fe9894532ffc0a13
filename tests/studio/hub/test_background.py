"""Work of the hub beside the answers to pages."""

from __future__ import annotations

import asyncio

import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub import background
from bitfold.studio.hub.background import Background


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            StudioError("Cannot save: 4 files are being made."),
            "Cannot save: 4 files are being made.",
        ),
        (OSError("no room"), "no room"),
        (TypeError("three"), "Cannot save ring: a fault of bitfold (TypeError: three)"),
    ],
)
def test_a_task_that_fails_says_so(error: Exception, line: str) -> None:
    """Pages are told why a task has ended, whatever it raised."""
    said: list[str] = []

    async def fail() -> None:
        raise error

    async def act() -> None:
        Background(said.append).spawn("save ring", fail())
        await asyncio.sleep(0.01)

    asyncio.run(act())
    assert len(said) == 1
    assert said[0].startswith(line)


def test_work_without_end_begins_anew_after_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault is told and logged, the work goes on, and cancelling ends it."""
    monkeypatch.setattr(background, "_REST_SECONDS", 0)
    said: list[str] = []
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise LookupError(f"number {begun[-1]}")
        await asyncio.sleep(60)

    async def act() -> None:
        task = asyncio.create_task(Background(said.append).keep("cut", work))
        while len(begun) < 3:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(act())
    assert begun == [0, 1, 2]
    assert [line.partition(";")[0] for line in said] == [
        f"Cannot cut: a fault of bitfold (LookupError: number {number})" for number in (0, 1)
    ]
    assert caplog.text.count("Traceback") == 2
