"""The runs that a comparison shows: members of sweeps, and runs on their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bitfold.errors import BitfoldError, ConfigError
from bitfold.experiments.quality import measure_quality
from bitfold.experiments.run_coding import code_run
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import measured_end, with_quality
from bitfold.experiments.sweeps.plans.grid import MOST_MEMBERS
from bitfold.experiments.sweeps.plans.member import as_json
from bitfold.experiments.sweeps.record import NAME
from bitfold.experiments.sweeps.sweep import load_sweep
from bitfold.runtime.strangers.plain_files import is_plain
from bitfold.training import Config, Run, load_run, settings_of

# Differences that say where files lie, not how a run was trained.
_PLACES: Final = frozenset({
    "output_dir", "log_file", "checkpoint_dir", "snapshot_dir", "tensorboard",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Entry:
    """One run of a comparison.

    Args:
        name: of its folder, with the sweep's where several are shown.
        settings: name to value, of those in which the runs differ.
        end: how it ended, and what was measured.
        run: the run; None if its folder is gone.
    """

    name: str
    settings: dict[str, Any]
    end: MemberEnd
    run: Run | None


def gather_entries(paths: Sequence[str | Path]) -> list[Entry]:
    """Return the members of sweeps, and runs, in the order in which they are given.

    Raises:
        ConfigError: there are none, or too many.
        RunError: a folder holds neither run nor sweep.
    """
    if not paths:
        raise ConfigError("Cannot compare runs: expected folders of sweeps or runs, got none.")
    found: list[Entry] = []
    for given in paths:
        path = Path(given)
        prefix = f"{path.name}/" if len(paths) > 1 else ""
        if is_plain(path / NAME):
            found += _members(path, prefix)
        else:
            found.append(_alone(path))
    if not 1 <= len(found) <= MOST_MEMBERS:
        raise ConfigError(
            f"Cannot compare {len(found):,} runs: expected 1 to {MOST_MEMBERS:,}. Train some "
            "members first, or give fewer folders."
        )
    return _with_settings(found)


def _members(path: Path, prefix: str) -> list[Entry]:
    sweep, found = load_sweep(path), []
    for member in sweep.members:
        end = sweep.end(member)
        if end is None:
            continue
        try:
            run: Run | None = sweep.run(member)
        except BitfoldError:
            run = None  # its numbers are in the record
        found.append(Entry(prefix + member.name, dict(member.settings), end, run))
    return found


def _alone(path: Path) -> Entry:
    """A run on its own, whose network is coded to know its size."""
    run = load_run(path)
    status = str(run.status.get("status") or "unknown")
    end = replace(measured_end(run), status=status)
    if run.epochs():
        coded = code_run(run)
        end = with_quality(end, len(coded.data), measure_quality(run.target, coded.network))
    return Entry(path.resolve().name, {}, end, run)


def _with_settings(found: list[Entry]) -> list[Entry]:
    """Give each run the settings in which the runs differ, where the record does not have them."""
    named = list(dict.fromkeys(name for entry in found for name in entry.settings))
    configs = [entry.run.config for entry in found if entry.run is not None]
    has_others = any(not entry.settings for entry in found)
    if has_others:
        for name, _, _ in settings_of(Config):
            values = {str(getattr(config, name)) for config in configs}
            if len(values) > 1 and name not in named and name not in _PLACES:
                named.append(name)
    return [replace(entry, settings=_settings(entry, named)) for entry in found]


def _settings(entry: Entry, named: Sequence[str]) -> dict[str, Any]:
    config = entry.run.config if entry.run is not None else None
    return {
        name: entry.settings.get(name, None if config is None else as_json(getattr(config, name)))
        for name in named
    }
