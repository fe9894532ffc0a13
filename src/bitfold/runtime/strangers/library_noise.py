"""What libraries in C write to standard error, past Python."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

_STDERR, _MAX_BYTES = 2, 2**16


@contextlib.contextmanager
def captured_noise() -> Iterator[list[str]]:
    """Keep what is written to the process's standard error while the block lasts.

    Decoders of pictures print there whatever they find odd, though the caller may not care.

    Yields:
        A list that holds the lines once the block is over.

    >>> with captured_noise() as noise:
    ...     _ = os.write(2, b"TIFFReadDirectory: odd\\n")
    >>> noise
    ['TIFFReadDirectory: odd']
    """
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            saved = os.dup(_STDERR)
        except OSError:  # there is no standard error, or no place for a file
            yield lines
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(file.fileno(), _STDERR)
        try:
            yield lines
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
            file.seek(0)
            text = file.read(_MAX_BYTES).decode(errors="replace")
            lines += [line.strip() for line in text.splitlines() if line.strip()]
