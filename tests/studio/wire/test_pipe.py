"""Pipes between the server and its processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitfold.studio.wire.pipe import PIPE_BYTES, widen_pipe


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the ends of a pipe, of which writing never waits."""
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have pipes of one size")
def test_a_widened_pipe_takes_much_before_anybody_reads(pipe: tuple[int, int]) -> None:
    """A mebibyte fits into the pipe without a reader, and nothing more."""
    widen_pipe(pipe[1])
    assert os.write(pipe[1], bytes(2 * PIPE_BYTES)) == PIPE_BYTES


def test_what_is_no_pipe_stays_as_it_is() -> None:
    """A file, or a pipe that cannot be widened, is left alone."""
    with Path(os.devnull).open("wb") as file:
        widen_pipe(file.fileno())
