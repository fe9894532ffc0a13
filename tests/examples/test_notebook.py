"""The example notebook's cells run in their order; tests_libraries has it in a kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bitfold import studio
from bitfold.studio.notebook.notebook_page import NotebookPage
from bitfold.studio.notebook.widget import page_of

NOTEBOOK = Path(__file__).parents[2] / "examples" / "folds_and_bits.ipynb"


def test_the_notebook_runs_and_holds_no_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The notebook runs without a comm and is committed without outputs."""
    shown: list[NotebookPage] = []

    def widget(found: Any) -> None:
        shown.append(page_of(found, lambda data: None))

    monkeypatch.setattr(studio, "Widget", widget)
    monkeypatch.chdir(tmp_path)
    cells = [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    names: dict[str, Any] = {}
    for cell in cells:
        assert cell["outputs"] == []
        exec("".join(cell["source"]), names)  # noqa: S102 - our own file
    assert len(shown) == 3
    assert names["run"].last_epoch == 60
    assert names["run"].config.kolmogorov_weight == 0.01
    before, after = (
        float(word.replace(",", ""))
        for word in capsys.readouterr().out.split()
        if word[0].isdigit()
    )
    assert after < 0.8 * before
