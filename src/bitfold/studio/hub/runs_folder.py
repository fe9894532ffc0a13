"""The folder of runs: names that pages may say, and the paths that only the server knows."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bitfold.errors import BitfoldError, StudioError
from bitfold.runtime.strangers.bounded_json import shortened
from bitfold.training.run.record import RunRecord

_TRASH, _PICTURES = ".trash", ".pictures"
_MOST_RUNS = 1000


class RunsFolder:
    """The runs that a studio shows.

    Args:
        folder: of the runs; new ones are made in it.
        given: runs elsewhere that the user has named.
    """

    def __init__(self, folder: Path, given: Sequence[Path] = ()) -> None:
        self.folder = folder
        self._given: dict[str, Path] = {}
        self._first = next(iter([self._take(path) for path in given]), "")

    def _take(self, path: Path) -> str:
        """Show a run that the user has named; return the name that pages give it."""
        inside = {one.name: one.resolve() for one in self._inside()}
        place = path.resolve()
        if inside.get(place.name) == place:
            return place.name
        name = _free_name(place.name, {*inside, *self._given})
        self._given[name] = path
        return name

    def first(self) -> str:
        """Return the name of the run to show first: one that the user has named, or the newest."""
        return self._first or next(iter(self.names()), "")

    def names(self) -> list[str]:
        """Return the names of all runs, the newest first."""
        found = {path.name: path for path in self._inside()} | self._given
        newest = sorted(found, key=lambda name: _changed_seconds(found[name]), reverse=True)
        return newest[:_MOST_RUNS]

    def path(self, name: str) -> Path:
        """Return the folder of a run.

        Raises:
            StudioError: there is no run of this name.
        """
        if name in self._given:
            return self._given[name]
        for path in self._inside():
            if path.name == name:
                return path
        raise StudioError(f"Cannot open run {shortened(name)}: there is none of this name.")

    def claim(self, name: str) -> Path:
        """Make the folder of a new run, whose name begins with ``name``.

        Raises:
            StudioError: the folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, _MOST_RUNS):
                path = self.folder / (name if number == 1 else f"{name}-{number}")
                if path.name in self._given:
                    continue
                with suppress(FileExistsError):
                    path.mkdir()
                    return path
        except OSError as error:
            raise StudioError(
                f"Cannot make a run in {self.folder}: {error.strerror}. Choose another --folder."
            ) from None
        raise StudioError(f"Cannot make a run {name}: there are {_MOST_RUNS} of this name.")

    @property
    def pictures(self) -> Path:
        """The folder of the pictures that pages have dropped."""
        return self.folder / _PICTURES

    def discard(self, name: str) -> Path:
        """Move a run to the trash folder; return where it lies now.

        Raises:
            StudioError: there is no such run, or it lies elsewhere.
        """
        if name in self._given:
            raise StudioError(
                f"Cannot delete {name}: expected a run in {self.folder}, got one elsewhere. Delete "
                "its folder yourself."
            )
        path, trash = self.path(name), self.folder / _TRASH
        trash.mkdir(parents=True, exist_ok=True)
        place = trash / path.name
        for number in range(2, _MOST_RUNS):
            if not place.exists():
                break
            place = trash / f"{path.name}-{number}"
        shutil.move(path, place)
        return place

    def all_facts(self) -> list[dict[str, Any]]:
        """Return what the list of runs says of each, the newest first."""
        return [self.facts(name) for name in self.names()]

    def facts(self, name: str) -> dict[str, Any]:
        """Return what the list of runs says of one."""
        try:
            run = RunRecord.open(self.path(name))
            status = run.status
        except BitfoldError as error:
            return {"run": name, "problem": str(error)}
        config = run.config
        return {
            "run": name,
            "target": config.target,
            "shape": config.shape,
            "status": status.get("status"),
            "epoch": status.get("epoch"),
            "parent": status.get("parent"),
            "parent_epoch": status.get("parent_epoch"),
        }

    def _inside(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [
            path
            for path in self.folder.iterdir()
            if not path.name.startswith(".")
            and not path.is_symlink()
            and (path / "config.toml").is_file()
        ]


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, numbered if another run has it."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def _changed_seconds(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
