"""A member's files on another machine, and what is new of them since they were last sent.

A message is the length of a header (4 bytes, little endian), the header (JSON), and the new bytes
of each file, one after the other. It is data: a receiver trusts none of its names and sizes.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from bitfold.errors import RunError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.strangers.bounded_json import parse_json, shortened
from bitfold.runtime.strangers.plain_files import check_plain_folder, open_plain

_LENGTH_BYTES: Final = 4
_MAX_HEADER_BYTES: Final = 2**24
_MAX_DEPTH, _MAX_NAME = 4, 255


@dataclass(frozen=True)
class _Sent:
    """A file as the receiver has it."""

    stamp: tuple[int, int, int]
    size: int
    digest: bytes


class OutgoingFiles:
    """Files that another machine has a copy of.

    Args:
        root: the folder.
        names: of its entries that are sent: files, or folders with all that they hold. Names that
            begin with a dot are left out: locks, and files that are being written.
    """

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self._root, self._names = root, tuple(names)
        self._sent: dict[str, _Sent] = {}

    def news(self) -> bytes:
        """Return a message with all that is new since the last one; nobody else writes meanwhile.

        Of a file that has grown, only what was appended is sent.
        """
        found = dict(self._files())
        header: dict[str, Any] = {"files": [], "gone": sorted(self._sent.keys() - found.keys())}
        parts = []
        for name, path in sorted(found.items(), key=lambda item: _is_last(item[0])):
            before, stamp = self._sent.get(name), _stamp(path)
            if before is not None and before.stamp == stamp:
                continue
            with open_plain(path, "rb") as file:
                data = file.read()
            is_grown = before is not None and _digest(data[: before.size]) == before.digest
            keep = before.size if is_grown and before is not None else 0
            header["files"].append([name, keep, len(data) - keep])
            parts.append(data[keep:])
            self._sent[name] = _Sent(stamp, len(data), _digest(data))
        for name in header["gone"]:
            del self._sent[name]
        text = json.dumps(header).encode()
        return b"".join([len(text).to_bytes(_LENGTH_BYTES, "little"), text, *parts])

    def _files(self) -> Iterator[tuple[str, Path]]:
        for name in self._names:
            path = self._root / name
            if path.is_dir() and not path.is_symlink():
                yield from _below(path, name)
            elif path.is_file() and not path.is_symlink():
                yield name, path


def write_copies(root: Path, names: Iterable[str], message: bytes) -> None:
    """Write what a message brings.

    Args:
        root: the folder.
        names: the entries that the message may be about.
        message: of `OutgoingFiles.news`.

    Raises:
        RunError: it is damaged, or names a file elsewhere; nothing was written.
        OSError: a file cannot be written, or a link stands in its place.
    """
    files, gone, rest = _parsed(message, frozenset(names))
    at = 0
    for name, keep, size in files:
        path, data = root / name, rest[at : at + size]
        check_plain_folder(path.parent, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        if keep:
            _append(path, keep, data)
        else:
            write_atomically(path, bytes(data), sync=False)
        at += size
    for name in gone:
        check_plain_folder((root / name).parent, root)
        with contextlib.suppress(FileNotFoundError):
            (root / name).unlink()


def _append(path: Path, keep: int, data: memoryview) -> None:
    with open_plain(path, "r+b") as file:
        if os.fstat(file.fileno()).st_size < keep:
            raise RunError(f"Cannot write {path}: expected at least {keep} bytes in it, got less.")
        file.seek(keep)
        file.truncate()
        file.write(data)


def _parsed(
    message: bytes, names: frozenset[str]
) -> tuple[list[tuple[str, int, int]], list[str], memoryview]:
    end = _LENGTH_BYTES + int.from_bytes(message[:_LENGTH_BYTES], "little")
    if not _LENGTH_BYTES < end <= min(len(message), _MAX_HEADER_BYTES):
        raise _damaged("a header", f"{len(message)} bytes without one")
    try:
        header = parse_json(message[_LENGTH_BYTES:end])
        files = [(str(name), int(keep), int(size)) for name, keep, size in header["files"]]
        gone = [str(name) for name in header["gone"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise _damaged("files and their sizes", "another header") from None
    for name in (*(name for name, _, _ in files), *gone):
        _check_name(name, names)
    sizes = [size for _, _, size in files]
    if any(number < 0 for _, *numbers in files for number in numbers):
        raise _damaged("sizes from 0", shortened(sizes))
    if end + sum(sizes) != len(message):
        raise _damaged(f"{sum(sizes)} bytes of files", str(len(message) - end))
    return files, gone, memoryview(message)[end:]


def _check_name(name: str, names: frozenset[str]) -> None:
    parts = name.split("/")
    are_plain = all(
        part and not part.startswith(".") and part.isprintable() and len(part) <= _MAX_NAME
        and not set(part) & set('\\:*?"<>|')
        for part in parts
    )  # fmt: skip
    if not are_plain or len(parts) > _MAX_DEPTH or parts[0] not in names:
        raise _damaged("names of the member's files", shortened(name))


def _damaged(expected: str, got: str) -> RunError:
    return RunError(f"Cannot take a member's files from a worker: expected {expected}, got {got}.")


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        below = f"{name}/{path.name}"
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _below(path, below)
        elif stat.S_ISREG(path.lstat().st_mode):
            yield below, path


def _is_last(name: str) -> tuple[int, str]:
    """Checkpoints come after what they build on, and the state of the run at the very end."""
    if name.endswith("/run.json"):
        return 2, name
    return ("/checkpoints/" in name), name


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
