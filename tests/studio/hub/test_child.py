"""A process of the studio, as the server hears of its end."""

from __future__ import annotations

import asyncio
import sys

import pytest

from bitfold.studio.hub import child
from bitfold.studio.hub.child import Child


def end_of(program: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a program as a child, and return how it ended."""
    monkeypatch.setattr(child, "isolated_command", lambda *_: [sys.executable, "-c", program])

    async def act() -> str:
        process = await Child.start("module", name="the writing process")
        return await process.listen(lambda _: None)

    return asyncio.run(act())


def test_a_line_of_any_length_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that writes a line longer than a stream holds is not left waiting."""
    program = "import sys; sys.stderr.write('x' * 2**25 + '\\nthe end\\n')"
    assert end_of(program, monkeypatch) == "the end (exit code 0)"


def test_the_traceback_of_a_process_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A page is told the last line; the log has all of them."""
    assert end_of("{}[3]", monkeypatch) == "KeyError: 3 (exit code 1)"
    assert "the writing process has ended, exit code 1:\nTraceback" in caplog.text


def test_a_process_that_says_why_it_ends_is_not_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An end without a traceback is no fault."""
    assert end_of("import sys; sys.exit('no room')", monkeypatch) == "no room (exit code 1)"
    assert caplog.text == ""
