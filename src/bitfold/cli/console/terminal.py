"""A terminal that may be closed while a program writes to it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


@contextmanager
def outliving_terminal() -> Iterator[None]:
    """Within the block, lose what is written to a terminal after it was closed.

    Without this the first line after an SSH connection is lost would end a training that is just
    about to save its state. Output to files and pipes stays as it is.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_outliving, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _outliving(stream: Any) -> Any:
    # None if it was closed when the program began.
    return _Terminal(stream) if stream is not None and stream.isatty() else stream


class _Terminal:
    """A stream to a terminal; everything but writing is that of the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, if the terminal is still there."""
        with self._losing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is left, if the terminal is still there."""
        with self._losing():
            self._stream.flush()

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """Turn the stream to nowhere if the terminal turns out to be closed."""
        try:
            yield
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            with contextlib.suppress(OSError):
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
