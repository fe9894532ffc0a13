"""A frontier as the sweep that it is: over lambda and seed, in the same folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bitfold.errors import BitfoldError
from bitfold.experiments.frontiers.record import FrontierPoint, FrontierRecord, Weight
from bitfold.experiments.frontiers.training import FrontierListener, run_name
from bitfold.experiments.sweeps.conductor import Conductor
from bitfold.experiments.sweeps.engines.choice import EngineChoice
from bitfold.experiments.sweeps.events import SweepStarted
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import measured_end
from bitfold.experiments.sweeps.plans.member import Member
from bitfold.experiments.sweeps.record import SweepRecord, shared_settings
from bitfold.training import PLACES, Config, is_within, load_run
from bitfold.training.watch.stop_request import StopRequest, stop_requests

VARIED = ("kolmogorov_weight", "seed")


def as_sweep(folder: Path, record: FrontierRecord, config: Config) -> SweepRecord:
    """Return the sweep of a frontier, with the ends of the networks that are done.

    Args:
        folder: of the frontier.
        record: of the frontier.
        config: the settings of all networks.
    """
    asked = [(weight, seed) for seed in record.seeds for weight in record.kolmogorov_weights]
    members = tuple(_member(weight, seed) for weight, seed in asked)
    shared = {n: v for n, v in shared_settings(config).items() if n not in VARIED}
    ends = {point.run: _end(folder, point) for point in record.points}
    names = {member.name for member in members}
    return SweepRecord(shared, VARIED, members, {n: e for n, e in ends.items() if n in names})


def train_side_by_side(
    folder: Path,
    record: FrontierRecord,
    config: Config,
    jobs: int,
    listeners: Sequence[FrontierListener],
) -> int:
    """Train the missing networks of a frontier, several at a time; they are coded later.

    Args:
        folder: of the frontier.
        record: of the frontier.
        config: the settings of all networks.
        jobs: networks at a time.
        listeners: called with the events of the sweep.

    Returns:
        0, or the exit code of what stopped it.
    """
    missing = [_member(weight, seed) for weight, seed in record.missing()]
    jobs = min(jobs, len(missing))
    if jobs < 2:
        return 0
    own = config.replace(threads=config.threads or 1, output_dir=None)
    sweep = replace(as_sweep(folder, record, own), writes_files=False)
    for listener in listeners:
        listener(SweepStarted(folder, len(sweep.members), len(missing), jobs))
    request, configs = StopRequest(), [member.config(own) for member in missing]
    with stop_requests(request), EngineChoice(jobs).engine(configs) as engine:
        return Conductor(folder, sweep, engine, listeners, request).train(missing, own)


def _member(weight: Weight, seed: int) -> Member:
    return Member(run_name(weight, seed), {"kolmogorov_weight": weight, "seed": seed})


def _end(folder: Path, point: FrontierPoint) -> MemberEnd:
    """A network's end, with the metrics of its run where they can be read."""
    try:
        run = load_run(folder / point.run)
        is_own = all(is_within(getattr(run.config, name)) for name in PLACES)
        end = measured_end(run) if is_own else MemberEnd("")
    except BitfoldError:
        end = MemberEnd("")
    return replace(
        end,
        status=point.status,
        file=point.file,
        num_bytes=point.num_bytes,
        error=point.error,
        psnr_db=point.psnr_db,
    )
