"""Lock files: plain ones, also where the file system has no locks."""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bitfold.runtime.strangers.plain_files import open_plain

# Of network file systems without a server for locks, and of others that know none.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold a lock file within the block; go on without one where there are no locks.

    Args:
        path: of the file, which is made.
        timeout_seconds: how long another process is waited for.

    Raises:
        Timeout: another process holds the lock.
        OSError: the file cannot be made, or is there and no plain file: filelock before 3.20
            follows a link, and empties the file that it leads to.
    """
    with suppress(FileNotFoundError):
        open_plain(path, "rb").close()
    lock = FileLock(path)
    try:
        with warnings.catch_warnings():  # newer filelock makes a mark of its own then, and warns
            warnings.filterwarnings("ignore", "flock not supported")
            _acquire(lock, path, timeout_seconds)
    except NotImplementedError:  # what filelock makes of ENOSYS
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path, timeout_seconds: float) -> None:
    """Acquire a lock; where the file system has none, older filelock would wait in vain."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not _can_lock(path):
            return
        lock.acquire(timeout=timeout_seconds)


def _can_lock(path: Path) -> bool:
    """Whether the file system has locks; to older filelock it is as if another process held one."""
    if sys.platform == "win32":
        return True
    import fcntl  # noqa: PLC0415 - Windows has none

    with open_plain(path, "rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _NO_LOCKS
    return True
