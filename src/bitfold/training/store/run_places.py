"""The folders that a run's settings name: within the run, or elsewhere if its user says so.

A run's folder may come from anybody, and with it the settings in its ``config.toml``. They never
decide that something outside the run is written or read; who calls bitfold may.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from bitfold.errors import RunError
from bitfold.runtime.strangers.plain_files import check_plain_folder
from bitfold.runtime.strangers.user_paths import absolute_path

#: The settings that name folders of a run.
PLACES = ("checkpoint_dir", "snapshot_dir")


def is_within(name: str) -> bool:
    """Whether a setting names a folder within the run's own.

    >>> is_within("checkpoints"), is_within("../other"), is_within("/tmp/other")
    (True, False, False)
    """
    path = PurePath(name)
    return not (name.startswith("~") or path.anchor or ".." in path.parts)


def place_of(run: Path, name: str) -> Path:
    """Return a folder of a run: within it, or named after it within an absolute path."""
    if is_within(name):
        return run / name
    if PurePath(name).anchor or name.startswith("~"):
        return absolute_path(name) / run.name
    return absolute_path(run / name)


def checked_place(run: Path, setting: str, name: str, *, is_users: bool) -> Path:
    """Return a folder of a run that may be read and written.

    Args:
        run: the run's folder.
        setting: the setting's name, for errors.
        name: its value.
        is_users: whether who calls bitfold has named the folder, and not ``config.toml`` alone.

    Raises:
        RunError: the folder lies outside the run, or a link leads out of it.
    """
    if not is_within(name):
        if is_users:
            return place_of(run, name)
        raise RunError(
            f"Cannot use the run {run} without `{setting}`: expected a folder within the run, got "
            f"{name!r} in its config.toml, which may be a stranger's. If it is yours, repeat "
            f"`{setting}='{name}'`."
        )
    return own_folder(run, name)


def own_folder(run: Path, name: str) -> Path:
    """Return a folder within a run's, which may be missing.

    Raises:
        RunError: a link leads out of the run, or something else has the name.
    """
    path = run / name
    try:
        check_plain_folder(path, run)
    except OSError as error:
        raise RunError(f"Cannot use {path}: {error.strerror}. Move it away.") from None
    return path
