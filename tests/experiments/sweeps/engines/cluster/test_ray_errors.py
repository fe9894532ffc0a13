"""What Ray raises becomes one line, without a running Ray."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bitfold.errors import RunError
from bitfold.experiments import RayPlace
from bitfold.experiments.sweeps.engines.cluster import ray_engine
from bitfold.experiments.sweeps.engines.cluster.ray_engine import MOST_LOSSES, RayEngine, _Attempt
from bitfold.experiments.sweeps.engines.engine import Finished
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberTask
from tests.experiments.sweeps.sweep_runs import CONFIG

ray = pytest.importorskip("ray")

MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.40.0
    Python: 3.11.7
This process on node 127.0.0.1 was started with:
    Ray: 2.60.0
    Python: 3.11.7
"""
MEMORY = """Task was killed due to the node running low on memory.
Memory on the node (IP: 127.0.0.1) was 1.9GB / 2.0GB (0.95), which exceeds the threshold.
"""


def raising(error: Exception) -> Any:
    """Return a function that raises an error, whatever it is given."""

    def call(*_: object, **__: object) -> None:
        raise error

    return call


def test_a_cluster_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has the versions of both."""
    fake = SimpleNamespace(init=raising(RuntimeError(MISMATCH)), shutdown=lambda: None)
    monkeypatch.setattr(ray_engine, "_imported", lambda: fake)
    with pytest.raises(RunError) as caught:
        RayEngine(1, 1, RayPlace("auto"))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("Cannot reach Ray at auto: Version mismatch: The cluster was started")
    assert message.index("Ray: 2.40.0") < message.index("Ray: 2.60.0")


def test_a_member_that_memory_does_not_suffice_for_is_given_up(tmp_path: Path) -> None:
    """It is begun again some times; then its end has the reason in one line."""
    engine = object.__new__(RayEngine)
    error = ray.exceptions.OutOfMemoryError(MEMORY)
    engine._ray = SimpleNamespace(get=raising(error), exceptions=ray.exceptions)
    engine._stop, engine._attempts, begun = None, {}, list[str]()

    def submitted(task: MemberTask) -> Any:
        begun.append(task.name)
        return iter([object()])

    engine._submitted = submitted  # type: ignore[method-assign] # no Ray runs
    task = MemberTask("a", CONFIG.replace(output_dir=str(tmp_path / "a")))
    engine.start(task)
    attempt: _Attempt = engine._attempts["a"]
    reports = [report for _ in range(MOST_LOSSES + 1) for report in engine._take(attempt)]
    (finished,) = reports
    assert isinstance(finished, Finished)
    assert isinstance(finished.end, MemberEnd)
    assert (finished.end.status, finished.end.is_final) == ("killed", False)
    assert finished.end.reason == MEMORY.split("\n", 1)[0]
    assert begun == ["a"] * (MOST_LOSSES + 1)
