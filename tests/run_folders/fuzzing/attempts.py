"""Commands in this process on a folder that a stranger has changed, and their outcomes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bitfold import recording
from bitfold.cli.main import main
from bitfold.errors import BitfoldError
from bitfold.experiments import frontier
from bitfold.experiments.sweeps.engines import choice
from bitfold.experiments.sweeps.engines.threads import ThreadEngine
from bitfold.recording import Drawing, DrawingPaths, FrameStyle
from bitfold.training import (
    Config,
    EpochEnded,
    Event,
    RunEnded,
    RunRecord,
    RunStarted,
    Session,
    load_run,
)
from tests.run_folders.fuzzing.commands import (
    COMMANDS,
    FRONTIER,
    GOOD_CODES,
    REFUSED,
    arguments_of,
    call,
)
from tests.run_folders.fuzzing.kinds import OF_FRONTIERS, OF_RUNS
from tests.run_folders.fuzzing.mutations import Stranger
from tests.run_folders.fuzzing.sweep_commands import SWEEP_COMMANDS, TRAINING, make_sweep
from tests.run_folders.fuzzing.sweep_kinds import OF_PLANS, OF_READ_SWEEPS, OF_SWEEPS

_GREY = {"kolmogorov_weight": 0.01, "kolmogorov_bins": 8, "kolmogorov_shape": "[3]"}
#: Runs to change: grey with K, learned steps, classes, and a repainted target.
RUNS: dict[str, dict[str, Any]] = {
    "grey": _GREY,
    "learned": {"kolmogorov_weight": 0.01, "kolmogorov_quantise": "learned"},
    "classes": {"target": "rgb-ring", "optimizer": "muon"},
    "painted": {"learning_rate": 0.01},
}


_SWEEP = "sweep"
_MOST_DATA_BYTES = 6 * 2**30


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attempt.

    Args:
        command: its name.
        done: the stranger's changes.
        code: the exit code; None if it ended in a traceback.
        fault: the problem; empty if there is none.
        seconds: of a processor, for the command alone.
        megabytes: most memory of this process while the command ran; 0 if it is unknown.
    """

    command: str
    done: str
    code: int | None
    fault: str
    seconds: float
    megabytes: float


class DrawnHere:
    """Draws as the drawing process does, in this process."""

    num_drawn = 0

    def __init__(self, **callbacks: Any) -> None:
        self._problem = callbacks["on_problem"]
        self._run: RunRecord | None = None

    def __call__(self, event: Event) -> None:
        """Draw at the event of the end."""
        if isinstance(event, RunStarted):
            self._run = event.run
        if self._run is None or not isinstance(event, RunEnded):
            return
        try:
            run = load_run(self._run.path, **self._run.places)
            style = FrameStyle.of(run.config)
            with contextlib.closing(Drawing(run, style, DrawingPaths.of(run))) as drawing:
                list(drawing.draw_new())
        except (BitfoldError, OSError) as error:
            self._problem(str(error))


class Attempts:
    """Gives runs to strangers for changes, and calls commands on them.

    Args:
        place: an empty folder for everything.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._firsts = {name: place / "first" / name for name in (*RUNS, FRONTIER, _SWEEP)}
        frontier(tiny_config(place, RUNS["classes"]), [0.01], [0], self._firsts[FRONTIER])
        make_sweep(self._firsts[_SWEEP], tiny_config(place, _GREY))
        for name, settings in RUNS.items():
            _train(self._firsts[name], settings, is_painted=name == "painted")
            _draw(self._firsts[name])

    def warm_up(self) -> None:
        """Call each command once on unchanged runs, so that all code is compiled and imported."""
        for name, first in self._firsts.items():
            run = self._place / "warm" / name / "run"
            shutil.copytree(first, run)
            for command in COMMANDS:
                if name not in _suitable(command):
                    continue
                code, said = call(arguments_of(command, run, self._place / f"out-{name}"))
                assert code in GOOD_CODES, (name, command, said)

    def attempt(self, number: int, seed: int = 0, commands: Sequence[str] = COMMANDS) -> Outcome:
        """Change a run in a way that depends on the number, and call a command on it.

        ``read`` is no command: it reads every part of a run.
        """
        chance = random.Random(f"{seed} {number}")
        place = self._place / "attempt"
        shutil.rmtree(place, ignore_errors=True)
        run, outside, here = place / "runs" / "run", place / "outside", place / "here"
        command = chance.choice(commands)
        first = chance.choice(_suitable(command))
        shutil.copytree(self._firsts[first], run)
        for folder in (outside / "taken", here, place / "home"):
            folder.mkdir(parents=True)
        (outside / "victim").write_bytes(b"precious\n")
        (outside / "loop").symlink_to(outside / "loop")
        stranger = Stranger(run, outside, chance)
        stranger.mutate(_kinds(command, first))
        guarded = (outside, here, place / "home", place / "runs")
        before = fingerprint(*guarded, but=run)
        # Strangers who change large files take time and memory of their own.
        start = time.process_time()
        _reset_peak()
        with _standing_in(here, place / "home"):
            code, said = call(arguments_of(command, run, place / f"out-{number}"))
        seconds, megabytes = time.process_time() - start, _peak_megabytes()
        fault = _fault(code, said)
        if fingerprint(*guarded, but=run) != before:
            fault = f"wrote outside the run; {fault}"
        return Outcome(command, "; ".join(stranger.done), code, fault, seconds, megabytes)


def _suitable(command: str) -> list[str]:
    """The runs, frontier or sweep on which a command can be called."""
    if command == "compare":
        return sorted((*RUNS, FRONTIER, _SWEEP))
    if command in (FRONTIER, *SWEEP_COMMANDS):
        return [FRONTIER if command == FRONTIER else _SWEEP]
    return sorted(RUNS)


def _kinds(command: str, first: str) -> Sequence[Callable[[Stranger], str]]:
    """The changes that a stranger makes."""
    if first == FRONTIER:
        return OF_FRONTIERS
    if first != _SWEEP:
        return OF_RUNS
    if command == "plan":
        return OF_PLANS
    return OF_SWEEPS if command in TRAINING else OF_READ_SWEEPS


def tiny_config(folder: Path, settings: dict[str, Any]) -> Config:
    """Return a configuration that trains within a fraction of a second."""
    usual = {
        "target": "ring", "size": 16, "shape": "[4]*2", "epochs": 4, "points": 60,
        "validation_points": 20, "batch_size": 32, "save_interval": "2", "checkpoint_interval": 2,
        "frame_size": 64, "threads": 1, "smoothing_sigma": 0.0, "snapshot_format": "jpg",
    }  # fmt: skip
    return Config(**{**usual, "output_dir": str(folder), **settings})


def _train(folder: Path, settings: dict[str, Any], *, is_painted: bool) -> None:
    """Train a run; a painted run changes its target and its points."""
    with Session(tiny_config(folder, settings)) as session:
        for event in session:
            if is_painted and isinstance(event, EpochEnded) and event.epoch == 1:
                session.change(target=255 - session.run.target.pixels[0], learning_rate=0.02)
            if is_painted and isinstance(event, EpochEnded) and event.epoch == 2:
                session.change(points=50)


def _draw(folder: Path) -> None:
    for words in (["render"], ["plot"], ["compress", "-o", str(folder / "net.bitfold")]):
        assert main([words[0], str(folder), *words[1:], "--quiet"]) == 0


def _fault(code: int | None, said: str) -> str:
    if code is None:
        return "traceback: " + said[-1500:]
    if code not in (*GOOD_CODES, REFUSED):
        return f"exit code {code}: {said[-300:]}"
    if code == REFUSED and len(said.splitlines()) != 1:
        return f"{len(said.splitlines())} lines: {said[-1500:]}"
    if not said.replace("\n", "").isprintable():
        return f"control characters: {said[-300:]!r}"
    return ""


@contextlib.contextmanager
def _standing_in(here: Path, home: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(here)
    try:
        with (
            patch.dict(os.environ, {"HOME": str(home)}),
            patch.object(recording, "Recorder", DrawnHere),
            patch.object(choice, "ProcessEngine", ThreadEngine),
        ):
            yield
    finally:
        os.chdir(before)


def fingerprint(*folders: Path, but: Path) -> str:
    """Return a digest of all names, contents, links and modes below some folders, except one."""
    digest = hashlib.sha256()
    for folder in folders:
        for root, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if Path(root, name) != but)
            for name in (*names, *sorted(files)):
                path = Path(root, name)
                status = path.lstat()
                digest.update(f"{path} {status.st_mode} {status.st_size}\n".encode())
                if path.is_file() and not path.is_symlink():
                    digest.update(path.read_bytes())
    return digest.hexdigest()


def main_of_child(place: Path, first: int, last: int, seed: int) -> None:
    """Make attempts, and print a line of JSON before and after each."""
    import json
    import resource

    # What takes far too much ends in a traceback, and not in a machine without memory.
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_DATA_BYTES, _MOST_DATA_BYTES))
    attempts = Attempts(place)
    with contextlib.redirect_stdout(io.StringIO()), _standing_in(place, place):
        attempts.warm_up()
    for number in range(first, last):
        print(json.dumps({"begins": number}), flush=True)
        print(json.dumps({**vars(attempts.attempt(number, seed)), "number": number}), flush=True)
    sys.stdout.flush()


def _reset_peak() -> None:
    """Reset the system's record of this process's peak memory, if the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_megabytes() -> float:
    """Return this process's peak memory since then in MB, or 0 if it is unknown."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    return 0.0
