"""A frontier: networks of several lambdas and seeds, from the smallest file to the least error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bitfold.errors import ConfigError, RunError
from bitfold.experiments.frontiers.as_sweep import as_sweep, train_side_by_side
from bitfold.experiments.frontiers.figure import draw_frontier
from bitfold.experiments.frontiers.record import (
    FrontierPoint,
    FrontierRecord,
    Weight,
    read_record,
)
from bitfold.experiments.frontiers.training import (
    FrontierListener,
    PointEnded,
    PointStarted,
    measured_point,
    run_name,
    train_point,
)
from bitfold.experiments.goal import Goal
from bitfold.experiments.sweeps.engines.choice import EngineChoice
from bitfold.runtime.display.decibels import psnr_text
from bitfold.runtime.display.html_tables import html_table
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.targets import load_target
from bitfold.training import PLACES, Config, RunFolder, claimed_folder, load_run, settings_of

# Settings in which the networks of a frontier differ, and the log, which is each call's own.
_OWN = ("kolmogorov_weight", "seed", "output_dir", "log_file")
_STOPPED = ("interrupted", "terminated", "unsaved")
_INTERRUPTED = 130


@dataclass(frozen=True)
class Frontier:
    """A frontier and its folder.

    Args:
        path: the folder, with ``frontier.json``, runs, model files and figures.
        record: settings, networks and goal.
        exit_code: 0, or the exit code of the signal, or of the full disk, that stopped `frontier`
            before its end.
    """

    path: Path
    record: FrontierRecord
    exit_code: int = 0

    @property
    def points(self) -> tuple[FrontierPoint, ...]:
        """The networks that are done, in the order in which they were trained."""
        return self.record.points

    @property
    def missing(self) -> list[tuple[Weight, int]]:
        """Lambda and seed of each network that is still to be trained."""
        return self.record.missing()

    def front(self) -> list[FrontierPoint]:
        """Return the networks that no other network beats in size and error, by rising size."""
        return self.record.front()

    def best(self) -> FrontierPoint | None:
        """Return the network that reaches the goal best; None if none reaches it."""
        return self.record.best()

    def _repr_html_(self) -> str:
        front, best = self.front(), self.best()
        points = sorted(self.points, key=lambda p: (p.num_bytes is None, p.num_bytes or 0))
        rows = [
            (
                str(point.kolmogorov_weight),
                str(point.seed),
                "" if point.num_bytes is None else f"{point.num_bytes:,}",
                "" if point.error is None else f"{point.error:.4g}",
                "" if point.psnr_db is None else psnr_text(point.psnr_db),
                "best" if point == best else ("front" if point in front else point.status),
            )
            for point in points
        ]
        header = ("lambda", "seed", "bytes", "error", "PSNR of the picture", "")
        bold = [number for number, point in enumerate(points) if point == best]
        note = f"{len(self.missing)} networks are still to be trained." if self.missing else ""
        title = f"Frontier in {self.path}"
        return html_table(title, header, rows, num_left=0, note=note, emphasised=bold)


def frontier(
    config: Config,
    lambdas: Sequence[Weight] = (),
    seeds: Sequence[int] = (),
    folder: str | Path | None = None,
    *,
    goal: Goal | None = None,
    jobs: int = 1,
    listeners: Sequence[FrontierListener] = (),
) -> Frontier:
    """Train a network for each lambda and seed, write each as a model file, and compare them.

    The folder is that of a sweep over lambda and seed too: `bitfold.load_sweep` opens it.

    A call with the folder of an earlier frontier trains only the networks that are missing. Its
    lambdas and seeds are added to the earlier ones. A call that was interrupted, or killed, is
    continued by the same call, and ends with the same bytes as one that was never interrupted.

    Args:
        config: the settings of all networks; lambda, seed and folder in it are ignored.
        lambdas: values of ``Config.kolmogorov_weight``; a new frontier needs at least one.
        seeds: by default 0, for a new frontier.
        folder: by default a new dated one under ``runs/``.
        goal: what the best network is chosen by; by default the goal of the earlier call, or the
            least product of size and error, of those with at most twice the least error.
        jobs: networks that are trained at a time; each is coded and measured afterwards.
        listeners: called with `PointStarted`, every event of each training, and `PointEnded`. With
            several jobs, training itself is told by the events of a sweep.

    Returns:
        The frontier. Its ``exit_code`` is not 0 if a signal or a full disk stopped the training.

    Raises:
        ConfigError: a lambda, seed or goal is wrong, or a setting differs from the earlier ones.
        RunError: the folder is a run's, or cannot be written, or its record is damaged.
        TargetError: the picture cannot be loaded.
        ProcessError: several jobs are asked for, and no process can be started.

    Example:
        >>> import tempfile
        >>> from bitfold import Config
        >>> config = Config(target="disk", size=16, shape="[2]", points=50, epochs=1,
        ...     validation_points=20, measure_folds=0, audit=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = frontier(config, [0.01], [0], folder + "/curve")
        >>> [point.status for point in found.points], found.missing
        (['completed'], [])
    """
    EngineChoice(jobs).check()
    name = f"{Path(config.target).stem}-frontier"
    with nullcontext(folder) if folder else claimed_folder(Path("runs"), name) as given:
        path = absolute_path(given)
        record = _planned(path, config, tuple(lambdas), tuple(seeds), goal)
        return _train_planned(path, record, config, jobs, listeners)


def _train_planned(
    path: Path,
    record: FrontierRecord,
    config: Config,
    jobs: int,
    listeners: Sequence[FrontierListener],
) -> Frontier:
    place = RunFolder(path)
    place.make()
    with place.lock():
        record.write(path)
        exit_code = train_side_by_side(path, record, config, jobs, listeners)
        exit_code = exit_code or _train_missing(path, record, config, listeners)
        record = read_record(path) or record
        as_sweep(path, record, config).write(path)
        if record.front():
            draw_frontier(record, path)
    return Frontier(path, record, exit_code)


def load_frontier(folder: str | Path) -> Frontier:
    """Read the frontier in a folder; nothing is trained.

    Raises:
        RunError: there is none, or its record is damaged.
    """
    path = absolute_path(folder)
    record = read_record(path)
    if record is None:
        raise RunError(
            f"Cannot load the frontier in {path}: expected frontier.json, got a folder without it. "
            "Make one with bitfold.experiments.frontier."
        )
    return Frontier(path, record)


def _planned(
    path: Path,
    config: Config,
    lambdas: tuple[Weight, ...],
    seeds: tuple[int, ...],
    goal: Goal | None,
) -> FrontierRecord:
    """The record with all that is asked for, checked before anything is on disk."""
    if RunFolder(path).is_run():
        raise ConfigError(
            f"Cannot train a frontier in {path}: expected a folder of its own, got a run's. Choose "
            "another folder."
        )
    before, settings = read_record(path), _shared_settings(config)
    if before is not None:
        _check_same(before.settings, settings, path)
    elif not lambdas:
        raise ConfigError(
            "Cannot train a frontier: expected at least one lambda, got none. Give for example "
            "0.001."
        )
    for weight in lambdas:
        config.replace(kolmogorov_weight=weight)
    for seed in seeds:
        config.replace(seed=seed)
    task = load_target(config.target, size=config.size, task=config.task).task
    record = before or FrontierRecord(settings, seeds=seeds or (0,))
    if goal is not None and goal != Goal():
        record = replace(record, goal=Goal(goal.num_bytes, error=goal.max_error(task)))
    return replace(
        record,
        kolmogorov_weights=tuple(dict.fromkeys((*record.kolmogorov_weights, *lambdas))),
        seeds=tuple(dict.fromkeys((*record.seeds, *seeds))),
    )


def _shared_settings(config: Config) -> dict[str, Any]:
    """The settings that all networks share, as JSON holds them."""
    values = {name: getattr(config, name) for name, _, _ in settings_of(Config)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in _OWN and value is not None
    }


def _check_same(before: Mapping[str, Any], settings: Mapping[str, Any], folder: Path) -> None:
    for name in sorted({*before, *settings} - set(_OWN)):
        if before.get(name) != settings.get(name):
            raise ConfigError(
                f"Cannot continue the frontier in {folder}: expected `{name}` "
                f"{before.get(name)} as it was begun with, got {settings.get(name)}. Leave it out, "
                "or choose another folder."
            )


def _train_missing(
    folder: Path, record: FrontierRecord, config: Config, listeners: Sequence[FrontierListener]
) -> int:
    """Train and measure each missing network; return 0, or the exit code of a stop."""
    missing = record.missing()
    for number, (weight, seed) in enumerate(missing, 1):
        path = folder / run_name(weight, seed)
        own = config.replace(kolmogorov_weight=weight, seed=seed, output_dir=str(path))
        _tell(listeners, PointStarted(number, len(missing), own))
        try:
            ended = train_point(own, listeners)
            if ended.reason in _STOPPED:
                return ended.exit_code
            if ended.reason == "completed":
                point = measured_point(load_run(path, **_places(own)), weight, folder)
            else:
                point = FrontierPoint(weight, seed, path.name, ended.reason)
        except KeyboardInterrupt:
            return _INTERRUPTED
        record = record.with_point(point)
        record.write(folder)
        _tell(listeners, PointEnded(point))
    return 0


def _places(config: Config) -> dict[str, str]:
    return {name: getattr(config, name) for name in PLACES}


def _tell(listeners: Sequence[FrontierListener], event: PointStarted | PointEnded) -> None:
    for listener in listeners:
        listener(event)
