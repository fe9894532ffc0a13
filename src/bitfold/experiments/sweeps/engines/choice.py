"""Which engine trains the members of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from bitfold.errors import BitfoldError
from bitfold.experiments.sweeps.engines.engine import Engine
from bitfold.experiments.sweeps.engines.processes import ProcessEngine
from bitfold.experiments.sweeps.engines.threads import ThreadEngine
from bitfold.targets import Target, load_target
from bitfold.training import Config
from bitfold.training.whole_epoch.support import with_epoch_loop


def chosen_engine(configs: Sequence[Config], jobs: int, *, isolate: bool) -> Engine:
    """Return threads where epochs of all members are compiled calls of one thread, or processes.

    Args:
        configs: of the members.
        jobs: members at a time.
        isolate: whether processes are wanted.
    """
    if isolate or not _are_compiled(configs):
        return ProcessEngine(jobs)
    return ThreadEngine(jobs)


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
