"""What is said when a file of a run cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

from bitfold.errors import RunError

# Something else has the name: a link, a folder, a FIFO. More room would not help.
_IN_THE_WAY = (errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EEXIST)


def unwritable(folder: Path, error: OSError, *, do: str = "write into", then: str) -> RunError:
    """Return the error for a run whose files cannot be written.

    Args:
        folder: the run's.
        error: what the system said; with the file that something else stands in the place of.
        do: what was tried.
        then: what to do once there is room.

    >>> print(unwritable(Path("run"), OSError(errno.ENOSPC, "No space left"), then="try again"))
    Cannot write into run: No space left. Make room, then try again.
    >>> print(unwritable(Path("run"), OSError(errno.EISDIR, "Is a directory", "run/a"), then=""))
    Cannot write into run: Is a directory: run/a. Move it away.
    """
    if error.errno in _IN_THE_WAY and error.filename:
        return RunError(f"Cannot {do} {folder}: {error.strerror}: {error.filename}. Move it away.")
    return RunError(f"Cannot {do} {folder}: {error.strerror}. Make room, then {then}.")
