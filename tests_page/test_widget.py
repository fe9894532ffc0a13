"""The widget's script in a browser, with a model in the place of anywidget's."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from torch import nn

from bitfold.polytopes import Partition, Plane, partition
from bitfold.studio.built_page import PAGE
from bitfold.studio.notebook.notebook_page import NotebookPage
from bitfold.studio.notebook.widget import page_of
from bitfold.training import Config, EpochEnded, Run, Session, load_run
from tests_page.conftest import new_page
from tests_page.test_page import shown_once

MODEL = """
window.commands = [];
window.hears = new Set();
window.model = {
  send: (content) => { window.commands.push(content.command); },
  on: (_, hear) => { window.hears.add(hear); },
  off: (_, hear) => { window.hears.delete(hear); },
};
window.tell = (text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  for (const hear of window.hears) hear({}, [new DataView(bytes.buffer)]);
};
window.mount = async (script) => {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  window.unmount = widget.render({ model: window.model, el: document.querySelector("#cell") });
};
window.find = (selector) =>
  document.querySelector("#cell").firstChild.shadowRoot.querySelector(selector);
"""
NOTEBOOK = (
    "<!doctype html><body style='background: {paper}; color: {ink}'><div id='cell'></div></body>"
)


class Notebook:
    """A cell with the widget, and the Python side of it.

    Args:
        page: of the browser.
        shown: what the widget shows.
    """

    def __init__(self, page: Page, shown: Any) -> None:
        self._page, self._waiting = page, list[bytes]()
        self.python: NotebookPage = page_of(shown, self._waiting.append)
        page.add_script_tag(content=MODEL)
        page.evaluate("text => window.mount(text)", (PAGE / "widget.js").read_text("utf-8"))

    def pump(self) -> None:
        """Pass on the messages of both sides, as a kernel does between two cells."""
        for command in self._page.evaluate("() => window.commands.splice(0)"):
            self.python.hear(command)
        if self.python.is_playing:
            self.python.advance()
        for data in self._waiting:
            self._page.evaluate("text => window.tell(text)", base64.b64encode(data).decode())
        self._waiting.clear()

    def until(self, condition: str) -> None:
        """Pass on messages until a condition holds in the page."""
        for _ in range(400):
            self.pump()
            if self._page.evaluate(condition):
                return
            self._page.wait_for_timeout(50)
        raise TimeoutError(condition)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty notebook; errors in its console fail."""
    problems: list[str] = []
    opened = new_page(browser, viewport={"width": 1000, "height": 900})
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.set_content(NOTEBOOK.format(paper="#111", ink="#eee"))
    yield opened
    opened.close()
    assert problems == []


def session_of(folder: Path) -> Session:
    """Return a new session."""
    config = Config(
        target="ring", size=32, shape="[8]*2", points=300, epochs=100, kolmogorov_weight=0.003,
        batch_size=300, output_dir=str(folder), audit=False, snapshot_format="none",
    )  # fmt: skip
    return Session(config)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Train a run of three epochs."""
    with session_of(tmp_path / "ring") as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 3:
                break
    return load_run(tmp_path / "ring")


HAS_PICTURE = "() => window.find('#folds-caption').textContent.includes('polytopes')"


def has_folds(pixels: NDArray[np.uint8]) -> bool:
    """Return whether a picture has the orange of folds and several greys."""
    is_orange = (pixels[..., 0].astype(int) - pixels[..., 2]) > 60
    return bool(is_orange.mean() > 0.01 and pixels.std() > 20)


def test_a_run_is_seen_with_folds_curves_and_bits_of_the_page(page: Page, run: Run) -> None:
    """A run's folds, curves, bits and moments are shown in the dark theme, without training."""
    notebook = Notebook(page, run)
    notebook.until(HAS_PICTURE)
    assert page.evaluate(HAS_PICTURE)
    number = partition(run.network(3)).num_polytopes
    assert f"{number} polytopes at epoch 3" in page.inner_text("#folds-caption")
    assert has_folds(shown_once(page, has_folds))
    assert page.evaluate("() => window.find('.studio').dataset.theme") == "dark"
    assert page.locator("#chart-losses canvas").is_visible()
    for hidden in ("#step", "#run-list", "#link", "#branch", "#live-settings", ".tools"):
        assert not page.locator(hidden).first.is_visible(), hidden
    page.evaluate("() => window.find('#play').click()")
    notebook.until("() => window.find('#play').textContent === 'Play'")
    notebook.until("() => window.find('#folds-caption').textContent.includes('epoch 3')")
    page.evaluate("document.body.style.color = '#111'")
    page.wait_for_function("() => window.find('.studio').dataset.theme === 'light'")


def test_a_session_is_trained_from_the_widget(page: Page, tmp_path: Path) -> None:
    """Step and lambda train a session, and leaving the cell stops all listeners."""
    with session_of(tmp_path / "ring") as session:
        notebook = Notebook(page, session)
        notebook.until(HAS_PICTURE)
        page.click("#step")
        notebook.until("() => window.find('#folds-caption').textContent.includes('epoch 1')")
        assert session.epoch == 1
        page.fill("#live-settings input[name=kolmogorov_weight]", "0.5")
        page.press("#live-settings input[name=kolmogorov_weight]", "Tab")
        notebook.pump()
        assert session.run.config.kolmogorov_weight == 0.5
        page.evaluate("() => window.unmount()")
        assert page.evaluate("() => window.hears.size") == 0
        assert page.evaluate("() => document.querySelector('#cell').innerHTML") == ""


def test_a_partition_of_any_module_is_panned_zoomed_and_picked(page: Page) -> None:
    """A partition on a plane can be panned, zoomed and picked, without curves, time or targets."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 3)).eval()
    found: Partition = partition(network, ((-3, -3), (3, 3)), Plane.through(*torch.eye(9)[:3]))
    notebook = Notebook(page, found)
    notebook.until(HAS_PICTURE)
    assert has_folds(shown_once(page, has_folds))
    for hidden in ("#play", "#timeline", "#target", "#curves", "#bits"):
        assert not page.locator(hidden).first.is_visible(), hidden
    page.evaluate("() => document.querySelector('#cell').bitfold.zoomTo(0.01, 0.02, 1000)")
    notebook.until("() => document.querySelector('#cell').bitfold.isCurrent()")
    page.hover("#folds")
    notebook.until("() => window.find('#place dd') !== null")
    assert page.inner_text("#place dd >> nth=0").count(",") == 2
    assert re.fullmatch(r"\d+ polytopes?, 1,000 times enlarged", page.inner_text("#folds-caption"))


def test_a_widget_whose_kernel_has_ended_says_so(page: Page, tmp_path: Path) -> None:
    """When the notebook's kernel was restarted, a press of Play is answered by a line."""
    config = Config(target="ring", size=16, shape="[4]", points=64, audit=False, epochs=9)
    with Session(config.replace(output_dir=str(tmp_path / "run"))) as session:
        notebook = Notebook(page, session)
        notebook.until(HAS_PICTURE)
        page.evaluate("() => { window.model.send = () => { throw new Error('Cannot send'); }; }")
        page.click("#play")
        line = "The kernel that made this widget has ended. Run its cell again."
        assert page.inner_text("#line") == line
        assert page.inner_text("#connection") == "not connected"


def test_a_widget_is_no_higher_than_a_screen(page: Page, tmp_path: Path) -> None:
    """All panes are in a part of the cell that scrolls, below the line that plays and pauses."""
    with session_of(tmp_path / "ring") as session:
        notebook = Notebook(page, session)
        notebook.until(HAS_PICTURE)
        assert page.locator("#cell").bounding_box()["height"] <= 822
        page.evaluate("() => { window.find('.widget').scrollTop = 400; }")
        assert page.evaluate("() => window.find('.widget').scrollTop") == 400
        assert page.locator("#cell header").is_visible()
        top = page.evaluate("() => window.find('header').getBoundingClientRect().top")
        assert top == page.evaluate("() => window.find('.widget').getBoundingClientRect().top") + 1
