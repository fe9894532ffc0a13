"""A stranger's frontier record: its paths are not followed and its texts are escaped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bitfold import Config
from bitfold.cli.main import main
from bitfold.errors import RunError
from bitfold.experiments import frontier
from bitfold.experiments.frontiers.figure import draw_frontier
from bitfold.experiments.frontiers.frontier import load_frontier


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a frontier of one network."""
    folder = tmp_path_factory.mktemp("frontier") / "curve"
    config = Config(
        target="disk", size=16, shape="[2]", points=50, validation_points=20, epochs=1, audit=False,
        measure_folds=0,
    )  # fmt: skip
    return frontier(config, [0.01], [0], folder).path


def point(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Return a change of a field of the network."""
    return lambda content: content["points"][0].__setitem__(name, value)


def field(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Return a change of a field of the record."""
    return lambda content: content.__setitem__(name, value)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a lambda that leads elsewhere": (
        field("kolmogorov_weights", ["bits:1/../../../outside"]), "a whole number after bits:",
    ),
    "a lambda of a network": (point("kolmogorov_weight", "$\\frac{"), "expected a number or 'mdl'"),
    "a lambda that is a list": (field("kolmogorov_weights", [[1]]), "got a list"),
    "an endless lambda": (field("kolmogorov_weights", [10**400]), "weight: expected a finite"),
    "a seed that is a text": (field("seeds", "abc"), "expected a number, got 'a'"),
    "a run elsewhere": (point("run", "../outside"), "is no name of a run"),
    "a file elsewhere": (point("file", "/etc/passwd"), "is no name of a file"),
    "a size that is a text": (point("num_bytes", "1"), "has numbers that are none"),
    "an endless error": (point("error", 1e308), "has numbers that are none"),
    "a field too many": (point("more", 1), "more"),
    "two networks of one run": (
        lambda content: content["points"].extend(content["points"]), "two networks of one run",
    ),
    "points that are none": (field("points", {"a": 1}), ""),
    "two goals": (field("wanted", {"num_bytes": 1, "error": 1}), "several goals"),
    "an endless goal": (field("wanted", {"num_bytes": None, "error": 10**400}), "longer integer"),
    "a goal that is a text": (field("wanted", {"num_bytes": "1", "error": None}), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_record_that_is_none_is_refused(
    name: str, curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one line that names the bad field; no file is written anywhere."""
    change, expected = WRONG[name]
    content = json.loads((curve / "frontier.json").read_text(encoding="utf-8"))
    change(content)
    (tmp_path / "curve").mkdir()
    (tmp_path / "curve" / "frontier.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError, match="expected the record of a frontier"):
        load_frontier(tmp_path / "curve")
    assert main(["frontier", "-o", str(tmp_path / "curve")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("\n")
    assert said.err[:-1].isprintable()
    assert expected in said.err
    assert [path.name for path in tmp_path.rglob("*")] == ["curve", "frontier.json"]


@pytest.mark.parametrize("setting", ["checkpoint_dir", "snapshot_dir"])
def test_a_record_names_no_folder_outside(
    setting: str, curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder outside the curve is not used; the line names the option that allows it."""
    content = json.loads((curve / "frontier.json").read_text(encoding="utf-8"))
    content["settings"][setting] = str(tmp_path / "outside")
    (tmp_path / "curve").mkdir()
    (tmp_path / "curve" / "frontier.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(["frontier", "-o", str(tmp_path / "curve"), "--lambdas", "0.5"]) == 2
    assert f"repeat --{setting.replace('_', '-')} {tmp_path}/outside." in capsys.readouterr().err
    assert not (tmp_path / "outside").exists()


def test_the_title_of_its_figure_is_text(
    curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dollar sign in a figure's title starts no formula."""
    record = load_frontier(curve).record
    settings = {**record.settings, "target": "a/$\\frac{<script>\x1b[2J\u7167-->"}
    draw_frontier(replace(record, settings=settings), tmp_path)
    text = (tmp_path / "frontier.svg").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "\x1b" not in text
    assert capsys.readouterr().err == ""
