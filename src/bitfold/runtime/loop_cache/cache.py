"""Machine code of compiled loops on disk, in the format of Numba's own caches.

Numba's own cache notices only a change of the loop's own file, trusts every file that it finds, and
fails where none can be written. This cache names files by `digest_of`, checks them, and does
without them.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import IndexDataCacheFile, _Cache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher

from bitfold.runtime.loop_cache.digest import digest_of
from bitfold.runtime.loop_cache.folders import loop_folders

_LOGGER = logging.getLogger("bitfold")
# A process that has ended holds no lock, so only a halted one is waited for so long.
_LOCK_SECONDS = 300.0
_LOCK_POLL_SECONDS = 0.02


class LoopCache(_Cache):
    """Loads and saves the machine code of one loop.

    Guarantees: a file that is damaged or cut off counts as missing. A disk that cannot be written
    costs time alone: after a notice, the process keeps its loops in memory.

    Args:
        loop: the loop.
        variant: empty, or a suffix for code that differs from the usual code of the loop.
    """

    def __init__(self, loop: Dispatcher, variant: str = "") -> None:
        self._loop, self._variant = loop, variant
        self._is_enabled, self._is_locking = True, False
        self._held: Any = None

    @property
    def cache_path(self) -> str | None:
        """The folder in which the loop would be written."""
        folder = loop_folders().writable()
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for a signature; None if it is not on disk and must be compiled.

        Within `locking`, a process that compiles the loop is waited for.
        """
        target_context.refresh()
        found = self._load(sig, target_context)
        if found is None and self._lock():
            found = self._load(sig, target_context)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the code for a signature, if a folder can be written."""
        folder = loop_folders().writable()
        if not self._is_enabled or folder is None or data.library.has_dynamic_globals:
            return
        try:
            key = sig, data.codegen.magic_tuple()
            self._file(folder).save(key, data._reduce())
            self._delete_outdated(folder)
        except OSError as error:
            loop_folders().give_up(error)

    def is_stored(self) -> bool:
        """Whether the code for any signature is on disk."""
        name = f"{self._file_name()}.nbi"
        return any((folder / name).exists() for folder in loop_folders().candidates)

    @contextlib.contextmanager
    def locking(self) -> Iterator[None]:
        """While a block lasts, let no other process compile a loop that is not on disk."""
        self._is_locking = True
        try:
            yield
        finally:
            self._is_locking = False
            self._unlock()

    def enable(self) -> None:
        """Load and save from now on."""
        self._is_enabled = True

    def disable(self) -> None:
        """Neither load nor save from now on."""
        self._is_enabled = False

    def flush(self) -> None:
        """Forget the code on disk."""
        folder = loop_folders().writable()
        if folder is not None:
            self._file(folder).flush()

    def _load(self, sig: Any, target_context: Any) -> Any:
        key = sig, target_context.codegen().magic_tuple()
        for folder in loop_folders().candidates if self._is_enabled else ():
            try:
                data = self._file(folder).load(key)
                if data is not None:
                    return CompileResult._rebuild(target_context, *data)
            except Exception:  # pickle raises anything where a file is damaged
                _warn_of_damage(folder)
        return None

    def _lock(self) -> bool:
        """Wait for whoever compiles the loop; return whether it may be on disk since."""
        folder = loop_folders().writable()
        if folder is None or not self._is_locking:
            return False
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only who compiles needs it

        self._held = FileLock(folder / f"{self._file_name()}.lock")
        # Where the file system has no locks, the loop may be compiled twice.
        with contextlib.suppress(OSError, NotImplementedError, Timeout):
            self._held.acquire(timeout=_LOCK_SECONDS, poll_interval=_LOCK_POLL_SECONDS)
        return True

    def _unlock(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        if held.is_locked and self.is_stored():
            # Whoever waits for this lock finds the code on disk and compiles nothing.
            with contextlib.suppress(OSError):
                Path(held.lock_file).unlink()
        held.release()

    def _file(self, folder: Path) -> IndexDataCacheFile:
        return _CheckedFile(str(folder), self._file_name(), digest_of(self._loop))

    def _file_name(self) -> str:
        return f"{self._name()}-{digest_of(self._loop)}.{sys.implementation.cache_tag}"

    def _name(self) -> str:
        function = self._loop.py_func
        name = f"{function.__module__}.{function.__qualname__}".removeprefix("bitfold.")
        return name.replace("<", "").replace(">", "") + self._variant

    def _delete_outdated(self, folder: Path) -> None:
        """Delete the code of earlier versions of the loop."""
        for path in folder.glob(f"{self._name()}-*.{sys.implementation.cache_tag}.*"):
            if not path.name.startswith(self._file_name()):
                path.unlink(missing_ok=True)


@cache
def _warn_of_damage(folder: Path) -> None:
    _LOGGER.warning("A compiled loop in %s is damaged. It is compiled anew.", folder)


class _CheckedFile(IndexDataCacheFile):
    """A file of Numba's cache whose machine code is followed by a checksum."""

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except OSError:  # there is no such folder, or it cannot be read
            return {}
        except Exception:
            _warn_of_damage(Path(self._cache_path))
            return {}

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(content + hashlib.sha256(content).digest())

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        # Numba reads no further than its own data reaches.
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise ValueError("the checksum is wrong")
        return super()._load_data(name)
