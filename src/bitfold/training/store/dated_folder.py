"""New folders of runs, named by date and time; no two processes get the same one."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bitfold.errors import RunError


@contextmanager
def claimed_folder(parent: Path, target: str) -> Iterator[Path]:
    """Make a folder that no other process has, named by date, time and target.

    Making a folder is atomic, so processes that start in the same second get folders of their own.
    When the block ends, the folder is removed again if it is still empty.

    Args:
        parent: folder of the new folder; made if it is missing.
        target: name or path of what is learned; its stem is part of the name.

    Yields:
        The path of the new folder.

    Raises:
        RunError: the folder cannot be made.
    """
    was_missing = not parent.exists()
    path = _make_first(parent, target)
    try:
        yield path
    finally:
        with suppress(OSError):  # it holds files
            path.rmdir()
            if was_missing:
                parent.rmdir()


def dated_folder(parent: Path, target: str) -> Path:
    """Return a folder that does not exist yet, named by date, time and target.

    Deprecated: another process may make the folder first. Use `claimed_folder`.
    """
    warnings.warn(
        "dated_folder is deprecated: two processes may get the same folder. Use claimed_folder.",
        DeprecationWarning,
        stacklevel=2,
    )
    return next(path for path in _candidates(parent, target) if not path.exists())


def _make_first(parent: Path, target: str) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for path in _candidates(parent, target):
            with suppress(FileExistsError):
                path.mkdir()
                return path
    except OSError as error:
        raise RunError(
            f"Cannot make a folder in {parent}: {error.strerror}. Make room, or choose another "
            "`output_dir`."
        ) from None
    raise AssertionError("candidates never end")


def _candidates(parent: Path, target: str) -> Iterator[Path]:
    """Yield the names of the present second, numbered from the second name on; they never end."""
    name = "".join(c if c.isalnum() else "-" for c in Path(target).stem).strip("-") or "run"
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    yield parent / f"{stamp}-{name}"
    number = 2
    while True:
        yield parent / f"{stamp}-{name}-{number}"
        number += 1
