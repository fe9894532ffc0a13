"""Both engines, threads and processes, train the same members to the same result."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from bitfold.experiments.sweeps.engines.engine import Advanced, Engine, Finished
from bitfold.experiments.sweeps.engines.processes import ProcessEngine
from bitfold.experiments.sweeps.engines.threads import ThreadEngine
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask
from tests.experiments.sweeps.sweep_runs import CONFIG

MOST_SECONDS = 120


def task(folder: Path, epochs: int) -> MemberTask:
    """Return a member in its own folder whose state is saved often."""
    config = CONFIG.replace(epochs=epochs, threads=1, checkpoint_interval=5)
    return MemberTask(folder.name, config.replace(output_dir=str(folder)))


def finished(engine: Engine) -> Finished:
    """Wait for a member to end."""
    (found,) = all_finished(engine, 1)
    return found


def all_finished(engine: Engine, number: int) -> list[Finished]:
    """Wait for a number of members to end; several may be reported at once."""
    found: list[Finished] = []
    end = time.monotonic() + MOST_SECONDS
    while len(found) < number:
        assert time.monotonic() < end, "no member has ended"
        found += [one for one in engine.reports(0.1) if isinstance(one, Finished)]
    return found


def begun(engine: Engine) -> None:
    """Wait until a member trains."""
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        if any(isinstance(report, Advanced) and report.epoch for report in engine.reports(0.1)):
            return
    raise AssertionError("no member has begun")


def child_processes() -> list[int]:
    """Return the processes that this process has started."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(word) for word in path.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found by /proc")
def test_a_killed_process_ends_its_member_alone(tmp_path: Path) -> None:
    """A killed process ends only its member, and another process continues it to the same end."""
    before = set(child_processes())
    with ProcessEngine(1) as engine:
        engine.start(task(tmp_path / "a", 10**6))
        begun(engine)
        (worker,) = set(child_processes()) - before
        os.kill(worker, signal.SIGKILL)
        end = finished(engine).end
        assert isinstance(end, MemberEnd)
        assert (end.status, end.is_final) == ("killed", False)
        assert "signal 9 (SIGKILL)" in end.reason
        engine.start(task(tmp_path / "b", 4))
        by_process = finished(engine).end
    with ThreadEngine(1) as threads:
        threads.start(task(tmp_path / "c", 4))
        by_thread = finished(threads).end
    assert isinstance(by_process, MemberEnd)
    assert isinstance(by_thread, MemberEnd)
    assert by_process.status == "completed"
    assert (by_process.last, by_process.num_bytes) == (by_thread.last, by_thread.num_bytes)
    assert (tmp_path / "b.bitfold").read_bytes() == (tmp_path / "c.bitfold").read_bytes()


def test_a_stop_saves_every_member(tmp_path: Path) -> None:
    """A stop reports every member as stopped and saves a state from which it can continue."""
    with ThreadEngine(2) as engine:
        for name in "ab":
            engine.start(task(tmp_path / name, 10**6))
        begun(engine)
        engine.stop("interrupted", 130)
        ends = [one.end for one in all_finished(engine, 2)]
    for end in ends:
        assert isinstance(end, MemberStopped)
        assert (end.reason, end.exit_code) == ("interrupted", 130)
    assert list((tmp_path / "a" / "checkpoints").iterdir())


def test_what_a_member_raises_is_its_end(tmp_path: Path) -> None:
    """An exception in a member ends that member, and does not reach the engine's threads."""
    config = CONFIG.replace(target=str(tmp_path / "no.png"), output_dir=str(tmp_path / "a"))
    with ThreadEngine(1) as engine:
        engine.start(MemberTask("a", config))
        end = finished(engine).end
    assert isinstance(end, MemberEnd)
    assert (end.status, end.is_final) == ("error", False)
    assert "no.png" in end.reason
