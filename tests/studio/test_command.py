"""``bitfold studio`` as a process, and other commands on the runs that it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bitfold.cli.main import main
from bitfold.training import load_run
from tests.studio.test_server import LOOK, PATIENCE_SECONDS, page_of

PROGRAM = """
import sys
from bitfold import experiments
from bitfold.cli.main import main
from bitfold.studio.server.assets import Assets
page = Assets({"/": ("text/html", b"<!doctype html>")})
Assets.built = classmethod(lambda cls: page)
experiments.DEMO = {"target": "ring", "size": 16, "shape": "[4]*2", "points": 64,
                    "batch_size": 64, "kolmogorov_weight": 0.01, "audit": False}
sys.exit(main(["studio", "--no-browser", "--folder", sys.argv[1]]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of runs of a studio that was played, painted, branched and interrupted."""
    found = tmp_path_factory.mktemp("studio") / "runs"
    # Buffered as for a user, where a test's own process may not be.
    given = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", PROGRAM, str(found)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=given) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        use(f"{url}&folder={found}")
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE_SECONDS) == 0
        assert server.stdout.read() == ""
    yield found


def use(url: str) -> None:
    """Play, paint, change lambda, branch, and leave both runs training."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.say("look", run="ring", **LOOK)
        page.hear("partition")
        page.say("play", run="ring", epochs=3)
        page.hear("moment", lambda m: m.facts["epoch"] == 3 and not m.facts["is_playing"])
        stroke = {"tool": "letter", "text": "b", "points": [[0, 0]], "radius": 0.4}
        page.say("paint", run="ring", begins=True, colour="#ffffff", **stroke)
        page.hear("target", lambda m: bool(m.facts["can_undo"]))
        page.say("change", run="ring", settings={"kolmogorov_weight": 0.1})
        page.hear("settings", lambda m: m.facts["settings"]["kolmogorov_weight"] == 0.1)
        page.say("speed", run="ring", epochs_per_second=30)
        page.say("play", run="ring")
        page.hear("moment", lambda m: m.facts["epoch"] >= 6)
        page.say("branch", run="ring", epoch=4)
        name = page.hear("began").facts["run"]
        page.say("open", run=name)
        page.say("play", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and m.facts["epoch"] >= 6)


def test_the_address_comes_through_a_pipe_and_an_interrupt_saves_every_session(
    folder: Path,
) -> None:
    """The address is flushed on a line of its own, and Ctrl-C saves each run at its epoch."""
    for name in ("ring", "ring-from-4"):
        run = load_run(folder / name)
        status = run.status
        assert status["status"] == "paused"
        assert status["epoch"] == run.last_epoch == run.epochs()[-1] >= 6


@pytest.mark.parametrize("name", ["ring-from-4", pytest.param("ring", marks=pytest.mark.slow)])
def test_other_commands_work_on_the_studios_runs(folder: Path, tmp_path: Path, name: str) -> None:
    """A run of the studio, and its branch, is resumed, repeated, drawn, reported and compressed."""
    run = str(folder / name)
    epoch = load_run(run).last_epoch
    quiet = ["--quiet"]
    assert main(["resume", run, "--epochs", str(epoch + 2), *quiet]) == 0
    assert load_run(run).last_epoch == epoch + 2
    assert main(["replay", run, *quiet]) == 0
    for words, file in (
        (["render", run, "--epoch", str(epoch + 2)], "frame.png"),
        (["report", run], "report.html"),
        (["compress", run], "net.bitfold"),
        (["polytopes", run], "folds.svg"),
        (["plot", run], "curves.svg"),
    ):
        assert main([*words, "-o", str(tmp_path / file), *quiet]) == 0, words
        assert (tmp_path / file).stat().st_size > 50


def test_the_painted_target_and_the_parents_changes_are_recorded(folder: Path) -> None:
    """The branch has the parent's painted target and changes, and names parent and epoch."""
    ring, branch = load_run(folder / "ring"), load_run(folder / "ring-from-4")
    assert [change.epoch for change in ring.changes.items[:2]] == [4, 4]
    assert np.array_equal(ring.target.pixels, branch.target.pixels)
    assert not np.array_equal(ring.at(0).target.pixels, ring.target.pixels)
    facts = json.loads((folder / "ring-from-4" / "run.json").read_text())
    assert (Path(facts["parent"]).name, facts["parent_epoch"]) == ("ring", 4)
