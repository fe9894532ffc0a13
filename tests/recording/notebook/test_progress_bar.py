"""The progress bar that a notebook shows during a training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from bitfold import experiments, recording, training
from bitfold.recording import NotebookBar, is_in_notebook
from bitfold.recording.notebook import progress_bar
from bitfold.training import Config, EpochEnded, Noticed, RunEnded, RunStarted

METRICS = {
    "combined_loss": 0.5, "task_loss": 0.25, "kolmogorov_loss": 1.5, "kolmogorov_weight": 0.1,
    "validation_loss": 0.5, "psnr_db": 12.5,
}  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no terminal's width, which other libraries set, cut the bar off."""
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def test_a_bar_shows_epochs_quality_and_losses(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar starts at a continued run's epoch, prints notices, and closes with the training."""
    bar = NotebookBar()
    run: Any = SimpleNamespace(path="RUN", config=SimpleNamespace(epochs=4))
    bar(Noticed("before the bar there is nothing to write above"))
    bar(RunStarted(run, 2, nn.Identity()))
    bar(Noticed("a line"))
    for epoch in (3, 4):
        bar(EpochEnded(epoch, METRICS, has_frame=False))
    bar(RunEnded(4, "interrupted", "stopped", 130, nn.Identity(), None))
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["a line", "stopped"]
    assert "4/4" in captured.err
    assert "validation 12.50 dB, task 0.25000, K 1.5000" in captured.err


def test_without_widgets_a_notebook_gets_a_line_of_text_and_no_advice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ipywidgets, where tqdm would warn, the bar is a line of text."""
    monkeypatch.setattr(progress_bar, "is_in_notebook", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    bar = NotebookBar()
    run: Any = SimpleNamespace(path="RUN", config=SimpleNamespace(epochs=1))
    bar(RunStarted(run, 0, nn.Identity()))
    bar(EpochEnded(1, METRICS, has_frame=False))
    bar(RunEnded(1, "completed", "", 0, nn.Identity(), None))
    assert "1/1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listeners", "progress", "in_notebook", "wanted"),
    [
        ((), None, True, 1),
        ((), None, False, 0),
        ((print,), None, True, 1),
        ((), True, False, 1),
        ((print,), True, False, 2),
        ((), False, True, 0),
    ],
)
def test_training_shows_a_bar_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch,
    listeners: tuple[Any, ...],
    progress: bool | None,
    in_notebook: bool,
    wanted: int,
) -> None:
    """Training in a notebook shows a bar by default or on request, and elsewhere no bar."""
    assert not is_in_notebook()
    monkeypatch.setattr(recording, "is_in_notebook", lambda: in_notebook)
    given: list[Any] = []

    def train(_: Config, heard: list[Any], **__: Any) -> None:
        given.extend(heard)

    monkeypatch.setattr(training, "train", train)
    experiments.train(Config(), listeners, progress=progress)
    assert len(given) == wanted
    bars = [one for one in given if isinstance(one, NotebookBar)]
    assert len(bars) == wanted - len(listeners)
