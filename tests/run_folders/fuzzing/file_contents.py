"""The bytes of a file that changes by a stranger may have replaced."""

from __future__ import annotations

from pathlib import Path


def contents(path: Path) -> bytes:
    """Read a file. What an earlier change may have put in its place could be waited for for ever.

    Raises:
        OSError: it is missing, or is a FIFO, a device or a folder.
    """
    if not path.is_file():
        raise OSError(f"{path.name} is no file")
    return path.read_bytes()
