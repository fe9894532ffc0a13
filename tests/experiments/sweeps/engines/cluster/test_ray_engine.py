"""Sweeps on a real local Ray give the table of a sweep without Ray, despite losses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitfold.errors import ConfigError, RunError
from bitfold.experiments import RayPlace, Sweep, load_sweep, sweep
from bitfold.experiments.sweeps.engines.cluster import ray_engine
from bitfold.experiments.sweeps.engines.cluster.ray_engine import RayEngine
from bitfold.experiments.sweeps.engines.engine import Finished
from bitfold.experiments.sweeps.events import MemberAdvanced, SweepEvent
from tests.experiments.sweeps.sweep_runs import CONFIG, untimed

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray leaves resources open
    pytest.mark.skipif(os.name != "posix", reason="Ray is tested where it is at home"),
]

EPOCHS = 400
BASE = CONFIG.replace(epochs=EPOCHS, checkpoint_interval=20, threads=1)
SEEDS = {"seed": range(3)}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Train the sweep in one process, one member after the other."""
    return sweep(BASE, SEEDS, tmp_path_factory.mktemp("alone") / "sweep", jobs=1)


def assert_same(found: Sweep, expected: Sweep) -> None:
    """Assert equal tables, metrics and model files, except seconds."""
    assert found.exit_code == expected.exit_code == 0
    assert untimed(found) == untimed(expected)
    for member in expected.members:
        ours, theirs = (one.path / f"{member.name}.bitfold" for one in (found, expected))
        assert ours.read_bytes() == theirs.read_bytes()
        metrics = [dict(one.run(member).metrics) for one in (found, expected)]
        assert all(columns.pop("seconds") for columns in metrics)
        assert metrics[0] == metrics[1]


class _Killer:
    """Kills the process of a member's worker once, after some progress."""

    def __init__(self, engine_of: Callable[[], RayEngine], epoch: int) -> None:
        self._engine_of, self._epoch, self.killed = engine_of, epoch, 0

    def __call__(self, event: SweepEvent) -> None:
        if isinstance(event, MemberAdvanced) and event.epoch >= self._epoch and not self.killed:
            attempt = self._engine_of()._attempts[event.member.name]
            self.killed = int(attempt.place.split()[1])
            os.kill(self.killed, signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(
    alone: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its worker is killed, a member continues from the last copied checkpoint."""
    engines: list[RayEngine] = []
    begin = RayEngine._begin

    def remember(engine: RayEngine, *arguments: object) -> None:
        engines.append(engine)
        begin(engine, *arguments)  # type: ignore[arg-type] # handed on

    monkeypatch.setattr(RayEngine, "_begin", remember)
    killer = _Killer(lambda: engines[0], 1)
    marker = tmp_path / "imported"
    for name in ("queue", "numba", "torch", "matplotlibrc", "zlib"):  # a stranger's folder
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    found = sweep(BASE, SEEDS, tmp_path / "sweep", jobs=2, ray=RayPlace(), listeners=[killer])
    assert killer.killed
    assert not marker.exists()
    assert_same(found, alone)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


_DRIVER = """
import sys
from pathlib import Path
from bitfold.experiments import RayPlace, sweep
from tests.experiments.sweeps.engines.cluster.test_ray_engine import BASE, SEEDS
sweep(BASE, SEEDS, sys.argv[1], jobs=2, ray=RayPlace())
"""


@pytest.mark.slow
def test_a_lost_driver_costs_one_checkpoint(alone: Sweep, tmp_path: Path) -> None:
    """After the driver is lost, the same call continues from the copied state, without Ray."""
    folder = tmp_path / "sweep"
    driver = subprocess.Popen([sys.executable, "-c", _DRIVER, str(folder)], cwd=Path.cwd())
    while not list(folder.glob("*/checkpoints/epoch-*")):
        assert driver.poll() is None
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = load_sweep(folder)
    assert before.missing
    assert_same(sweep(BASE, SEEDS, folder, jobs=1), alone)


@pytest.mark.slow
def test_a_member_that_no_worker_survives_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member whose workers all die is given up after some tries, and the engine goes on."""
    monkeypatch.setattr(ray_engine, "_yielding", _dying)
    found = sweep(BASE, {"seed": [0]}, tmp_path / "sweep", jobs=1, ray=RayPlace())
    (end,) = found.record.ends.values()
    assert (end.status, found.exit_code) == ("killed", 1)
    assert "\n" not in end.reason


def _dying(*_: object) -> Iterator[bytes]:
    yield b"P"
    os._exit(1)


def test_what_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead address, an invalid number of GPUs, and a missing Ray are refused."""
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "127.0.0.1:many"):
        with pytest.raises(RunError, match=rf"Cannot reach Ray at {address}: .*`ray_address`"):
            RayEngine(1, 1, RayPlace(address))
    for gpus in (-1.0, float("nan"), 1e9, 1.5):
        with pytest.raises(ConfigError, match="expected a share from 0 to 1, or a whole number"):
            RayPlace(gpus=gpus)
    places = BASE.replace(checkpoint_dir=str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match="a folder within each run, which comes home"):
        sweep(places, {"seed": [0]}, tmp_path / "places", ray=RayPlace())
    with pytest.raises(ConfigError, match="expected a machine that has as many"):
        RayEngine(1, 1, RayPlace(gpus=1000))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'bitfold\[ray\]'"):
        sweep(BASE, {"seed": [0]}, tmp_path / "sweep", ray=RayPlace())


@pytest.mark.slow
def test_reports_of_nothing_are_empty() -> None:
    """An engine without members returns no reports, without waiting."""
    with RayEngine(1, 1, RayPlace()) as engine:
        assert engine.reports(0.0) == []
        assert not any(isinstance(report, Finished) for report in engine.reports(0.0))
