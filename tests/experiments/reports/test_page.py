"""``bitfold report``: one HTML file about the size and the quality of a run's network."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import bitfold
from bitfold.cli.main import main
from bitfold.experiments import CodedRun, code_run
from bitfold.experiments.reports.facts import gather_facts
from bitfold.experiments.reports.page import report_page
from bitfold.model_file import baselines, model_info

SMALL: dict[str, Any] = {
    "size": 128, "shape": "[6]*2", "seed": 3, "epochs": 30, "batch_size": 512,
    "learning_rate": 0.01, "kolmogorov_lr": 0.01, "measure_folds": 0, "audit": False,
}  # fmt: skip
BY_SCALES = {"kolmogorov_range": "auto", "kolmogorov_targets": "linear"}
#: Runs by name; the first name would be HTML if it were not escaped.
RUNS: dict[str, dict[str, Any]] = {
    "a & <b>'x'": {
        **BY_SCALES, "target": "ring", "kolmogorov_weight": 0.002, "epochs": 150,
        "kolmogorov_predictor": "row_column", "learning_rate": 0.02,
    },
    "classes": {"target": "disk", "task": "classification"},
    "all": {"target": "checkerboard", "size": 24, "points": "all"},
    "layers": {"target": "ring", "layout": "layers", "epochs": 1, "final_activation": "sigmoid"},
}  # fmt: skip


class Page(HTMLParser):
    """Parses a page; bad nesting and references to other files are errors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.images: list[bytes] = []
        self.cells: list[list[str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        """Check that a tag runs no code and loads no file."""
        assert name not in {"script", "link", "iframe", "object", "embed", "base", "form", "a"}
        for key, value in attributes:
            assert not key.startswith("on"), key
            given = value or ""
            if key == "src":
                assert given.startswith("data:image/png;base64,")
                self.images.append(base64.b64decode(given.partition(",")[2], validate=True))
            elif key.endswith("href"):
                assert given.startswith("#")
            elif key == "style":
                assert value is not None
                assert "url(" not in value or "url(#" in value
        self.tags.append(name)
        if name not in {"meta", "img"}:
            self.open.append(name)
        if name == "tr":
            self.cells.append([])
        if name in {"td", "th"}:
            self.cells[-1].append("")

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        """Handle the tag as `handle_starttag` does, and close it at once."""
        self.handle_starttag(name, attributes)
        if name not in {"meta", "img"}:
            self.open.pop()

    def handle_endtag(self, name: str) -> None:
        """Check that the tag closes the one opened last."""
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        """Collect the words of the page and of its cells."""
        if "style" in self.open:
            assert "url(" not in data
            assert "@import" not in data
            return
        self.words += data
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1][-1] += data

    def row(self, first: str) -> list[str]:
        """Return the cells of the row that begins with a text."""
        (found,) = (row for row in self.cells if row[0] == first)
        return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bitfold.Run]:
    """Train the runs without drawing frames."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: bitfold.train(
            bitfold.Config(**{**SMALL, **settings, "output_dir": str(folder / name)})
        )
        for name, settings in RUNS.items()
    }


@pytest.fixture(scope="module")
def report(runs: dict[str, bitfold.Run]) -> Callable[[str], Page]:
    """Return a function that makes the page of a run once."""
    pages: dict[str, Page] = {}

    def made(name: str) -> Page:
        if name not in pages:
            assert main(["report", str(runs[name].path), "--quiet"]) == 0
            text = (runs[name].path / "report.html").read_text(encoding="utf-8")
            assert "<script" not in text
            assert 'http-equiv="Content-Security-Policy" content="default-src' in text
            pages[name] = Page(text)
        return pages[name]

    return made


@pytest.fixture
def first(runs: dict[str, bitfold.Run]) -> bitfold.Run:
    """Return the run with K."""
    return runs[next(iter(RUNS))]


@pytest.mark.parametrize("name", RUNS)
def test_a_page_holds_all_its_parts_and_nothing_else(
    name: str, runs: dict[str, bitfold.Run], report: Callable[[str], Page]
) -> None:
    """A page is well-formed and self-contained, and has four pictures and a curve for any name."""
    page = report(name)
    assert page.words.count(name) >= 2
    # The card and the table of other compressors say which pixels their qualities are of.
    assert page.words.count("pixels of the whole picture") >= 2
    assert page.tags.count("svg") == 1
    sizes = [Image.open(io.BytesIO(data)).size for data in page.images]
    assert sizes[0] == sizes[1] == sizes[2] == (360, 360)
    assert len(sizes) == 4
    for title in ("How well it does", "What each byte is for", "What its size promises"):
        assert title in page.words
    assert str(runs[name].path.parent) not in page.words


def test_the_size_and_its_items_are_those_of_the_real_file(
    first: bitfold.Run, report: Callable[[str], Page], tmp_path: Path
) -> None:
    """The page's size is that of the file of `bitfold compress`, and its items add up to it."""
    path = tmp_path / "net.bitfold"
    assert main(["compress", str(first.path), "-o", str(path), "--quiet"]) == 0
    page, info = report(first.path.name), model_info(path)
    size = path.stat().st_size
    assert f"{size:,} bytes" in page.words
    assert page.row("total")[1] == f"{size:,.1f}"
    for item in info.items:
        row = page.row(item.name)
        assert row[1] == f"{item.bits / 8:,.1f}"
        if item.num_numbers:
            assert row[2:6] == [
                f"{item.num_numbers:,}", f"{item.bits / item.num_numbers:.3f}",
                f"{item.num_zeros:,}", f"{item.num_dead:,}",
            ]  # fmt: skip
    assert "oded as trained" in page.words


def test_errors_are_those_of_what_is_decoded(
    first: bitfold.Run, report: Callable[[str], Page], tmp_path: Path
) -> None:
    """Errors are those at all pixels: of the file's network, the run's own, and each baseline."""
    path = tmp_path / "net.bitfold"
    assert main(["compress", str(first.path), "-o", str(path), "--quiet"]) == 0
    decoded, page = bitfold.read_model(path), report(first.path.name)
    errors = [_mse(first, network) for network in (first.network(), decoded)]
    assert page.row("all pixels")[2:4] == [f"{error:.4g}" for error in errors]
    assert page.row("this file")[4] == f"{errors[1]:.4g}"
    network = first.network()
    for row in baselines(network.state_dict(), decoded.state_dict()):
        trial = first.new_network()
        trial.load_state_dict(dict(row.state))
        cells = page.row(row.name)
        assert cells[1] == f"{row.num_bytes:,}"
        assert float(cells[4].replace(",", "")) == pytest.approx(_mse(first, trial), rel=1e-3)


def test_a_page_says_what_was_measured_and_how_it_was_chosen(
    first: bitfold.Run, report: Callable[[str], Page]
) -> None:
    """The page names the pixels of each measurement, and the rules for weights and code."""
    page = report(first.path.name)
    assert "all bytes of the file, as it lies on a disk" in page.row("size")[1]
    assert f"{first.target.num_usable:,} pixels of the whole picture" in page.row("errors")[1]
    assert page.cells.count(["training", f"{len(first.split.training):,} pixels, which the "
                             "network learned"]) == 1  # fmt: skip
    assert f"epoch {first.epochs()[-1]:,}, the last" in page.row("weights")[1]
    assert page.row("code")[1].startswith(code_run(first).how)


def test_a_page_says_that_learned_steps_keep_the_best_epoch(tmp_path: Path) -> None:
    """A training with learned steps chooses among its last epochs, and the page says how."""
    settings = {**SMALL, "target": "ring", "size": 24, "epochs": 2, "kolmogorov_weight": 0.003,
                "kolmogorov_quantise": "learned", "output_dir": str(tmp_path / "run")}  # fmt: skip
    del settings["kolmogorov_lr"]
    run = bitfold.train(bitfold.Config(**settings))
    assert main(["report", str(run.path), "--quiet"]) == 0
    page = Page((run.path / "report.html").read_text(encoding="utf-8"))
    assert "in its last tenth of the epochs" in page.row("weights")[1]


def _mse(run: bitfold.Run, network: torch.nn.Module) -> float:
    points = torch.from_numpy(run.target.grid.coordinates(run.target.usable))
    wanted = torch.from_numpy(run.target.values(run.target.usable))
    with torch.no_grad():
        return float((network(points).double() - wanted).square().mean())


def test_classes_are_told_by_shares(
    runs: dict[str, bitfold.Run], report: Callable[[str], Page]
) -> None:
    """The page of a classifier shows cross-entropy and the share of pixels in the wrong class."""
    run, page = runs["classes"], report("classes")
    points = torch.from_numpy(run.target.grid.coordinates(run.split.validation))
    wanted = torch.from_numpy(run.target.values(run.split.validation))
    with torch.no_grad():
        outputs = run.network()(points)
    wrong = float((outputs.argmax(1) != wanted).double().mean())
    row = page.row("validation points")
    assert row[4] == f"{100 * wrong:.2f} %"
    assert row[2] == f"{torch.nn.functional.cross_entropy(outputs, wanted).item():.4g}"
    assert "share of wrong pixels" in page.words


def number(pattern: str, text: str) -> float:
    """Return the first number that a pattern's group finds in a text."""
    match = re.search(pattern, text)
    assert match is not None, text
    return float(match[1])


def test_the_bound_is_that_of_the_file_and_says_what_it_is_about(
    first: bitfold.Run, report: Callable[[str], Page]
) -> None:
    """The bound's numbers are those of `bitfold.bound`, and the picture's own error is shown."""
    page = report(first.path.name)
    bits, num_points = (int(page.row(name)[2].replace(",", "")) for name in ("bits", "n"))
    assert num_points == 5000
    seen, limit = (float(page.row(name)[2]) for name in ("r", "R"))
    assert limit == pytest.approx(bitfold.bound(bits, seen, num_points), abs=2e-4)
    assert "is at most R = " in page.words
    assert "a fixed grid and no independent samples" in page.words
    measured = number(r"Measured: ([\d.]+)\.", page.words)
    assert seen / 2 < measured < limit
    guess = number(r"answer(?:, which knows nothing,)? has ([\d.]+)\.", page.words)
    assert ("vacuous" in page.words) == (limit >= guess)
    values = first.target.values(first.target.usable)
    assert guess == pytest.approx(values.var(dtype=np.float64), rel=1e-3)


def test_where_every_pixel_was_looked_at_there_is_nothing_to_bound(
    report: Callable[[str], Page],
) -> None:
    """If the training saw every pixel, the page says that there is no bound and gives no number."""
    words = report("all").words
    assert "It does not apply: every pixel of the picture was learned" in words
    assert "is at most R" not in words
    assert "the first of which is missing here" in words


def test_the_curve_has_the_colours_of_the_page(first: bitfold.Run) -> None:
    """The curve uses the page's colour variables without a background, for both themes."""
    main(["report", str(first.path), "--quiet"])
    text = (first.path / "report.html").read_text(encoding="utf-8")
    match = re.search(r"<svg.*?</svg>", text, re.DOTALL)
    assert match is not None
    curve = match[0]
    assert "var(--ink)" in curve
    assert "var(--accent)" in curve
    assert not re.findall(r"#[0-9a-f]{6}\b(?!\")", re.sub(r'href="#\w+"', "", curve))
    assert "<style" not in curve
    assert "<metadata" not in curve


def test_the_same_run_gives_the_same_page(first: bitfold.Run, tmp_path: Path) -> None:
    """A page of the same run has the same bytes, without a date or a path."""
    copied = shutil.copytree(first.path, tmp_path / first.path.name)
    pages = []
    for path in (first.path, copied):
        assert main(["report", str(path), "-o", str(tmp_path / "page.html"), "--quiet"]) == 0
        pages.append((tmp_path / "page.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_file_that_was_written_before_can_be_reported_on(
    first: bitfold.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page about an existing file shows that file's size."""
    model, output = tmp_path / "net.bitfold", tmp_path / "page.html"
    main(["compress", str(first.path), "-o", str(model), "--bytes", "70", "--quiet"])
    assert main(["report", str(first.path), "--model", str(model), "-o", str(output)]) == 0
    told = capsys.readouterr().out.splitlines()
    size = model.stat().st_size
    assert told == [f"{size} bytes, coded as net.bitfold has it", str(output)]
    assert Page(output.read_text(encoding="utf-8")).row("this file")[1] == str(size)


def test_text_is_escaped_wherever_it_stands(first: bitfold.Run) -> None:
    """Names of tensors and compressors, and code, are escaped in elements and in attributes."""
    bad = '"><script>alert(1)</script>'
    coded = code_run(first)
    facts = gather_facts(first, CodedRun(coded.data, coded.network, bad))
    row, quality = facts.rows[0]
    rows = ((dataclasses.replace(row, name=bad, note=bad), quality),)
    items = (facts.info.items[0]._replace(name=bad, method=bad), *facts.info.items[1:])
    info = dataclasses.replace(facts.info, items=items)
    text = report_page(dataclasses.replace(facts, rows=rows, info=info))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 4
    assert bad in Page(text).words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["NOWHERE"], "Cannot open run"),
        (["RUN", "-o", "NOWHERE/a/page.html"], "Cannot write"),
        (["RUN", "--model", "NOWHERE"], "No such file"),
        (["RUN", "--model", "OTHER"], "expected the network of"),
        (["RUN", "--model", "MODULE"], "into=module"),
        (["EMPTY"], "expected a run that has kept weights"),
    ],
)
def test_what_cannot_be_done_takes_one_line(
    arguments: list[str],
    message: str,
    first: bitfold.Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An impossible request exits with code 2, prints one line and writes no page."""
    places = {name: tmp_path / name.lower() for name in ("NOWHERE", "OTHER", "MODULE", "EMPTY")}
    bitfold.write_model(places["OTHER"], bitfold.PolytopeNet(2, [3], 1))
    bitfold.write_model(places["MODULE"], torch.nn.Linear(2, 1))
    shutil.copytree(first.path, places["EMPTY"])
    shutil.rmtree(places["EMPTY"] / "checkpoints")
    (places["EMPTY"] / "trajectory.bin").unlink()
    (places["EMPTY"] / "report.html").unlink(missing_ok=True)
    given = [str(places.get(one, one)) for one in arguments]
    given = [str(first.path) if one == "RUN" else one for one in given]
    given = [one.replace("NOWHERE", str(places["NOWHERE"])) for one in given]
    assert main(["report", *given]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not list(tmp_path.rglob("*.html"))
