"""The folder of a run: the paths of its files, and the lock that guards them."""

from __future__ import annotations

import datetime
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import Timeout
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bitfold.errors import ConfigError, RunError, TargetError
from bitfold.runtime.atomic_files import delete_temporary_files, write_atomically
from bitfold.runtime.installed_version import installed_version
from bitfold.runtime.strangers.bounded_json import parse_json
from bitfold.runtime.strangers.lock_files import locked
from bitfold.runtime.strangers.plain_files import is_plain, read_plain
from bitfold.targets import Split, Target, read_target, write_target
from bitfold.training.config.config_file import config_toml, read_config
from bitfold.training.config.configuration import Config
from bitfold.training.store.checkpoints import checkpoint_paths
from bitfold.training.store.run_places import PLACES, checked_place, is_within
from bitfold.training.store.unwritable import unwritable

_MAX_STATUS_BYTES, _MAX_SPLIT_BYTES = 2**20, 2**31

# Overwriting a run deletes its own files alone: those that a continued run appends to, and others.
_CONTINUED_FILES = (
    "metrics.jsonl", "trajectory.bin", "changes.jsonl", "video.mp4", "video.previous.mp4",
)  # fmt: skip
# The configuration goes last: until then the folder counts as a run, which can be overwritten.
_OWN_FILES = (
    *_CONTINUED_FILES, "audit.txt", "loss.png", "last_frame.png", "report.html", "run.json",
    "target.safetensors", "split.safetensors", "config.toml",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run's files; docs/run-folder.md describes each file.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The configuration, written last when a run is made: a folder that has it is a run."""
        return self.path / "config.toml"

    @property
    def status(self) -> Path:
        """The status of the run, and the versions and machine it ran on, as JSON."""
        return self.path / "run.json"

    @property
    def audit(self) -> Path:
        """The findings of each gradient audit."""
        return self.path / "audit.txt"

    @property
    def target(self) -> Path:
        """The picture or clip as it was loaded."""
        return self.numbered_target(0)

    def numbered_target(self, number: int) -> Path:
        """The picture or clip that a change made; number 0 is the one that the run began with."""
        return self.path / _numbered("target", number)

    @property
    def split(self) -> Path:
        """The training and validation points."""
        return self.numbered_split(0)

    def numbered_split(self, number: int) -> Path:
        """The points that a change drew; number 0 are those that the run began with."""
        return self.path / _numbered("split", number)

    @property
    def changes(self) -> Path:
        """The settings and targets that were changed while the run trained, one change a line."""
        return self.path / "changes.jsonl"

    @property
    def metrics(self) -> Path:
        """The metrics, one line per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def trajectory(self) -> Path:
        """The weights at the frame epochs."""
        return self.path / "trajectory.bin"

    def is_run(self) -> bool:
        """Whether the folder holds a run."""
        return is_plain(self.config)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder against training by other processes while the block lasts.

        Where the file system has no locks, nothing is locked.

        Raises:
            RunError: another process holds the lock, or the folder cannot be written.
        """
        with ExitStack() as stack:
            self._enter_lock(stack)
            yield

    def _enter_lock(self, stack: ExitStack) -> None:
        try:
            stack.enter_context(locked(self.path / ".lock", 0))
        except Timeout:
            raise RunError(
                f"Cannot train in {self.path}: another process is training there. Wait for it, or "
                "choose another `output_dir`."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None

    def make(self) -> None:
        """Create the folder.

        Raises:
            RunError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def clear(self, config: Config, *, overwrite: bool) -> None:
        """Make sure that a new run finds no files of an earlier one; the folder is locked.

        Args:
            config: configuration of the new run.
            overwrite: whether a run in this folder may be deleted; other files never are.

        Raises:
            RunError: the folder holds a run that may not be deleted, or files of another run have
                the paths of the new run's. They are left alone.
        """
        if self.is_run() and not overwrite:
            raise RunError(
                f"Cannot start a run in {self.path}: the folder holds a run. Continue it with "
                f"`bitfold resume {self.path}`, choose another `output_dir`, or give "
                "`overwrite=True`."
            )
        if overwrite:
            try:
                self.delete(config)
            except OSError as error:
                raise self._unwritable(error) from None
        # The remaining files may belong to runs that share an absolute folder.
        for file in self._results(config):
            raise RunError(
                f"Cannot start a run in {self.path}: {file} belongs to another run. Choose another "
                "`output_dir`, `checkpoint_dir` or `snapshot_dir`, or move it away."
            )

    def delete(self, new: Config | None = None) -> None:
        """Delete the files of the run, and no others.

        Args:
            new: the configuration of the run that takes its place. Files outside the folder are
                deleted only in the places that this one names too.

        Raises:
            OSError: a file cannot be deleted.
        """
        try:
            old = read_config(self.config)
        except ConfigError:
            old = Config()
        named = [name for name in PLACES if is_within(getattr(old, name))]
        own = {name: getattr(old, name) for name in named}
        for file in self._results((new or Config()).replace(**own)):
            file.unlink()
        delete_temporary_files(self.path)
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        for pattern in ("target-*.safetensors", "split-*.safetensors"):
            for file in self.path.glob(pattern):
                file.unlink()
        for name in _OWN_FILES:
            (self.path / name).unlink(missing_ok=True)

    def _results(self, config: Config) -> Iterator[Path]:
        """Yield the existing files that a run of this configuration would continue."""
        for name in _CONTINUED_FILES:
            if (self.path / name).exists():
                yield self.path / name
        checkpoints, frames = (
            checked_place(self.path, name, getattr(config, name), is_users=True) for name in PLACES
        )
        yield from checkpoint_paths(checkpoints)
        yield from sorted(frames.glob("frame-*"))

    def write_new(self, config: Config, target: Target, split: Split) -> None:
        """Write the files that a run begins with.

        Raises:
            RunError, TargetError: a file cannot be written; none of the files is left behind.
        """
        try:
            write_target(self.target, target)
            self.write_split(split)
            self.write_status({"status": "new", "started": _now(), **_versions()})
            self.write_config(config)
        except (OSError, TargetError) as error:
            for name in _OWN_FILES:
                (self.path / name).unlink(missing_ok=True)
            raise (self._unwritable(error) if isinstance(error, OSError) else error) from None

    def write_split(self, split: Split, number: int = 0) -> None:
        """Write training and validation points.

        Raises:
            OSError: they cannot be written.
        """
        arrays = {"training": split.training, "validation": split.validation}
        write_atomically(self.numbered_split(number), save(arrays))

    def _unwritable(self, error: OSError) -> RunError:
        return unwritable(self.path, error, then="try again, or choose another folder")

    def write_config(self, config: Config) -> None:
        """Write the configuration.

        Raises:
            OSError: it cannot be written.
        """
        write_atomically(self.config, config_toml(config).encode())

    def read_config(self) -> Config:
        """Read the configuration, with this folder as its ``output_dir``.

        Raises:
            RunError: the folder holds no run.
        """
        if not self.is_run():
            raise RunError(
                f"Cannot open run {self.path}: expected the folder of a run, got one without "
                "config.toml. Give a folder that training made, such as one in runs/."
            )
        return read_config(self.config).replace(output_dir=str(self.path))

    def read_target(self, number: int = 0) -> Target:
        """Read the picture or clip of a number.

        Raises:
            TargetError: the file is missing or damaged.
        """
        return read_target(self.numbered_target(number))

    def read_split(self, number: int = 0) -> Split:
        """Read the training and validation points of a number.

        Raises:
            RunError: the file is missing or damaged.
        """
        path = self.numbered_split(number)
        try:
            arrays = load(read_plain(path, _MAX_SPLIT_BYTES))
            points = [np.array(arrays[name]) for name in ("training", "validation")]
            if any(part.dtype != np.int64 or part.ndim != 1 for part in points):
                raise ValueError("its arrays are not pixel indices")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RunError(
                f"Cannot read split {path}: it is missing or damaged ({reason}). Restore it "
                "from a copy of the run."
            ) from None
        return Split(*points)

    def read_status(self) -> dict[str, Any]:
        """Read the status of the run; empty if there is no readable ``run.json``."""
        try:
            status = parse_json(read_plain(self.status, _MAX_STATUS_BYTES))
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) else {}

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Write the status of the run.

        Raises:
            OSError: it cannot be written.
        """
        write_atomically(self.status, json.dumps(dict(status), indent=2).encode())


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number:04d}.safetensors" if number else f"{name}.safetensors"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    return {
        "bitfold": installed_version("bitfold"),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
