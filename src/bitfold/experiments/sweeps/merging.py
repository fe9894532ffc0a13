"""Parts of a sweep that were trained in folders of their own, put together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bitfold.errors import ConfigError, RunError
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.record import SweepRecord, read_sweep_record
from bitfold.experiments.sweeps.sweep import Sweep, load_sweep
from bitfold.experiments.sweeps.table import NAME as TABLE_NAME
from bitfold.runtime.atomic_files import replacing
from bitfold.runtime.strangers.plain_files import check_plain_folder, check_size, open_plain
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.training import RunFolder

_TEMPORARY = ".bitfold-merging"


def merge_sweeps(parts: Sequence[str | Path], folder: str | Path) -> Sweep:
    """Copy the members of several parts of a sweep into one folder, and return the whole.

    The parts stay as they are. Parts that are missing leave their members to be trained; a later
    call adds them.

    Args:
        parts: folders of ``bitfold sweep --part i/n``, all with the same members.
        folder: of the whole sweep; a new one, or one that parts were merged into before.

    Raises:
        ConfigError: there are no parts, or they are not of the same sweep.
        RunError: a part is none, or a file cannot be copied.
    """
    path = absolute_path(folder)
    found = [load_sweep(part) for part in parts]
    if not found:
        raise ConfigError("Cannot merge parts of a sweep: expected at least one folder, got none.")
    before = read_sweep_record(path)
    first = before or _whole(found[0].record)
    for part in found:
        _check_same(first, part)
    place = RunFolder(path)
    place.make()
    with place.lock():
        ends = {} if before is None else dict(before.ends)
        for part in found:
            ends |= _copied(part, path, ends)
        merged = Sweep(path, first.with_ends(ends))
        merged.record.write(path)
        merged.table.write_csv(path / TABLE_NAME)
    return merged


def _whole(record: SweepRecord) -> SweepRecord:
    return SweepRecord(
        record.settings, record.varied, record.members, writes_files=record.writes_files
    )


def _check_same(whole: SweepRecord, part: Sweep) -> None:
    record = part.record
    if (record.settings, record.varied) != (whole.settings, whole.varied):
        names = {*record.settings, *whole.settings}
        name = next(
            (n for n in sorted(names) if record.settings.get(n) != whole.settings.get(n)), None
        )
        got = "other settings to vary" if name is None else f"another `{name}`"
        raise ConfigError(
            f"Cannot merge {part.path}: expected a part of the same sweep, got one with {got}."
        )
    if record.members != whole.members:
        raise ConfigError(
            f"Cannot merge {part.path}: expected a part of the same sweep, got one with other "
            "members. Give all parts the same plan."
        )


def _copied(part: Sweep, folder: Path, known: dict[str, MemberEnd]) -> dict[str, MemberEnd]:
    """Copy the members of a part that are not completed yet; return their ends."""
    ends = {}
    for member in part.members:
        end, before = part.end(member), known.get(member.name)
        if end is None or (before is not None and before.is_final):
            continue
        ends[member.name] = end
        try:
            check_plain_folder(part.path / member.name, part.path)
            if (part.path / member.name).is_dir():
                _copy_folder(part.path / member.name, folder / member.name)
            if end.file is not None:
                _copy_file(part.path / end.file, folder / end.file)
        except OSError as error:
            raise RunError(
                f"Cannot copy the member {member.name} of {part.path}: {error.strerror}. Make "
                "room, or restore it, then give the same command again."
            ) from None
    return ends


def _copy_folder(source: Path, destination: Path) -> None:
    """Copy a folder as a whole: a half of it is never seen under its name.

    Raises:
        OSError: something in it is no plain file or folder, or cannot be copied.
    """
    temporary = destination.parent / _TEMPORARY
    shutil.rmtree(temporary, ignore_errors=True)
    for at, folders, files in os.walk(source):
        here = Path(at)
        below = temporary / here.relative_to(source)
        below.mkdir(parents=True)
        for name in folders:
            check_plain_folder(here / name, source)
        for name in files:
            if name != ".lock":
                _copy_file(here / name, below / name)
    if destination.exists():  # a run that had failed before
        shutil.rmtree(destination)
    temporary.rename(destination)


def _copy_file(source: Path, destination: Path) -> None:
    with open_plain(source, "rb") as read:
        # A file with holes may say that it is larger than any disk; its copy would have none.
        check_size(read, shutil.disk_usage(destination.parent).free)
        with replacing(destination, sync=False) as written:
            shutil.copyfileobj(read, written)
