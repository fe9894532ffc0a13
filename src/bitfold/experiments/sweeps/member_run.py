"""One member of a sweep: trained to its end, or trained further, then coded and measured."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bitfold.errors import BitfoldError, RunError, printable
from bitfold.experiments.own_runs import begun_or_continued
from bitfold.experiments.quality import Quality, measure_quality
from bitfold.experiments.run_coding import code_run
from bitfold.experiments.sweeps.member_end import STOPPED, MemberEnd
from bitfold.experiments.sweeps.plans.member import as_json
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.strangers.plain_files import check_plain_folder
from bitfold.training import (
    PLACES,
    Config,
    Event,
    Listener,
    Run,
    RunEnded,
    RunFolder,
    Session,
    load_run,
    settings_of,
    train_to_the_end,
)
from bitfold.training.watch.stop_request import StopRequest

#: Seconds for which a member waits for a killed sweep's process to let its folder go.
LOCK_PATIENCE_SECONDS: Final = 20.0
_LOCK_INTERVAL_SECONDS = 0.1
_MAX_REASON = 500
# Settings that a run fills in for itself where they have their default, and those that are another
# path on another machine.
_FILLED: Final = ("task", "output_dir", "log_file")
_ELSEWHERE: Final = ("output_dir", "log_file")


@dataclass(frozen=True)
class MemberTask:
    """All that an engine needs to train a member.

    Args:
        name: of the member.
        config: of its run, with its folder as ``output_dir``.
        writes_file: whether a completed run is coded as a model file.
    """

    name: str
    config: Config
    writes_file: bool = True

    @property
    def path(self) -> Path:
        """The folder of the run."""
        assert self.config.output_dir is not None
        return Path(self.config.output_dir)


@dataclass
class MemberStop:
    """Asks the training of members to end after the epoch in hand.

    Args:
        reason: ``interrupted`` or ``terminated``; None before a request.
        exit_code: of the signal.
    """

    reason: str | None = None
    exit_code: int = 0
    _requests: list[StopRequest] = field(default_factory=list)

    def follow(self, request: StopRequest) -> None:
        """Hand requests on to a session."""
        self._requests.append(request)
        if self.reason is not None:
            request.ask(self.reason, self.exit_code)

    def drop(self, request: StopRequest) -> None:
        """Forget a session that is over."""
        self._requests.remove(request)

    def ask(self, reason: str, exit_code: int) -> None:
        """Ask all sessions to end."""
        self.reason, self.exit_code = reason, exit_code
        for request in tuple(self._requests):
            request.ask(reason, exit_code)


@dataclass(frozen=True)
class MemberStopped:
    """A member was stopped before its end, and goes on from there another time.

    Args:
        reason: as in `RunEnded`.
        message: one line for a person.
        exit_code: of a program that only trains.
    """

    reason: str
    message: str
    exit_code: int


def run_member(
    task: MemberTask, listeners: Sequence[Listener], stop: MemberStop
) -> MemberEnd | MemberStopped:
    """Train a member to its end, and measure it; every failure becomes its end.

    A run that is in the folder already goes on from its newest checkpoint, or begins again if it
    has none. Nothing of the process
    is set that another member could see, but the number of threads, which is the same for all
    members of an engine.

    Args:
        task: the member.
        listeners: called with every event of its training.
        stop: asks for an early end.
    """
    try:
        return _run(task, listeners, stop)
    except BitfoldError as error:
        return MemberEnd("error", str(error)[:_MAX_REASON])
    except (Exception, MemoryError) as error:
        return MemberEnd("crashed", printable(f"{type(error).__name__}: {error}")[:_MAX_REASON])


def _run(
    task: MemberTask, listeners: Sequence[Listener], stop: MemberStop
) -> MemberEnd | MemberStopped:
    places = {name: getattr(task.config, name) for name in PLACES}
    _check_plain(task.path)
    if RunFolder(task.path).is_run():
        _wait_until_free(task.path)
        run = load_run(task.path, **places)
        _check_same(run, task)
        if run.status.get("status") == "completed" and run.last_epoch >= run.config.epochs:
            return _completed(run, task)
    start = time.monotonic()
    ended = _trained(begun_or_continued(task.config, listeners), start, stop)
    run = load_run(task.path, **places)
    if ended.reason in STOPPED:
        return MemberStopped(ended.reason, ended.message, ended.exit_code)
    if ended.reason == "completed":
        return _completed(run, task)
    return replace(measured_end(run), status=ended.reason, reason=ended.message[:_MAX_REASON])


def _trained(session: Session, start: float, stop: MemberStop) -> MemberStopped:
    """Train to the end, and return how it ended."""
    endings: list[MemberStopped] = []

    def remember(event: Event) -> None:
        if isinstance(event, RunEnded):
            endings.append(MemberStopped(event.reason, event.message, event.exit_code))

    session.listen(remember)
    stop.follow(session.request)
    try:
        train_to_the_end(session, start)
    finally:
        stop.drop(session.request)
    return endings[-1]


def _check_plain(folder: Path) -> None:
    """Refuse a link in a member's place: a sweep's folder may be a stranger's.

    Raises:
        RunError: something else than a plain folder has the name.
    """
    try:
        check_plain_folder(folder, folder.parent)
    except OSError as error:
        raise RunError(f"Cannot train in {folder}: {error.strerror}. Move it away.") from None


def _wait_until_free(folder: Path) -> None:
    """Wait while the process of a sweep that was killed saves its state.

    Raises:
        RunError: another process still trains there.
    """
    end = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            with RunFolder(folder).lock():
                return
        except RunError:
            if time.monotonic() > end:
                raise
        time.sleep(_LOCK_INTERVAL_SECONDS)


def _check_same(run: Run, task: MemberTask) -> None:
    """Refuse a run of other settings in a member's folder.

    Raises:
        RunError: it names the first setting that differs.
    """
    for name, default, _ in settings_of(Config):
        wanted, found = getattr(task.config, name), getattr(run.config, name)
        is_filled = name in _FILLED and (wanted == default or name in _ELSEWHERE)
        if wanted is None or is_filled or (name == "epochs" and task.config.minutes is not None):
            continue
        if wanted != found:
            raise RunError(
                f"Cannot train the member {task.name} in {task.path}: expected a run with `{name}` "
                f"{as_json(wanted)}, got one with {as_json(found)}. Move it away, or choose "
                "another folder for the sweep."
            )


def _completed(run: Run, task: MemberTask) -> MemberEnd:
    """Write the model file of a completed run, and measure the network that it decodes to.

    Raises:
        RunError: the file cannot be written.
    """
    end = replace(measured_end(run), status="completed")
    if not task.writes_file:
        return end
    coded = code_run(run)
    path = task.path.parent / f"{task.path.name}.bitfold"
    try:
        write_atomically(path, coded.data, sync=False)
    except OSError as error:
        raise RunError(
            f"Cannot write {path}: {error.strerror}. Make room, then give the same command again."
        ) from None
    quality = measure_quality(run.target, coded.network)
    return replace(with_quality(end, len(coded.data), quality), file=path.name)


def with_quality(end: MemberEnd, num_bytes: int, quality: Quality) -> MemberEnd:
    """Return an end with the size of a file, and the quality of what it decodes to."""
    psnr = quality.psnr_db
    is_finite = psnr is not None and math.isfinite(psnr)
    return replace(
        end, num_bytes=num_bytes, error=quality.error, psnr_db=psnr if is_finite else None
    )


def measured_end(run: Run) -> MemberEnd:
    """Return the numbers of a run's metrics; status and file are still to be filled in."""
    columns = run.metrics
    losses: list[Any] = columns.get("validation_loss", [])
    known = [(loss, row) for row, loss in enumerate(losses) if loss is not None]
    best = min(known)[1] if known else None
    return MemberEnd(
        "",
        epochs=columns.num_epochs,
        seconds=sum(seconds or 0.0 for seconds in columns.get("seconds", [])),
        threads=run.config.threads,
        epoch_loop=run.config.epoch_loop or "",
        last=_row(columns, columns.num_epochs - 1),
        best={} if best is None else _row(columns, best),
    )


def _row(columns: dict[str, list[float | int | None]], row: int) -> dict[str, float]:
    """The numbers of an epoch, without its time."""
    if row < 0:
        return {}
    found = {name: column[row] for name, column in columns.items() if name != "seconds"}
    return {name: number for name, number in found.items() if number is not None}
