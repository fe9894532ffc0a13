"""Plain files and folders, opened without following links unless the user named them.

A run's folder may come from anybody. In the place of one of its files a stranger can put a symbolic
link to a file elsewhere, a FIFO that makes a reader wait for ever, or a device without end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import IO, Literal

_FLAGS = {
    "rb": os.O_RDONLY,
    "r+b": os.O_RDWR,
    "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}
# Systems lack some of these.
_SAFE_FLAGS = sum(
    getattr(os, name, 0)
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_NOINHERIT", "O_BINARY")
)
# Where it is missing, what it does is checked by handle.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISREG, "a file"),
)


def open_plain(
    path: Path,
    mode: Literal["rb", "r+b", "ab", "xb"],
    *,
    buffering: int = -1,
    follows_links: bool = False,
) -> IO[bytes]:
    """Open a plain file.

    Args:
        path: the file. Links among its folders are followed; see `check_plain_folder`.
        mode: as for `open`. ``ab`` makes a missing file; ``xb`` refuses an existing one.
        buffering: as for `open`.
        follows_links: whether the file may be a symbolic link to a plain file, true for paths that
            the user gave.

    Raises:
        OSError: it cannot be opened, or is not a plain file.
    """
    before = _status(path, follows_links=follows_links)
    if before is not None and mode != "xb":
        _refuse_unless(stat.S_ISREG, before, path, "a plain file")
    flags = _FLAGS[mode] | _SAFE_FLAGS | (0 if follows_links else _NO_FOLLOW)
    descriptor = os.open(path, flags, 0o666)
    try:
        opened = os.fstat(descriptor)
        _refuse_unless(stat.S_ISREG, opened, path, "a plain file")
        if before is not None and not os.path.samestat(before, opened):
            raise OSError(errno.ESTALE, "expected a plain file, got one that changes", str(path))
        return os.fdopen(descriptor, mode.replace("x", "w"), buffering)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise


def read_plain(path: Path, max_bytes: int) -> bytes:
    """Read a plain file whose size is bounded.

    Raises:
        OSError: it cannot be read, is not a plain file, or has more than ``max_bytes`` bytes.
    """
    with open_plain(path, "rb") as file:
        check_size(file, max_bytes)
        return file.read(max_bytes)


def check_size(file: IO[bytes], max_bytes: int) -> None:
    """Refuse an open file that is too large.

    Raises:
        OSError: it has more than ``max_bytes`` bytes.
    """
    size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
        reason = f"expected at most {max_bytes:,} bytes, got {size:,}"
        raise OSError(errno.EFBIG, reason)


def check_plain(path: Path, max_bytes: int) -> None:
    """Refuse what is not a plain file, for libraries that open a file by its name.

    Raises:
        OSError: it is missing, is not a plain file, or has more than ``max_bytes`` bytes.
    """
    with open_plain(path, "rb") as file:
        check_size(file, max_bytes)


def is_plain(path: Path) -> bool:
    """Whether a path is a plain file, and no link to one; False where it cannot be looked up."""
    try:
        status = _status(path)
    except OSError:
        return False
    return status is not None and stat.S_ISREG(status.st_mode)


def check_plain_folder(folder: Path, within: Path) -> None:
    """Refuse a folder that a link leads out of another one.

    Args:
        folder: it may be missing.
        within: a folder above it, which may itself be a link.

    Raises:
        OSError: a part of the path below ``within`` exists, and is not a plain folder.
    """
    path = within
    for part in folder.relative_to(within).parts:
        path /= part
        status = _status(path)
        if status is None:
            return
        _refuse_unless(stat.S_ISDIR, status, path, "a plain folder")


def make_way(path: Path) -> None:
    """Put a new empty file in the place of whatever has a name, for libraries that open by name.

    A link is removed, and not followed.

    Raises:
        OSError: the folder cannot be written, or a folder has the name.
    """
    path.unlink(missing_ok=True)
    open_plain(path, "xb").close()


def _status(path: Path, *, follows_links: bool = False) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follows_links)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:  # a NUL
        raise OSError(errno.EINVAL, str(error)) from None


def _refuse_unless(is_right: object, status: os.stat_result, path: Path, expected: str) -> None:
    assert callable(is_right)
    if not is_right(status.st_mode):
        got = next((kind for check, kind in _KINDS if check(status.st_mode)), "a device")
        raise OSError(errno.EINVAL, f"expected {expected}, got {got}", str(path))
