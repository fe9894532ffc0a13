"""A sweep: many runs with one purpose, side by side in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bitfold.errors import ConfigError, RunError
from bitfold.experiments.sweeps.conductor import Conductor
from bitfold.experiments.sweeps.engines.choice import EngineChoice
from bitfold.experiments.sweeps.engines.cluster.ray_engine import RayPlace
from bitfold.experiments.sweeps.events import SweepListener, SweepStarted
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.plans.grid import Grid, Plan, planned
from bitfold.experiments.sweeps.plans.member import Member
from bitfold.experiments.sweeps.record import (
    NAME,
    SweepRecord,
    is_part,
    new_record,
    read_sweep_record,
)
from bitfold.experiments.sweeps.table import NAME as TABLE_NAME
from bitfold.experiments.sweeps.table import SweepTable, table_of
from bitfold.runtime.strangers.bounded_json import shortened
from bitfold.runtime.strangers.plain_files import check_plain_folder
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.training import (
    PLACES,
    Config,
    Run,
    RunFolder,
    claimed_folder,
    is_within,
    load_run,
)
from bitfold.training.watch.stop_request import StopRequest, stop_requests

#: Exit code of a sweep of which not every member was completed.
INCOMPLETE_EXIT_CODE = 1


@dataclass(frozen=True)
class Sweep:
    """A sweep and its folder.

    Args:
        path: the folder, with ``sweep.json``, ``sweep.csv`` and a run folder for each member.
        record: settings, members, and how each ended.
        stop_code: 0, or the exit code of the signal, or of the full disk, that stopped the call
            before its end.
    """

    path: Path
    record: SweepRecord
    stop_code: int = 0

    @property
    def table(self) -> SweepTable:
        """Settings, sizes, errors and metrics of the members, as columns."""
        return table_of(self.record)

    @property
    def members(self) -> tuple[Member, ...]:
        """The members that this folder trains."""
        return self.record.own_members

    @property
    def missing(self) -> list[Member]:
        """The members that are to be trained: the same call does."""
        return self.record.missing()

    @property
    def exit_code(self) -> int:
        """0 if every member was completed, 1 if not, or ``stop_code``."""
        ends = [self.record.ends.get(member.name) for member in self.members]
        is_whole = all(end is not None and end.is_completed for end in ends)
        return self.stop_code or (0 if is_whole else INCOMPLETE_EXIT_CODE)

    def end(self, member: Member | str) -> MemberEnd | None:
        """Return how a member ended; None if it is still to be trained."""
        return self.record.ends.get(member if isinstance(member, str) else member.name)

    def run(self, member: Member | str) -> Run:
        """Open the run of a member.

        Raises:
            RunError: there is no such member, or its folder is gone or leads elsewhere.
        """
        name = member if isinstance(member, str) else member.name
        if name not in {one.name for one in self.record.members}:
            raise RunError(f"Cannot open {name[:100]!r} of {self.path}: it is no member's name.")
        try:
            check_plain_folder(self.path / name, self.path)
        except OSError as error:
            raise RunError(f"Cannot open {self.path / name}: {error.strerror}.") from None
        return load_run(self.path / name)

    def __repr__(self) -> str:
        counts = _counts(self.record)
        told = ", ".join(f"{number} {status}" for status, number in counts.items())
        return f"Sweep({str(self.path)!r}: {told})"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def sweep(
    config: Config | None,
    grid: Grid = (),
    folder: str | Path | None = None,
    *,
    combinations: Sequence[Mapping[str, Any]] = (),
    jobs: int | None = None,
    isolate: bool = False,
    ray: RayPlace | None = None,
    files: bool = True,
    part: tuple[int, int] | None = None,
    listeners: Iterable[SweepListener] = (),
) -> Sweep:
    """Train a member for each combination of values, several at a time, and compare them.

    The same call goes on where an earlier one was stopped or killed. Members of the earlier calls
    that are not in the plan stay, and are trained too. Results are the same, bit for bit, for any
    number of ``jobs``, on one machine with the same versions.

    Args:
        config: the settings that are not varied. A member has one thread unless it says otherwise.
            None takes those of the sweep in ``folder``.
        grid: names of settings to values, of which all combinations are trained; or a list of
            combinations.
        folder: by default a new dated one under ``runs/``.
        combinations: settings that belong together; each is combined with the whole grid.
        jobs: members at a time; by default as many as fit on the processor's cores.
        isolate: whether members have a process also where one is trained at a time, so that one
            that crashes ends alone.
        ray: where Ray trains the members, on this machine or a cluster; their files come to
            ``folder`` at each checkpoint. None for this machine, without Ray.
        files: whether completed members are coded as model files, whose size and error are in the
            table.
        part: (i, n) trains the i-th of n parts of the members, in a folder of its own;
            `merge_sweeps` puts the parts together.
        listeners: called with each event of the sweep, in this thread.

    Returns:
        The sweep. Its ``exit_code`` is 0 if every member was completed.

    Raises:
        ConfigError: a name, a value or a combination is wrong; there are no members, or too many;
            or shared settings differ from those that the folder's sweep was begun with.
        RunError: the folder is a run's, another sweep trains in it, it cannot be written, or Ray
            cannot be reached.
        ProcessError: processes are asked for, and none can be started.

    Example:
        >>> import tempfile
        >>> from bitfold import Config
        >>> config = Config(target="disk", size=16, shape="[2]", points=50, epochs=1,
        ...     validation_points=20, measure_folds=0, audit=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = sweep(config, {"seed": range(2)}, folder + "/seeds")
        >>> found.table["member"], found.table["status"]
        (['seed-0', 'seed-1'], ['completed', 'completed'])
    """
    choice = EngineChoice(jobs, isolate, ray)
    choice.check()
    _check_part(part)
    name = "sweep" if config is None else f"{Path(config.target).stem}-sweep"
    with nullcontext(folder) if folder else claimed_folder(Path("runs"), name) as given:
        path = absolute_path(given)
        record = _planned(path, config, grid, combinations, files=files, part=part)
        place = RunFolder(path)
        place.make()
        with place.lock():
            record.write(path)
            stop_code = _train(path, record, choice, tuple(listeners))
            found = Sweep(path, read_sweep_record(path) or record, stop_code)
            found.table.write_csv(path / TABLE_NAME)
    return found


def load_sweep(folder: str | Path) -> Sweep:
    """Read the sweep in a folder; nothing is trained.

    Raises:
        RunError: there is none, or its record is damaged.
    """
    path = absolute_path(folder)
    record = read_sweep_record(path)
    if record is None:
        raise RunError(
            f"Cannot load the sweep in {path}: expected {NAME}, got a folder without it. Make one "
            "with `bitfold sweep`."
        )
    return Sweep(path, record)


def _check_part(part: tuple[int, int] | None) -> None:
    if part is not None and not is_part(part):
        raise ConfigError(
            f"Cannot train part {shortened(str(part))} of a sweep: expected two numbers i and n "
            "with 1 <= i <= n. Write for example 1/8."
        )


def _planned(
    path: Path,
    config: Config | None,
    grid: Grid,
    combinations: Sequence[Mapping[str, Any]],
    *,
    files: bool,
    part: tuple[int, int] | None,
) -> SweepRecord:
    """The record with all that is asked for, checked before anything is on disk."""
    if RunFolder(path).is_run():
        raise ConfigError(
            f"Cannot train a sweep in {path}: expected a folder of its own, got a run's. Choose "
            "another folder."
        )
    before = read_sweep_record(path)
    if before is None:
        if config is None:
            raise RunError(f"Cannot continue the sweep in {path}: there is no {NAME}.")
        plan = planned(config, combinations, grid)
        return new_record(plan, writes_files=files, part=part)
    if part is not None and part != before.part:
        raise ConfigError(
            f"Cannot train part {part[0]}/{part[1]} in {path}: expected "
            f"{'the whole sweep' if before.part is None else '{}/{}'.format(*before.part)} as it "
            "was begun with. Give each part a folder of its own."
        )
    shared = _kept_settings(before, path) if config is None else config
    if not grid and not combinations:
        alone = shared.replace(threads=shared.threads or 1)
        return before.extended(Plan(alone, (), ()), path)
    return before.extended(planned(shared, combinations, grid), path)


def _kept_settings(record: SweepRecord, path: Path) -> Config:
    """The settings of a record, which may be a stranger's: members keep their files to themselves.

    Raises:
        ConfigError: they name a folder elsewhere, which only the caller may.
    """
    shared = record.shared_config()
    for name in PLACES:
        if not is_within(getattr(shared, name)):
            raise ConfigError(
                f"Cannot continue the sweep in {path}: expected a folder within each run as "
                f"`{name}`, got {getattr(shared, name)!r} in its record. If it is yours, give the "
                "settings again."
            )
    return shared


def _train(
    path: Path,
    record: SweepRecord,
    choice: EngineChoice,
    listeners: tuple[SweepListener, ...],
) -> int:
    """Train what is missing; return 0, or the exit code of what stopped it."""
    missing, shared = _missing(path, record), record.shared_config()
    event = SweepStarted(path, len(record.own_members), len(missing), 1)
    request = StopRequest()
    with ExitStack() as engines:
        if missing:
            engines.enter_context(stop_requests(request))
            configs = [member.config(shared) for member in missing]
            engine = engines.enter_context(choice.engine(configs))
            event = replace(event, jobs=engine.jobs)
        for listener in listeners:
            listener(event)
        if not missing:
            return 0
        return Conductor(path, record, engine, listeners, request).train(missing, shared)


def _missing(path: Path, record: SweepRecord) -> list[Member]:
    """The members that are to be trained: those, too, whose folder was deleted."""
    open_names = {member.name for member in record.missing()}
    return [
        member
        for member in record.own_members
        if member.name in open_names or not (path / member.name).is_dir()
    ]


def _counts(record: SweepRecord) -> dict[str, int]:
    counts: dict[str, int] = {}
    for member in record.own_members:
        end = record.ends.get(member.name)
        status = "missing" if end is None else end.status
        counts[status] = counts.get(status, 0) + 1
    return counts
