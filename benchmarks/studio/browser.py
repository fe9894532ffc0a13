"""The page in an installed Chromium: its first picture, its updates, and its memory."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.harness.timing import Spread
from benchmarks.studio.rates import SMALL
from benchmarks.studio.serving import Serving, serving

FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--js-flags=--expose-gc", "--disable-background-networking", "--no-first-run",
)  # fmt: skip
#: About 1,100 and 80,000 polytopes before any training.
NARROW, WIDE = "[16]*8", "[120]*5"
_PATIENCE_MS = 300_000.0
# Updates that are waited for at once.
_UPDATES_AT_ONCE = 500
# The page measures each update: from the message to the last draw call.
_WATCH = """
window.updates = []; window.numUpdates = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntriesByName("update")) {
    window.numUpdates++;
    if (window.updates.length < 5000) window.updates.push(one.duration);
  }
}).observe({ type: "measure" });
"""
_HAS_PICTURE = "() => document.querySelector('#folds-caption').textContent !== ''"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open a browser; the variable ``CHROMIUM`` names another browser than Debian's."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


def _opened(browser: Browser, studio: Serving, width: int = 1280, height: int = 900) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(_PATIENCE_MS)
    page.add_init_script(_WATCH)
    page.goto(studio.url)
    return page


def first_picture_seconds(browser: Browser, rounds: int) -> tuple[Spread, Spread, Spread]:
    """Return the time from asking for the page to its first partition; each server is new.

    Returns:
        Wall time; processor time of server, trainer and cutter since the page was asked for; and
        wall time from the server's start until it told the page's URL.
    """
    by_wall, by_processor, starts = [], [], []
    for _ in range(rounds):
        with serving(shape=SMALL) as studio:
            began, used = time.monotonic(), studio.all_processor_seconds()
            page = _opened(browser, studio)
            page.wait_for_function(_HAS_PICTURE)
            by_wall.append(time.monotonic() - began)
            by_processor.append(studio.all_processor_seconds() - used)
            starts.append(studio.seconds)
            page.close()
    return Spread.of(by_wall), Spread.of(by_processor), Spread.of(starts)


def update_ms(browser: Browser, shape: str, num_updates: int) -> tuple[Spread, int]:
    """Return the time of the page's JavaScript for an update, and its number of polytopes."""
    with serving(shape=shape) as studio:
        page = _opened(browser, studio)
        page.wait_for_function(_HAS_PICTURE)
        # Another window of the same network is cut again, with as many polytopes.
        for number in range(num_updates):
            page.evaluate("zoom => window.bitfold.zoomTo(0, 0, zoom)", 1.05 + 1e-6 * number)
            page.wait_for_function("() => window.bitfold.isCurrent()")
        found = page.evaluate("() => window.updates.slice(2)")
        caption = page.inner_text("#folds-caption")
        page.close()
    return Spread.of(found), int(caption.split()[0].replace(",", ""))


@dataclass(frozen=True)
class Growth:
    """The memory that grew while a page was updated.

    Args:
        num_updates: between the two measurements.
        num_epochs: epochs whose metrics the server and the page keep.
        mib: process to the growth; ``page`` is the JavaScript's own heap.
    """

    num_updates: int
    num_epochs: int
    mib: dict[str, float]


def memory_growth(browser: Browser, num_updates: int) -> Growth:
    """Return the growth of memory in the second half of some updates."""
    with serving(shape="[8]*3", points=500) as studio:
        # Without a graphics card most of an update is its drawing: a small page has more of them.
        page = _opened(browser, studio, 400, 400)
        page.wait_for_function(_HAS_PICTURE)
        page.click("#play")
        found = []
        for goal in (num_updates // 2, num_updates):
            for number in (*range(0, goal, _UPDATES_AT_ONCE), goal):  # each within the patience
                page.wait_for_function("goal => window.numUpdates >= goal", arg=number)
            found.append(_measured(page, studio))
        page.close()
    (updates, epochs, before), (later, last, after) = found
    grown = {name: (after[name] - before[name]) / 2**20 for name in before}
    return Growth(later - updates, last - epochs, grown)


def _measured(page: Page, studio: Serving) -> tuple[int, int, dict[str, float]]:
    held = {
        name: statistics.median(float(studio.resident_bytes(name)) for _ in range(3))
        for name in studio.processes()
    }
    heap = page.evaluate("() => { window.gc(); return performance.memory.usedJSHeapSize; }")
    updates = int(page.evaluate("() => window.numUpdates"))
    epoch = int(page.inner_text("#epoch").split()[-1].replace(",", ""))
    return updates, epoch, {**held, "page": float(heap)}
