"""The folders in which machine code of compiled loops is kept."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.misc.appdirs import AppDirs

_CONFIG: Any = numba.config  # has no types
_LOGGER = logging.getLogger("bitfold")
_REMEDY = "Set NUMBA_CACHE_DIR to a folder that can be written."


class LoopFolders:
    """Where loops are looked for, and where they are written.

    Args:
        candidates: in the order in which they are used. Loops are read from all of them, also from
            one that cannot be written: another user may have filled it.
    """

    def __init__(self, candidates: tuple[Path, ...]) -> None:
        self.candidates = candidates
        self._writable: Path | None = None
        self._is_known = False

    def writable(self) -> Path | None:
        """Return the first folder that can be written; None if there is none, after a notice."""
        if not self._is_known:
            self._is_known = True
            self._writable = next(filter(_can_be_written, self.candidates), None)
            if self._writable is None:
                places = " or ".join(str(folder) for folder in self.candidates)
                self._notice(f"Cannot keep compiled loops in {places}")
        return self._writable

    def give_up(self, error: OSError) -> None:
        """Write no more loops in this process, because one could not be written."""
        if self._writable is not None:
            self._notice(f"Cannot keep compiled loops in {self._writable}: {error.strerror}")
        self._is_known, self._writable = True, None

    def _notice(self, reason: str) -> None:
        _LOGGER.warning("%s. Every process compiles them anew. %s", reason, _REMEDY)


@cache
def loop_folders() -> LoopFolders:
    """Return the folders of this process.

    ``NUMBA_CACHE_DIR`` alone if it is set; otherwise the package's own ``__pycache__``, then the
    user's folder for caches.
    """
    package = Path(__file__).parents[1]
    # As in Numba's own caches: two installations do not overwrite each other's loops.
    own = f"bitfold_{hashlib.sha256(str(package).encode()).hexdigest()[:16]}"
    if _CONFIG.CACHE_DIR:
        return LoopFolders((Path(_CONFIG.CACHE_DIR) / own,))
    users = Path(AppDirs("bitfold", appauthor=False).user_cache_dir)
    # Of a user without a home it begins with "~", and would be made in the current folder.
    of_user = (users / own,) if users.is_absolute() else ()
    return LoopFolders((package / "__pycache__", *of_user))


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
