"""The page of a comparison: self-contained, and safe with hostile names."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bitfold import load_sweep, sweep, train
from bitfold.cli.main import main
from bitfold.errors import ConfigError, RunError
from bitfold.experiments import compare_runs
from bitfold.experiments.comparison.curves import curves_of
from bitfold.experiments.comparison.entries import Entry, gather_entries
from bitfold.experiments.comparison.page import comparison_page
from bitfold.experiments.sweeps.member_end import MemberEnd
from tests.experiments.sweeps.sweep_runs import CONFIG

HOSTILE = "</script><script>alert(1)</script>\x1b[2J&"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a sweep of four members, one of which diverges."""
    folder = tmp_path_factory.mktemp("compare") / "sweep"
    grid: dict[str, Any] = {"seed": [0, 1], "learning_rate": [0.01, 1e6]}
    sweep(CONFIG.replace(epochs=40, optimizer="sgd"), grid, folder, jobs=1)
    return folder


class Parts(HTMLParser):
    """Collects a page's scripts and everything that its attributes refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.links: list[str] = []
        self.policy = ""
        self._is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep tags that may load or run content."""
        found = dict(attrs)
        self._is_script = tag == "script"
        if self._is_script:
            self.scripts.append((found, ""))
        self.links += [str(found[name]) for name in ("src", "href") if name in found]
        assert not any(name.startswith("on") for name in found)
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(found["content"])

    def handle_endtag(self, tag: str) -> None:
        """End the text of a script."""
        self._is_script = False

    def handle_data(self, data: str) -> None:
        """Add the text of a script."""
        if self._is_script:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def parts_of(page: str) -> tuple[Parts, dict[str, Any]]:
    """Return the parts of a page, and its data."""
    parts = Parts()
    parts.feed(page)
    (data, script) = parts.scripts
    assert data[0]["type"] == "application/json"
    digest = b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in parts.policy
    assert parts.policy.startswith("default-src 'none'")
    found: dict[str, Any] = json.loads(data[1])
    return parts, found


def test_the_page_holds_every_run_and_refers_to_nothing(trained: Path) -> None:
    """The page has the table, curves and a picture of each run, and one script of its own."""
    found = compare_runs([trained])
    assert (found.path, found.num_runs) == (trained / "compare.html", 4)
    page = found.path.read_text()
    parts, data = parts_of(page)
    assert parts.links == []
    assert data["settings"] == ["seed", "learning_rate"]
    assert len(data["epochs"]) == 40
    first, second = data["runs"][:2]
    assert first["numbers"]["bytes"] == load_sweep(trained).table["num_bytes"][0]
    assert len(first["curves"]["validation_loss"]) == 40
    assert all(run["frame"].startswith("data:image/webp;base64,") for run in data["runs"][::2])
    assert second["status"] == "finite"
    assert second["curves"]["validation_loss"][-1] is None
    assert len(page) < 200_000


def test_hostile_names_stay_text() -> None:
    """Hostile names end no script, run no code and move no cursor."""
    end = MemberEnd(HOSTILE, HOSTILE, num_bytes=5, error=0.5)
    entries = [Entry(HOSTILE, {HOSTILE: value, "seed": 0}, end, None) for value in (HOSTILE, "b")]
    page = comparison_page(entries, HOSTILE)
    parts, data = parts_of(page)
    assert len(parts.scripts) == 2
    assert "\x1b" not in page
    assert data["runs"][0]["name"].startswith("</script>")
    assert "&lt;/script&gt;" in page


def test_curves_end_where_their_run_does(trained: Path) -> None:
    """Shorter runs end early on shared epochs, so that medians use runs at the same epoch."""
    epochs, curves = curves_of(gather_entries([trained]))
    run = load_sweep(trained).run(load_sweep(trained).members[0])
    assert epochs == list(range(1, 41))
    assert curves[0]["task_loss"] == pytest.approx(run.metrics["task_loss"], rel=1e-4)
    assert None in curves[1]["task_loss"]


def test_runs_on_their_own_stand_beside_a_sweep(trained: Path, tmp_path: Path) -> None:
    """Single runs are compared by their different settings; a missing folder keeps its numbers."""
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    shutil.rmtree(copy / "seed-0-learning_rate-0.01")
    run = train(CONFIG.replace(seed=7, shape="[4]", output_dir=str(tmp_path / "alone")))
    entries = gather_entries([copy, run.path])
    assert [entry.name for entry in entries][::4] == ["copy/seed-0-learning_rate-0.01", "alone"]
    assert entries[0].run is None
    assert entries[0].end.num_bytes is not None
    assert (entries[4].settings["seed"], entries[4].settings["shape"]) == (7, "[4]")
    assert entries[4].end.num_bytes is not None
    page = compare_runs([copy, run.path], tmp_path / "page.html").path.read_text()
    assert re.search(r"5\s+runs", page)


def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No folder, a foreign folder, or a sweep without trained members is refused."""
    with pytest.raises(ConfigError, match="got none"):
        compare_runs([])
    with pytest.raises(RunError, match=r"without config\.toml"):
        compare_runs([tmp_path])
    assert main(["compare", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
