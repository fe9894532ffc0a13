"""Small runs for the tests of training, and comparisons of two runs."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import multiprocessing.forkserver
import os
import resource
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import Tensor

import bitfold
from bitfold.runtime import atomic_files as files
from bitfold.targets import Split, Target, load_target, sample_split
from bitfold.training import (
    Audited,
    Config,
    EpochEnded,
    Event,
    Noticed,
    RunEnded,
    RunFolder,
    TrajectoryReader,
)
from bitfold.training.step.learner import Learner
from bitfold.training.store import checkpoints

TINY: dict[str, Any] = {
    "target": "ring",
    "size": 16,
    "shape": "[6]*2",
    "points": 50,
    "validation_points": 20,
    "batch_size": 16,
    "epochs": 12,
    "learning_rate": 0.01,
    "save_interval": "1",
    "checkpoint_interval": 5,
    "threads": 1,
    "audit": False,  # the audit takes a fifth of a second a run; its own tests switch it on
}
WITH_K: dict[str, Any] = {
    "kolmogorov_weight": 0.05,
    "kolmogorov_bins": 16,
    "kolmogorov_shape": "[3]",
    "kolmogorov_lr": 0.01,
}


def tiny(folder: Path, **settings: Any) -> Config:
    """Return a configuration that trains within a fraction of a second."""
    return Config(**{**TINY, "output_dir": str(folder), **settings})


def target_and_split(config: Config) -> tuple[Target, Split]:
    """Return a target and its split."""
    target = load_target(config.target, size=config.size, task=config.task)
    points = config.points if config.points != "all" else None
    return target, sample_split(target, points=points, batch_size=config.batch_size, seed=0)


def learner_of(**settings: Any) -> Learner:
    """Return a learner before its first epoch."""
    config = Config(**{**TINY, **settings})
    return Learner(config, *target_and_split(config))


class Heard:
    """A listener that remembers all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Remember an event."""
        self.events.append(event)

    @property
    def notices(self) -> list[str]:
        """Return the notices, in order."""
        return [event.message for event in self.events if isinstance(event, Noticed)]

    @property
    def audits(self) -> list[Audited]:
        """Return the audits, in order."""
        return [event for event in self.events if isinstance(event, Audited)]

    @property
    def ended(self) -> RunEnded:
        """Return the only event of the end."""
        (found,) = (event for event in self.events if isinstance(event, RunEnded))
        return found

    @property
    def epochs(self) -> list[int]:
        """Return the epochs that ended, in order."""
        return [event.epoch for event in self.events if isinstance(event, EpochEnded)]


def hard_binning() -> AbstractContextManager[None]:
    """Return the context in which K bins hard, planted as in the benchmarks."""
    path = Path(__file__).parents[2] / "benchmarks" / "harness" / "planted_bug.py"
    spec = importlib.util.spec_from_file_location("planted_bug", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context: AbstractContextManager[None] = module.hard_binning()
    return context


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics without timings."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: v for name, v in line.items() if name != "seconds"} for line in lines]


def frames_of(folder: Path) -> list[tuple[int, dict[str, Any], dict[str, bytes]]]:
    """Return the trajectory without timings, weights as bytes."""
    reader = TrajectoryReader(folder / "trajectory.bin")
    moments = [
        (
            m.epoch,
            {name: value for name, value in m.metrics.items() if name != "seconds"},
            {name: tensor.numpy().tobytes() for name, tensor in m.weights.items()},
        )
        for m in reader.moments()
    ]
    reader.close()
    return moments


def last_state(folder: Path) -> tuple[int, dict[str, bytes]]:
    """Return the newest checkpoint's epoch and all its tensors as bytes."""
    found = next(checkpoints.read_checkpoints(folder / "checkpoints"))
    assert isinstance(found, checkpoints.Checkpoint)
    return found.epoch, {name: as_bytes(tensor) for name, tensor in found.tensors.items()}


def as_bytes(tensor: Tensor) -> bytes:
    """Return a number's bytes, so that NaN equals NaN and 0.0 differs from -0.0."""
    return f"{tensor.dtype}{tuple(tensor.shape)}".encode() + tensor.contiguous().numpy().tobytes()


def assert_same_run(one: Path, other: Path) -> None:
    """Assert that two runs are equal bit for bit, except for timings."""
    assert metrics_of(one) == metrics_of(other)
    assert frames_of(one) == frames_of(other)
    assert last_state(one) == last_state(other)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # A server loads these modules once and forks every child: each child starts seconds sooner.
    context.set_forkserver_preload(["bitfold", "torch._dynamo"])
    return context


def start_child(folder: Path, settings: dict[str, Any], **plan: Any) -> ForkServerProcess:
    """Start a process that trains or continues a run; see `work`."""
    child = _context().Process(target=work, args=(str(folder), settings), kwargs=plan)
    child.start()
    return child


def run_child(folder: Path, settings: dict[str, Any], **plan: Any) -> int:
    """Run a child process to its end and return its exit code; negative for a signal."""
    return _exit_code(start_child(folder, settings, **plan))


def run_in_child(function: Callable[..., None], *arguments: Any) -> int:
    """Run a test module's function in a process of its own and return the exit code."""
    child = _context().Process(target=function, args=arguments)
    child.start()
    return _exit_code(child)


def _exit_code(child: ForkServerProcess) -> int:
    child.join(60)
    code = child.exitcode
    assert code is not None
    child.close()
    return code


def work(folder: str, settings: dict[str, Any], **plan: Any) -> None:
    """Train in a folder, or continue the folder's run, in a process of its own.

    Args:
        folder: of the run.
        settings: beside those of `TINY`.
        plan: ``die_at``: (what, number): kill this process in the middle of the number-th write of
            that kind; ``signal_at``: (signal, epoch): send it to this process after the epoch;
            ``largest_file``: bytes beyond which the system refuses to write, from epoch 1 on.
    """
    heard = Heard()

    def react(event: Event) -> None:
        heard(event)
        if not isinstance(event, EpochEnded):
            return
        if plan.get("signal_at", (0, 0))[1] == event.epoch:
            os.kill(os.getpid(), plan["signal_at"][0])
        if "largest_file" in plan and event.epoch == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (plan["largest_file"],) * 2)

    if "die_at" in plan:
        sabotage(*plan["die_at"])
    path = Path(folder)
    if RunFolder(path).is_run():
        bitfold.resume(path, [react])
    else:
        bitfold.train(tiny(path, **settings), [react])
    (path / "notices").write_text("".join(line + "\n" for line in heard.notices))
    os._exit(heard.ended.exit_code)


def sabotage(what: str, number: int) -> None:
    """Kill this process in the middle of the number-th write of a kind; see `work`."""
    calls = 0

    def is_time() -> bool:
        nonlocal calls
        calls += 1
        return calls == number

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    replace, fsync, append = os.replace, os.fsync, files.AppendOnlyFile.append

    def replace_or_die(source: Any, target: Any) -> None:
        due = is_time()
        if due and what == "before rename":
            die()
        replace(source, target)
        if due and what == "after rename":
            die()

    def fsync_or_die(descriptor: int) -> None:
        if is_time():
            die()
        fsync(descriptor)

    def write_or_die(path: Path, data: bytes) -> None:
        if is_time():
            path.with_name(path.name + ".tmp").write_bytes(data[: len(data) // 2])
            die()
        files.write_atomically(path, data)

    def append_or_die(self: files.AppendOnlyFile, record: bytes) -> None:
        if record.startswith(b"{") == (what == "half a line") and is_time():
            append(self, record[: len(record) // 2])
            die()
        append(self, record)

    match what:
        case "before rename" | "after rename":
            patch.object(os, "replace", replace_or_die).start()
        case "sync":
            patch.object(os, "fsync", fsync_or_die).start()
        case "half a checkpoint":
            patch.object(checkpoints, "write_atomically", write_or_die).start()
        case _:
            patch.object(files.AppendOnlyFile, "append", append_or_die).start()
