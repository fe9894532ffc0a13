"""What the hub knows of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.live_run import LiveRun
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.wire.message import Message, encode
from bitfold.training.store.metrics import METRIC_NAMES


def test_a_run_can_be_shown_once_its_trainer_has_told_a_moment(tmp_path: Path) -> None:
    """No page looks yet, so that the first moment has no weights; it says that they can be had."""
    hub = Hub(RunsFolder(tmp_path))
    assert not hub.can_show("")
    hub._cutter.is_loaded = True
    assert hub.can_show("")
    live = hub._live["ring"] = LiveRun("ring", str(tmp_path / "ring"))
    live.is_starting = live.is_coming = True
    assert not hub.can_show("ring")
    rows = np.empty((0, len(METRIC_NAMES)))
    live.hear(encode(Message("moment", {"epoch": 0, "frames": []}, {"rows": rows})), _ignore)
    assert hub.can_show("ring")


def test_a_run_that_could_not_begin_is_shown_with_its_reason(tmp_path: Path) -> None:
    """A trainer that has ended is not waited for."""
    hub = Hub(RunsFolder(tmp_path))
    hub._cutter.is_loaded = True
    live = hub._live["ring"] = LiveRun("ring", str(tmp_path / "ring"))
    live.is_starting = True
    live.end("The trainer cannot be started: no memory.")
    assert hub.can_show("ring")


def _ignore(kind: str, told: bytes) -> None:
    del kind, told
