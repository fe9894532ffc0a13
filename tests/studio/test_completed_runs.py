"""Runs that are trained to their end, and what a page still does with them."""

from __future__ import annotations

from bitfold.training import load_run
from tests.studio.test_server import page_of, parts_of, url

__all__ = ["url"]  # a fixture


def test_a_run_that_is_complete_takes_strokes_and_changes_and_goes_on(url: str) -> None:
    """A stroke on a completed run, or another lambda, is learned once it is played again."""
    with page_of(url) as page:
        settings = {"target": "ring", "size": 16, "points": 64, "audit": False, "epochs": 3}
        page.say("new", settings={**settings, "kolmogorov_weight": 0.1})
        name = str(page.hear("began").facts["run"])
        page.say("open", run=name)
        page.say("play", run=name)
        page.hear("moment", lambda m: bool(m.facts["is_over"]))
        stroke = {"tool": "brush", "points": [[0, 0]], "radius": 0.2, "colour": "#ffffff"}
        page.say("paint", run=name, begins=True, **stroke)
        page.hear("target", lambda m: bool(m.facts["can_undo"]))
        page.say("change", run=name, settings={"kolmogorov_weight": 0.2})
        page.hear("moment", lambda m: not m.facts["is_over"] and m.facts["note"] == "")
        page.say("play", run=name, epochs=1)
        page.hear("moment", lambda m: m.facts["run"] == name and m.facts["epoch"] == 4)
        page.say("stop", run=name)
        page.hear("moment", lambda m: m.facts["run"] == name and not m.facts["is_trained"])
    run = load_run(parts_of(url)[2] / name)
    assert {change.epoch for change in run.changes.items} == {4}
    assert run.target.pixels[0, 8, 8, 0] == 255
    assert (run.config.kolmogorov_weight, run.config.epochs, run.last_epoch) == (0.2, 6, 4)
