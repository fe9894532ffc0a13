"""A worker without Ray: the messages from which the sweep's folder is made."""

from __future__ import annotations

from pathlib import Path

import pytest

import bitfold
from bitfold.errors import ConfigError
from bitfold.experiments.sweeps.engines.choice import EngineChoice
from bitfold.experiments.sweeps.engines.cluster import remote_member
from bitfold.experiments.sweeps.engines.cluster.folder_copies import OutgoingFiles, write_copies
from bitfold.experiments.sweeps.engines.cluster.ray_engine import RayPlace
from bitfold.experiments.sweeps.engines.cluster.remote_member import (
    FILES,
    PLACE,
    REPORT,
    entries,
    train_remotely,
    versions,
)
from bitfold.experiments.sweeps.engines.engine import Finished
from bitfold.experiments.sweeps.engines.wire import parse_report, task_line
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask
from bitfold.runtime.installed_version import UNKNOWN, installed_version
from tests.experiments.sweeps.sweep_runs import CONFIG


def task(folder: Path, epochs: int) -> MemberTask:
    """Return a member in its own folder."""
    config = CONFIG.replace(epochs=epochs, threads=1, checkpoint_interval=5)
    return MemberTask(folder.name, config.replace(output_dir=str(folder)))


def trained(
    ordered: MemberTask, expected: str, stop: tuple[str, int] | None = None
) -> tuple[list[bytes], MemberEnd | MemberStopped]:
    """Take all messages, write the files, and return the messages' kinds and the end."""
    home, names = ordered.path.parent, entries(ordered.name)
    files, kinds = OutgoingFiles(home, names).news(), []
    ends: list[MemberEnd | MemberStopped] = []
    for message in train_remotely(task_line(ordered), files, expected, lambda: stop):
        kinds.append(message[:1])
        if message[:1] == FILES:
            write_copies(home, names, message[1:])
        elif message[:1] == REPORT:
            report = parse_report(message[1:])
            ends += [report.end] if isinstance(report, Finished) else []
    (end,) = ends
    return kinds, end


def test_a_member_comes_home_at_each_checkpoint(tmp_path: Path) -> None:
    """The copied run and its file are those of a local training."""
    kinds, end = trained(task(tmp_path / "a", 12), versions())
    assert kinds[0] == PLACE
    assert kinds.count(FILES) >= 4
    assert isinstance(end, MemberEnd)
    assert end.status == "completed"
    alone = bitfold.train(task(tmp_path / "alone", 12).config)
    run = bitfold.load_run(tmp_path / "a")
    assert run.metrics["task_loss"] == alone.metrics["task_loss"]
    assert (tmp_path / "a.bitfold").stat().st_size == end.num_bytes


def test_a_stopped_member_goes_on_from_what_came_home(tmp_path: Path) -> None:
    """A stop ends a member after its present epoch, with a state from which it continues."""
    ordered = task(tmp_path / "a", 10**6)
    _, end = trained(ordered, versions(), ("interrupted", 130))
    assert isinstance(end, MemberStopped)
    reached = bitfold.load_run(tmp_path / "a").last_epoch
    assert reached < 10**6
    bitfold.resume(tmp_path / "a", epochs=reached + 3)
    assert bitfold.load_run(tmp_path / "a").last_epoch == reached + 3


def test_a_worker_with_other_versions_is_refused(tmp_path: Path) -> None:
    """A worker with other versions is refused and trains nothing."""
    _, end = trained(task(tmp_path / "a", 12), "bitfold 0.0.1")
    assert isinstance(end, MemberEnd)
    assert end.status == "error"
    assert "the sweep has bitfold 0.0.1" in end.reason
    assert not list(tmp_path.iterdir())


def test_unknown_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines with unknown versions could differ; without Ray, nobody asks."""
    choice = EngineChoice(ray=RayPlace(address="ray.example:10001"))
    choice.check()
    monkeypatch.setattr(
        remote_member,
        "installed_version",
        lambda n: UNKNOWN if n == "numba" else installed_version(n),
    )
    with pytest.raises(
        ConfigError, match=r"^Cannot train on Ray: .* numba unknown\. Install [^\n]+$"
    ):
        choice.check()
    EngineChoice().check()
