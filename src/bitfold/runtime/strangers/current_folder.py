"""The folder in which a process stands, which somebody may have deleted.

PyTorch's library of mathematics looks for its own files from there while it is loaded, and ends the
process with a line about a file that is not at fault.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bitfold.errors import RunError


def check_current_folder() -> None:
    """Refuse to begin in a folder that was deleted, for a program: its paths start there.

    Raises:
        RunError: the current folder was deleted.
    """
    if _is_lost():
        raise RunError(
            "Cannot begin here: expected a current folder that exists, got one that was deleted. "
            "Change to another with `cd`."
        )


def leave_lost_folder() -> None:
    """Stand at the root if the current folder was deleted; for processes that bitfold starts."""
    if _is_lost():
        os.chdir(_ROOT)


@contextlib.contextmanager
def standing_somewhere() -> Iterator[None]:
    """Stand at the root within the block if the current folder was deleted, and there again after.

    Libraries can be loaded and loops compiled within.
    """
    if not _is_lost():
        yield
        return
    try:
        lost = os.open(".", os.O_RDONLY)
    except OSError:  # there is no way back
        yield
        return
    os.chdir(_ROOT)
    try:
        yield
    finally:
        os.fchdir(lost)
        os.close(lost)


def current_folder() -> Path | None:
    """Return the current folder; None if it was deleted or cannot be told."""
    try:
        return Path.cwd()
    except OSError:
        return None


_ROOT = Path(__file__).resolve().anchor


def _is_lost() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    except OSError:  # it exists, or so it seems
        return False
    return False
