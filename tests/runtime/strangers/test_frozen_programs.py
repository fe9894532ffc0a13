"""Programs that were frozen, in which no second Python can be started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bitfold.cli.main import main
from bitfold.errors import ProcessError
from bitfold.experiments import frontier, sweep
from bitfold.experiments.sweeps.engines.choice import EngineChoice
from bitfold.experiments.sweeps.engines.cluster.ray_engine import RayPlace
from bitfold.experiments.sweeps.engines.threads import ThreadEngine
from bitfold.recording import Recorder
from bitfold.recording.warm_up import _second_process
from bitfold.runtime.strangers.isolated_start import isolated_command
from bitfold.training import Config, train
from bitfold.training.run import fold_loops
from bitfold.training.run.fold_loops import FoldLoops
from tests.experiments.sweeps.sweep_runs import CONFIG
from tests.training.training_runs import tiny

REASON = (
    "Cannot start a second process: expected Python as sys.executable, got the frozen program "
    "/opt/folds. Call bitfold from a Python that is installed."
)


@pytest.fixture(autouse=True)
def folder() -> None:
    """Use the compiled loops of all tests, since no test here depends on compilation."""


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process look like a frozen program; a process that it starts is an error."""

    def start(*arguments: object, **options: object) -> None:
        raise AssertionError(f"started {arguments}")

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/folds")
    monkeypatch.setattr(subprocess, "Popen", start)


def test_no_command_starts_the_program_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen program, and a Python without a path, are refused in one line."""
    with pytest.raises(ProcessError, match="^" + REASON.replace(".", r"\.") + "$"):
        isolated_command("bitfold.recording.worker")
    monkeypatch.delattr(sys, "frozen")
    assert isolated_command("bitfold.recording.worker")[0] == "/opt/folds"
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ProcessError, match=r"expected Python as sys\.executable, got none\."):
        isolated_command("bitfold.recording.worker")


def test_training_goes_on_without_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is whole but for its drawings, says so once, and compiles in its own process."""
    monkeypatch.setattr(fold_loops, "_are_on_disk", lambda: False)
    problems: list[str] = []
    recorder = Recorder(on_problem=problems.append)
    run = train(tiny(tmp_path / "run", epochs=2), listeners=[recorder])
    assert problems == [f"{REASON} Training goes on without; `bitfold render` draws the rest."]
    assert recorder.seconds_left() == 0
    assert run.status["status"] == "completed"
    assert (run.metrics["num_polytopes"][-1] or 0) > 1
    assert not (run.path / "video.mp4").exists()


def test_loops_are_compiled_by_the_process_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loops of folds count as ready, and `warm-up` has no second process."""
    monkeypatch.setattr(fold_loops, "_are_on_disk", lambda: False)
    loops = FoldLoops(tmp_path)
    loops.start()
    assert loops.are_ready()
    with _second_process(tmp_path / "second"):
        pass


def test_sweeps_train_one_member_at_a_time() -> None:
    """Without `jobs` the process itself trains, whatever members need; others are refused."""
    configs = [Config(size=16, threads=2, epoch_loop="stepwise")] * 3
    with EngineChoice().engine(configs) as engine:
        assert type(engine) is ThreadEngine
        assert engine.jobs == 1
    for choice in (EngineChoice(jobs=2), EngineChoice(isolate=True)):
        with pytest.raises(ProcessError, match=r"^Cannot start a second process"):
            choice.engine(configs)


@pytest.mark.parametrize("asked", [{"jobs": 2}, {"isolate": True}, {"ray": RayPlace()}])
def test_a_refused_sweep_leaves_nothing(tmp_path: Path, asked: dict[str, Any]) -> None:
    """What needs a second process is refused before anything is written or told."""
    told: list[object] = []
    with pytest.raises(ProcessError, match=r"^Cannot start a second process"):
        sweep(CONFIG, {"seed": range(2)}, tmp_path / "seeds", listeners=[told.append], **asked)
    assert (told, list(tmp_path.iterdir())) == ([], [])


def test_a_refused_frontier_leaves_nothing(tmp_path: Path) -> None:
    """So is a frontier with several jobs."""
    told: list[object] = []
    with pytest.raises(ProcessError, match=r"^Cannot start a second process"):
        frontier(CONFIG, [0.01], [0, 1], tmp_path / "curve", jobs=2, listeners=[told.append])
    assert (told, list(tmp_path.iterdir())) == ([], [])


def test_the_studio_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`bitfold studio` ends with one line and exit code 2 before it serves anything."""
    assert main(["studio", "--no-browser", "--folder", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == f"bitfold: {REASON}\n"
    assert not (tmp_path / "runs").exists()
