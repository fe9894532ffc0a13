"""Notebook tables of results."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import torch
from torch import nn

import bitfold
from bitfold.audit.report import AuditRow, GradientAudit, Verdict
from bitfold.experiments import CodedRun, Frontier, FrontierPoint, FrontierRecord, Quality, Report
from bitfold.kolmogorov import Description, PredictorChoice, ReportRow
from bitfold.kolmogorov import Report as BitsReport
from bitfold.model_file import FileItem, ModelFileInfo
from bitfold.polytopes import FoldMeasures, Partition, SampledPartition, sample_partition
from bitfold.runtime.display.html_tables import html_facts, html_table
from bitfold.training import Config, Run
from bitfold.training.store.metric_columns import MetricColumns

EVIL = "<script>alert('&')</script>"
#: Every result class that a call of bitfold returns for people.
RESULTS = (
    BitsReport, CodedRun, Description, FoldMeasures, Frontier, GradientAudit, MetricColumns,
    ModelFileInfo, Partition, PredictorChoice, Quality, Report, Run, SampledPartition,
)  # fmt: skip


class Words(HTMLParser):
    """Collects the words of a page, and checks that tags are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Remember a tag."""
        self.tags.add(tag)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember a text."""
        self.words.append(data)


def shown(result: object) -> list[str]:
    """Return the texts that a notebook shows for a result."""
    page = result._repr_html_()  # type: ignore[attr-defined] # the protocol of notebooks
    found = Words(page)
    assert found.tags <= {"div", "b", "table", "tr", "th", "td", "pre"}
    # The notebook's theme chooses the colours, so none is black or white.
    assert "color:#" not in page
    assert "color:inherit" in page
    return found.words


def test_all_results_are_shown() -> None:
    """Every result class has a notebook table, instead of a text that fills the screen."""
    assert [one.__name__ for one in RESULTS if not hasattr(one, "_repr_html_")] == []


def test_text_is_escaped() -> None:
    """Names of tensors and files are escaped, for any content."""
    for page in (
        html_table(EVIL, [EVIL], [[EVIL]], note=EVIL),
        html_facts(EVIL, {EVIL: EVIL, "none": None}),
    ):
        assert "<script" not in page
        assert Words(page).words.count(EVIL) >= 3


def test_tables_hold_the_numbers_of_their_results(tmp_path: Path) -> None:
    """A table's cells hold the same numbers that `str` prints."""
    assert shown(Description({"weights": 30.0}, num_weights=10))[-3:] == ["total", "30.0", "3.000"]
    assert shown(BitsReport((ReportRow(EVIL, 6, 12.0, 2, 0),)))[-6:-2] == [
        "total", "6", "12.0", "2.000",
    ]  # fmt: skip
    words = shown(ModelFileInfo((FileItem("header", 80.0),), 90))
    assert words[0] == "A model file of 90 bytes"
    assert {"header", "10.0", "90.0"} <= set(words)
    cut = GradientAudit((AuditRow("K", "network", Verdict.CUT, 0.0, 0.0, 0.0, note="why"),), 12)
    assert shown(cut)[0] == "Gradient audit: CUT"
    assert "why" in shown(cut)[-1]
    assert "20.00 dB" in shown(Quality(0.01, 0.01, 0.01, 0.5, True))
    columns = MetricColumns(epoch=[1, 2], task_loss=[0.5, 0.25], accuracy=[None, None])
    assert shown(columns)[-2:] == ["task_loss", "0.25"]
    assert len(repr(MetricColumns(epoch=list(range(10**5))))) < 100
    coded = CodedRun(b"12345", nn.Identity(), "plain")
    assert shown(coded)[-3:-1] == ["5 bytes", "code"]
    assert "5 bytes" in shown(Report(tmp_path, coded))


def test_a_run_and_a_frontier_without_any_result_are_shown(tmp_path: Path) -> None:
    """A run before its first epoch has no numbers; an empty frontier names its missing networks."""
    words = shown(Run(tmp_path, Config(target=EVIL)))
    assert EVIL in words
    assert "0 of 1,000" in words
    point = FrontierPoint(0.1, 0, "run", "completed", "file", 200, 0.01, 20.0)
    record = FrontierRecord({}, (0.1, 0.2), (0,), (point,))
    words = shown(Frontier(tmp_path, record))
    assert {"0.1", "200", "20.00 dB", "best"} <= set(words)
    assert "1 networks" in words[-1]


def test_a_partition_is_shown_in_few_lines_and_draws_its_own_figure() -> None:
    """A partition's text is short, and `plot` without axes returns a figure for notebooks."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).eval()
    found = bitfold.partition(network, ((-1, -1), (1, 1)))
    assert str(found.num_polytopes) in shown(found)
    assert repr(found) == f"Partition({found.num_polytopes} polytopes of 3 neurons in 1 layers)"
    assert found.plot()._repr_png_().startswith(b"\x89PNG")
    sampled = sample_partition(network, np.linspace(-1, 1, 8), np.linspace(-1, 1, 6))
    assert str(sampled.num_polytopes) in shown(sampled)
