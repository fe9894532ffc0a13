"""What libraries in C write to standard error, past Python."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_STDERR, _MAX_BYTES = 2, 2**16
# Two blocks at once would each restore what the other has put there.
_CAPTURING = threading.Lock()


@contextlib.contextmanager
def captured_noise() -> Iterator[list[str]]:
    """Keep what is written to the process's standard error while the block lasts.

    Decoders of pictures print there whatever they find odd, though the caller may not care. The
    process has one standard error: while other threads run, the text may be theirs. Then it is
    written on after the block, so that nobody's words are lost. Blocks wait for each other.

    Yields:
        A list that holds the lines once the block is over.

    >>> with captured_noise() as noise:
    ...     _ = os.write(2, b"TIFFReadDirectory: odd\\n")
    >>> noise
    ['TIFFReadDirectory: odd']
    """
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(_CAPTURING)
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            saved = os.dup(_STDERR)
        except OSError:  # there is no standard error, or no place for a file
            yield lines
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        has_others = threading.active_count() > 1
        os.dup2(file.fileno(), _STDERR)
        try:
            yield lines
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
            text = _content(file)
            if has_others and text:
                with contextlib.suppress(OSError):
                    os.write(_STDERR, text)
            shown = map(str.strip, text.decode(errors="replace").splitlines())
            lines += filter(None, shown)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_MAX_BYTES)
