"""A page's other views of runs, as messages."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest

from bitfold.studio.wire.message import Message
from bitfold.training import load_run
from tests.studio.test_server import LOOK, page_of, parts_of, url

__all__ = ["url"]  # a fixture


def test_the_seeds_bug_is_planted_and_the_audit_names_the_line(url: str) -> None:
    """The planted bug is a recorded change like any other, and the audit names its line."""
    with page_of(url) as page:
        settings = {"target": "ring", "size": 16, "shape": "[4]*2", "points": 64}
        page.say("new", settings={**settings, "batch_size": 64, "kolmogorov_weight": 0.1})
        run = page.hear("began").facts["run"]
        page.say("open", run=run)
        page.say("play", run=run, epochs=2)
        assert page.hear("audit").facts["is_ok"]
        page.hear("moment", lambda m: m.facts["epoch"] == 2 and not m.facts["is_playing"])
        page.say("change", run=run, settings={"kolmogorov_targets": "cut"})
        found = page.hear("audit", lambda m: not m.facts["is_ok"])
        (mark,) = page.hear("marks", lambda m: bool(m.facts["marks"])).facts["marks"]
        change = page.hear("changes", lambda m: bool(m.facts["changes"])).facts["changes"][0]
        page.say("stop", run=run)
    assert (mark["epoch"], mark["kind"]) == (2, "audit")
    assert (change["epoch"], change["settings"]["kolmogorov_targets"]) == (3, "cut")
    assert change["before"]["kolmogorov_targets"] == "soft"
    verdicts = {(row["term"], row["module"]): row for row in found.facts["rows"]}
    assert verdicts["K", "network"]["verdict"] == "cut"
    assert any(site.startswith("cut.py:") for site in verdicts["K", "network"]["sites"])
    assert verdicts["K", "predictor"]["verdict"] == "reaches"


def is_of_view(number: int, message: Message) -> bool:
    """Return whether a partition belongs to a view."""
    return bool(message.facts["view"] == number)


def test_a_page_is_told_of_four_runs_at_most(url: str) -> None:
    """A page follows four runs; a fifth is refused until one is closed, which then is silent."""
    folder = parts_of(url)[2]
    names = [f"copy-{number}" for number in range(4)]
    with page_of(url) as page:
        page.say("open", run="ring")
        target = page.hear("target")
        page.say("play", run="ring", epochs=1)
        page.hear("moment", lambda m: m.facts["epoch"] >= 1 and not m.facts["is_playing"])
        page.say("stop", run="ring")
        page.hear("moment", lambda m: not m.facts["is_trained"])
        for name in names:
            shutil.copytree(folder / "ring", folder / name)
        for number, name in enumerate(names[:3], 1):
            page.say("open", run=name)
            page.say("look", run=name, **{**LOOK, "view": number})
            one = page.hear("partition", partial(is_of_view, number))
            assert one.facts["run"] == name
        page.say("open", run=names[3])
        assert "at most 4 runs" in str(page.hear("refused").facts["text"])
        page.say("close", run=names[0])
        page.say("open", run=names[3])
        again = page.hear("target", lambda m: m.facts["run"] == names[3])
        assert (again.arrays["pixels"] == target.arrays["pixels"]).all()


def test_the_points_that_are_learned_are_the_runs_own(url: str) -> None:
    """The points are the run's, in the picture's coordinates; another number sends them again."""
    with page_of(url) as page:
        page.say("open", run="ring")
        first = page.hear("points")
        page.say("change", run="ring", settings={"points": 70})
        page.hear("points", lambda m: m.facts["counts"]["training"] == 70)
        page.say("stop", run="ring")
        page.hear("moment", lambda m: not m.facts["is_trained"])
    run = load_run(parts_of(url)[2] / "ring")
    assert len(run.split.training) == 70
    before = run.at(0).split.training
    expected = run.target.grid.coordinates(before)
    np.testing.assert_array_equal(first.arrays["training"], expected)


@pytest.mark.slow
def test_a_video_is_saved_and_another_one_is_cancelled(url: str) -> None:
    """A video reports its progress; a cancelled video sends neither a file nor a refusal."""
    with page_of(url) as page:
        page.say("open", run="ring")
        page.say("play", run="ring", epochs=2)
        page.hear("moment", lambda m: m.facts["epoch"] >= 2 and not m.facts["is_playing"])
        page.say("look", run="ring", **LOOK)
        page.hear("partition")
        page.say("save", view=0, format="mp4")
        told = page.hear("progress").facts
        assert 1 <= told["done"] <= told["total"]
        file = page.hear("file")
        page.say("save", view=0, format="mp4")
        page.say("cancel")
        page.say("save", view=0, format="npz")
        assert str(page.hear("file").facts["name"]).endswith(".npz")
    assert str(file.facts["name"]).endswith(".mp4")
    assert file.arrays["data"].tobytes()[4:8] == b"ftyp"
