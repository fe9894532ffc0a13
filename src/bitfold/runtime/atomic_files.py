"""Writing files so that a kill leaves the old one or the new one, never a half of either."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bitfold.runtime.strangers.plain_files import open_plain

# Random, so that nobody can put a link in the place of a file that is about to be written.
_TEMPORARY, _NUM_RANDOM_BYTES = ".bitfold-{}.tmp", 8


def write_atomically(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replace a file's content: written beside it, synced, renamed over it.

    Source: the usual POSIX recipe; ``os.replace`` is atomic on Windows too.

    Args:
        path: the file.
        data: its new content.
        sync: whether it must outlast a loss of power too, and not a kill alone.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file is intact.
    """
    with replacing(path, sync=sync) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[IO[bytes]]:
    """Open a file whose content replaces another's when it is complete; see `write_atomically`.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file is intact.
    """
    temporary = path.with_name(_TEMPORARY.format(secrets.token_hex(_NUM_RANDOM_BYTES)))
    try:
        with open_plain(temporary, "xb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if not sync:
        return
    with contextlib.suppress(OSError):  # some file systems cannot; the file itself is in place
        _sync_folder(path.parent)


def delete_temporary_files(folder: Path) -> None:
    """Delete what killed writers have left in a folder in which nobody writes now.

    Raises:
        OSError: a file cannot be deleted.
    """
    for path in folder.glob(_TEMPORARY.format("*")):
        path.unlink(missing_ok=True)


class AppendOnlyFile:
    """A file that grows by whole records: one that does not fit leaves no trace.

    Args:
        path: the file; made if missing.

    Raises:
        OSError: it cannot be opened, or is a link or anything else but a plain file.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_plain(path, "ab", buffering=0)

    def append(self, record: bytes) -> None:
        """Write a record to the operating system, whole or not at all.

        Raises:
            OSError: the disk is full or fails; the file is as before.
        """
        before = self._file.seek(0, os.SEEK_END)
        left = memoryview(record)
        try:
            while left:  # what is written in part is tried again, to learn the reason
                left = left[self._file.write(left) :]
        except OSError:
            self._file.truncate(before)
            raise

    def sync(self) -> None:
        """Wait until everything written is on the disk itself."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and the rename is already durable
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
