"""Members as tasks of Ray, on this machine or on a cluster."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bitfold.errors import ConfigError, RunError, printable
from bitfold.experiments.sweeps.engines.cluster.folder_copies import OutgoingFiles, write_copies
from bitfold.experiments.sweeps.engines.cluster.remote_member import (
    FILES,
    PLACE,
    entries,
    train_remotely,
    versions,
)
from bitfold.experiments.sweeps.engines.engine import Engine, Finished, Report
from bitfold.experiments.sweeps.engines.wire import parse_report, task_line
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask
from bitfold.runtime.strangers.folder_settings import ignore_folder_settings
from bitfold.runtime.strangers.isolated_start import check_not_alone

#: How often a member is begun again without a new checkpoint between.
MOST_LOSSES: Final = 3
_MAX_REASON, _MOST_GPUS, _ANSWER_SECONDS = 500, 1024, 10.0
# Of a Ray that is started for one sweep. Members come home as messages of some megabytes.
_STORE_BYTES: Final = 2**28


@dataclass(frozen=True)
class RayPlace:
    """Where members are trained.

    Args:
        address: of a cluster, ``auto`` for the one that runs on this machine; None starts Ray here,
            on the loopback address, and ends it with the sweep. A cluster runs the code that it
            is given: its address is trusted.
        gpus: of each member, or a share of one.

    Raises:
        ConfigError: ``gpus`` is no share from 0 to 1, and no whole number to 1,024.
    """

    address: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        is_share = 0 <= self.gpus <= 1
        is_whole = 1 < self.gpus <= _MOST_GPUS and self.gpus == int(self.gpus)
        if not (is_share or is_whole):  # NaN fails all comparisons
            raise ConfigError(
                f"Cannot give each member {self.gpus} GPUs: expected a share from 0 to "
                f"1, or a whole number to {_MOST_GPUS}. Give for example 0.25."
            )


@dataclass
class _Attempt:
    """A member under way.

    Args:
        task: the member.
        messages: what its worker yields: references to bytes.
        place: the machine and the process of its worker, once known.
        num_losses: workers that were lost since the last checkpoint.
    """

    task: MemberTask
    messages: Any
    place: str = ""
    num_losses: int = 0


class RayEngine(Engine):
    """Trains members as tasks of Ray.

    At each checkpoint a member's new files come to the sweep's folder. A member whose worker or
    machine is lost goes on elsewhere from there.

    Args:
        jobs: members at a time; None for as many as the cluster has cores.
        threads: the cores of a member.
        place: where.

    Raises:
        ConfigError: Ray is not installed.
        RunError: the cluster cannot be reached.
        ProcessError: Ray should start here, and no process can be started.
    """

    def __init__(self, jobs: int | None, threads: int, place: RayPlace) -> None:
        self._ray = _imported()
        # Workers import from the folder that is the current one now, and begin in it.
        self._empty = tempfile.TemporaryDirectory(prefix="bitfold-ray-")
        try:
            self._begin(place, None if jobs is None else jobs * threads)
            self._check_room(threads, place.gpus)
            num_cores = int(self._ray.cluster_resources().get("CPU", 1))
            super().__init__(jobs or max(1, num_cores // threads))
            self._train = self._ray.remote(_yielding).options(
                num_returns="streaming", num_cpus=threads, num_gpus=place.gpus, max_retries=0
            )
            self._flag = self._ray.remote(_Flag).options(num_cpus=0).remote()
        except BaseException:
            self._leave()
            raise
        self._attempts: dict[str, _Attempt] = {}
        self._stop: tuple[str, int] | None = None

    def _begin(self, place: RayPlace, cores: int | None) -> None:
        given: dict[str, Any] = {"address": place.address}
        if place.address is None:
            check_not_alone()
            given = {"address": "local", "num_cpus": cores, "_node_ip_address": "127.0.0.1",
                     "object_store_memory": _STORE_BYTES}  # fmt: skip
        try:
            _check_answers(place.address)
            with chdir(self._empty.name):
                self._ray.init(
                    **given, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
                )
        except Exception as error:
            where = "here" if place.address is None else f"at {printable(place.address)}"
            raise RunError(
                f"Cannot reach Ray {where}: {_reason(error)}. Check `ray_address`, or leave it out "
                "to start Ray here."
            ) from None

    def _check_room(self, threads: int, gpus: float) -> None:
        """Refuse what no machine can hold: Ray would wait for one without a word."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(m.get("CPU", 0) >= threads and m.get("GPU", 0) >= gpus for m in machines):
            raise ConfigError(
                f"Cannot train members of {threads} threads and {gpus:g} GPUs on Ray: expected a "
                "machine that has as many, got none. Ask for fewer."
            )

    def start(self, task: MemberTask) -> None:
        """Begin to train a member, from its files in the sweep's folder."""
        self._attempts[task.name] = _Attempt(task, self._submitted(task))

    def _submitted(self, task: MemberTask) -> Any:
        files = OutgoingFiles(task.path.parent, entries(task.name)).news()
        return self._train.remote(task_line(task), files, versions(), str(Path.cwd()), self._flag)

    def reports(self, timeout_seconds: float) -> list[Report]:
        """Wait for messages of all members; write the files, and return the reports."""
        if not self._attempts:
            return []
        waiting = {attempt.messages: attempt for attempt in self._attempts.values()}
        ready, _ = self._ray.wait(
            list(waiting), num_returns=len(waiting), timeout=timeout_seconds, fetch_local=False
        )
        return [report for messages in ready for report in self._take(waiting[messages])]

    def _take(self, attempt: _Attempt) -> Iterator[Report]:
        """Take one message of a member."""
        try:
            message = self._ray.get(next(attempt.messages))
        except StopIteration:
            yield from self._lost(attempt, "its worker ended without a word")
            return
        except self._ray.exceptions.RayError as error:
            yield from self._lost(attempt, _line(error))
            return
        kind, content = message[:1], message[1:]
        if kind == PLACE:
            attempt.place = printable(content.decode(errors="replace"))
        elif kind == FILES:
            try:
                write_copies(attempt.task.path.parent, entries(attempt.task.name), content)
            except (RunError, OSError) as error:
                self._ray.cancel(attempt.messages)
                yield self._finished(attempt, MemberEnd("error", _line(error)))
            attempt.num_losses = 0
        else:
            try:
                report = parse_report(content)
            except (ValueError, TypeError, KeyError) as error:
                yield self._finished(attempt, MemberEnd("crashed", _line(error)))
                return
            if isinstance(report, Finished):
                self._attempts.pop(attempt.task.name, None)
            yield report

    def _lost(self, attempt: _Attempt, reason: str) -> Iterator[Report]:
        """Begin a member again whose worker is gone, or give it up."""
        if self._stop is not None:
            yield self._finished(attempt, MemberStopped(self._stop[0], "", self._stop[1]))
            return
        attempt.num_losses += 1
        if attempt.num_losses > MOST_LOSSES:
            where = f" ({attempt.place})" if attempt.place else ""
            yield self._finished(attempt, MemberEnd("killed", f"{reason}{where}"[:_MAX_REASON]))
            return
        attempt.messages = self._submitted(attempt.task)

    def _finished(self, attempt: _Attempt, end: MemberEnd | MemberStopped) -> Finished:
        self._attempts.pop(attempt.task.name, None)
        return Finished(attempt.task.name, end)

    def stop(self, reason: str, exit_code: int) -> None:
        """Ask all members to end after the epoch in hand."""
        self._stop = (reason, exit_code)
        self._flag.ask.remote(reason, exit_code)

    def close(self) -> None:
        """End what still runs, and leave the cluster; one that was started here ends."""
        self._attempts.clear()
        self._leave()

    def _leave(self) -> None:
        self._ray.shutdown()
        self._empty.cleanup()


class _Flag:
    """An actor that every worker asks whether it should stop."""

    def __init__(self) -> None:
        self._asked: tuple[str, int] | None = None

    def ask(self, reason: str, exit_code: int) -> None:
        self._asked = (reason, exit_code)

    def asked(self) -> tuple[str, int] | None:
        return self._asked


def _yielding(order: bytes, files: bytes, expected: str, folder: str, flag: Any) -> Iterator[bytes]:
    """`train_remotely`, as a task: the flag is asked without waiting for its answer.

    Paths of targets count from the folder of the sweep's call, where this machine has it.
    """
    ray = _imported()
    with suppress(OSError):
        os.chdir(folder)
    ignore_folder_settings()
    answers: list[Any] = []

    def asked() -> tuple[str, int] | None:
        if not answers:
            answers.append(flag.asked.remote())
        ready, _ = ray.wait(answers, timeout=0)
        if not ready:
            return None
        with suppress(ray.exceptions.RayError):  # the sweep is ending: so will this task
            found: tuple[str, int] | None = ray.get(answers.pop())
            return found
        return None

    yield from train_remotely(order, files, expected, asked)


def _check_answers(address: str | None) -> None:
    """Find out soon that nothing listens: Ray itself waits for minutes.

    Raises:
        OSError, ValueError: nothing does, or the address is none.
    """
    if address is None or address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()


def _imported() -> Any:
    """Import Ray, which reports nothing of its use to anyone.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import, which reads it
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "Cannot use `engine='ray'`: expected the package ray, which is not installed. Install "
            "it with: pip install 'bitfold[ray]'"
        ) from None
    return ray


def _reason(error: Exception) -> str:
    """Why Ray does not begin; of two versions, which Ray tells in lines of their own, both."""
    if "mismatch" not in str(error).split("\n", 1)[0]:
        return _line(error)
    return printable(" ".join(str(error).split()))[:_MAX_REASON]


def _line(error: BaseException) -> str:
    """The first line of a message, which of Ray may have a page."""
    text = str(error).strip() or type(error).__name__
    return printable(text.split("\n", 1)[0])[:_MAX_REASON]
