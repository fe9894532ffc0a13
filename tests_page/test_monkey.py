"""A seeded monkey clicks at random: no error in the console, and no lost run."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page

from bitfold.training import load_run
from tests_page.conftest import Studio

SELECTS = ("#faces", "#fold-colour", "#format", "#scale", "#weight-colour", "#speed")
# Each action begins a process; the studio refuses more than eight runs at a time.
RARE = 0.02
PATIENCE_MINUTES = 2


def test_random_clicking_leaves_no_error_and_no_lost_run(
    page: Page, studio: Studio, problems: list[str], request: pytest.FixtureRequest
) -> None:
    """Random clicks leave no error in the console and lose no run."""
    page.on("dialog", lambda dialog: dialog.dismiss())
    monkey = Monkey(page, np.random.default_rng(0))
    begun, minutes = time.monotonic(), request.config.getoption("--minutes")
    for number in itertools.count(1):
        monkey.act()
        passed = (time.monotonic() - begun) / 60
        assert problems == [], f"action {number}, after {passed:.1f} minutes"
        if number >= request.config.getoption("--actions") if minutes is None else passed > minutes:
            break
    print(f"{number} actions in {passed:.1f} minutes")
    # A branch that is still being made is listed later than its folder is there.
    while (names := listed(page)) != folders(studio):
        assert (time.monotonic() - begun) / 60 < passed + PATIENCE_MINUTES, folders(studio)
        page.wait_for_timeout(200)
    assert "ring" in names
    for name in names:
        assert load_run(studio.folder / name).config.target in {"ring", "disk"}


def listed(page: Page) -> list[str]:
    """Return the names of the runs that the page lists."""
    names: list[str] = json.loads(page.evaluate("() => JSON.stringify(window.bitfold.runs())"))
    return sorted(names)


def folders(studio: Studio) -> list[str]:
    """Return the names of all folders of runs, also of those that are still empty."""
    return sorted(path.name for path in studio.folder.iterdir() if path.is_dir())


class Monkey:
    """Does one random action after the other.

    Args:
        page: the page that it clicks on.
        rng: chooses the actions.
    """

    def __init__(self, page: Page, rng: np.random.Generator) -> None:
        self._page, self._rng = page, rng

    def act(self) -> None:
        """Do one action."""
        if self._rng.random() < RARE:
            self._chosen((self._branch, self._close, self._reload))()
            return
        self._chosen(
            (self._wheel, self._drag, self._click, self._press, self._select, self._use_tool,
             self._look_back, self._set, self._paint, self._undo, self._open, self._resize)
        )()  # fmt: skip

    def _chosen(self, choices: Any) -> Any:
        return choices[self._rng.integers(len(choices))]

    def _any(self, selector: str) -> Locator | None:
        found = self._page.locator(selector)
        count = found.count()
        return found.nth(int(self._rng.integers(count))) if count else None

    def _spot(self, selector: str) -> tuple[float, float]:
        x, y, width, height = self._page.evaluate(
            """selector => { const one = document.querySelector(selector);
                one.scrollIntoView({ block: "center" });
                const box = one.getBoundingClientRect();
                return [box.x, box.y, box.width, box.height]; }""",
            selector,
        )
        u, v = self._rng.uniform(0.1, 0.9, 2)
        return x + u * width, y + v * height

    def _wheel(self) -> None:
        self._page.mouse.move(*self._spot("#folds"))
        self._page.mouse.wheel(0, float(self._rng.uniform(-800, 800)))

    def _drag(self, selector: str = "#folds") -> None:
        x, y = self._spot(selector)
        self._page.mouse.move(x, y)
        self._page.mouse.down()
        self._page.mouse.move(x + 30, y + 20, steps=3)
        self._page.mouse.up()

    def _paint(self) -> None:
        self._drag("#target")

    def _click(self) -> None:
        buttons = ("#play", "#play", "#step", "#step-many", "#newest", "#link", "#save")
        self._page.evaluate("id => document.querySelector(id).click()", self._chosen(buttons))

    def _press(self) -> None:
        keys = ("+", "-", "0", "ArrowLeft", "ArrowUp", " ", "Tab", "Escape", "Enter", "x")
        self._page.keyboard.press(self._chosen(keys))

    def _select(self) -> None:
        self._page.locator(self._chosen(SELECTS)).evaluate(
            """(one, share) => { one.selectedIndex = Math.floor(share * one.options.length);
                one.dispatchEvent(new Event("change", { bubbles: true })); }""",
            self._rng.random(),
        )

    def _use_tool(self) -> None:
        tool = self._any("input[name=tool]")
        if tool is not None:
            tool.evaluate("one => one.click()")

    def _look_back(self) -> None:
        line = self._page.locator("#timeline")
        most = int(line.get_attribute("max") or 1)
        line.evaluate(
            "(one, value) => { one.value = value; one.dispatchEvent(new Event('input')); }",
            int(self._rng.integers(0, most + 1)),
        )

    def _set(self) -> None:
        given = {
            "kolmogorov_weight": f"{self._rng.uniform(0, 0.01):.4f}",
            "learning_rate": self._chosen(("0.005", "0.001", "-1", "none")),
            "points": self._chosen(("1000", "500", "all", "0")),
        }
        name = self._chosen(tuple(given))
        self._page.locator(f"#live-settings input[name={name}]").evaluate(
            """(one, value) => { one.value = value;
                one.dispatchEvent(new Event("change", { bubbles: true })); }""",
            given[name],
        )

    def _undo(self) -> None:
        for name in ("#undo", "#clear"):
            self._page.evaluate("id => document.querySelector(id).click()", name)

    def _open(self) -> None:
        run = self._any("#run-list button[aria-pressed]")
        if run is not None:
            run.evaluate("one => one.click()")

    def _resize(self) -> None:
        width, height = self._rng.integers(360, 1200), self._rng.integers(500, 800)
        self._page.set_viewport_size({"width": int(width), "height": int(height)})

    def _branch(self) -> None:
        self._page.evaluate("() => document.querySelector('#branch').click()")

    def _close(self) -> None:
        button = self._any("#run-list button:text('Save and close')")
        if button is not None:
            button.evaluate("one => one.click()")

    def _reload(self) -> None:
        self._page.reload()
        self._page.wait_for_selector("#run-list button", timeout=60_000)
