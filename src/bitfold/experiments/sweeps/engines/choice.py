"""Which engine trains the members of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitfold.errors import BitfoldError, ConfigError
from bitfold.experiments.sweeps.engines.cluster.ray_engine import RayEngine, RayPlace
from bitfold.experiments.sweeps.engines.cluster.remote_member import check_versions
from bitfold.experiments.sweeps.engines.engine import Engine
from bitfold.experiments.sweeps.engines.processes import ProcessEngine
from bitfold.experiments.sweeps.engines.threads import ThreadEngine
from bitfold.experiments.sweeps.jobs import check_jobs, num_cores
from bitfold.runtime.strangers.isolated_start import check_not_alone, why_alone
from bitfold.targets import Target, load_target
from bitfold.training import PLACES, Config, is_within
from bitfold.training.whole_epoch.support import with_epoch_loop


@dataclass(frozen=True)
class EngineChoice:
    """What a caller asks for of an engine.

    Args:
        jobs: members at a time; None for as many as fit on the cores.
        isolate: whether processes are wanted.
        ray: where Ray trains the members; None for this machine, without Ray.
    """

    jobs: int | None = None
    isolate: bool = False
    ray: RayPlace | None = None

    def check(self) -> None:
        """Refuse what cannot be had, before anything is written or told.

        Raises:
            ConfigError: ``jobs`` is no number of jobs, or a version is unknown, which Ray's workers
                have to share.
            ProcessError: processes are wanted, and none can be started.
        """
        if self.jobs is not None:
            check_jobs(self.jobs)
        if self.ray is not None:
            check_versions()
            needs_process = self.ray.address is None
        else:
            needs_process = self.isolate or (self.jobs or 1) > 1
        if needs_process:
            check_not_alone()

    def engine(self, configs: Sequence[Config]) -> Engine:
        """Return processes, Ray, or a thread of this process for one member at a time.

        Members in threads would wait for Python's lock: between their epochs, which release it, is
        about half of their work. One alone waits for nobody, and saves the start of a process.
        Where no process can be started, one member at a time is the default.

        Args:
            configs: of the members.

        Raises:
            ConfigError: Ray is wanted, and not installed; or files would stay elsewhere.
            RunError: its cluster cannot be reached.
            ProcessError: processes are wanted, and none can be started.
        """
        threads = max(config.threads or 1 for config in configs)
        is_alone = bool(why_alone())
        if self.ray is not None:
            _check_places(configs)
            return RayEngine(self.jobs, threads, self.ray)
        most = 1 if is_alone else num_cores() // threads
        jobs = max(1, min(self.jobs or most, len(configs)))
        if jobs > 1 or self.isolate or not (is_alone or _are_compiled(configs)):
            return ProcessEngine(jobs)
        return ThreadEngine(jobs, threads)


def _check_places(configs: Sequence[Config]) -> None:
    """Refuse folders that would stay on another machine."""
    for config in configs:
        for name in PLACES:
            place = getattr(config, name)
            if not is_within(place):
                raise ConfigError(
                    f"Cannot use `{name}` {place!r} with Ray: expected a folder within each run, "
                    "which comes home. Leave it out."
                )


def _are_compiled(configs: Sequence[Config]) -> bool:
    targets: dict[tuple[str, int, str], Target] = {}
    for config in configs:
        place = (config.target, config.size, config.task)
        try:
            if place not in targets:
                targets[place] = load_target(config.target, size=config.size, task=config.task)
            loop = with_epoch_loop(config.settled(), targets[place]).epoch_loop
        except BitfoldError:
            continue  # the member's own end will say so
        if loop != "compiled" or config.threads != 1:
            return False
    return True
