"""Photographs the studio in every state, to be looked at: ``python -m tools.studio_states FOLDER``.

It needs what ``tools/studio_pictures.py`` needs, and Linux. Docs show none of these pictures.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tools.studio_pictures import studio_page, train

SIZES = {"1280x720": (1280, 720), "2560x1440": (2560, 1440), "phone": (390, 844)}
EPOCHS = 40
#: States of which the whole page is kept.
WHOLE = ("phone", "paused", "planted-bug")


def main() -> int:
    """Bring a studio into one state after the other, and keep a picture of each."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        with (
            sync_playwright() as playwright,
            studio_page(playwright, kolmogorov_weight=0.003, size=128) as page,
        ):
            page.emulate_media(color_scheme=scheme)

            def keep(name: str, page: Page = page, scheme: str = scheme) -> None:
                page.evaluate("() => window.scrollTo(0, 0)")
                page.wait_for_timeout(1500)
                page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=name in WHOLE)
                print(name, scheme, flush=True)

            photograph(page, keep)
    return 0


def photograph(page: Page, keep: Callable[[str], None]) -> None:
    """Go through all states of one page."""
    page.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    keep("empty")
    page.click("#play")
    page.wait_for_timeout(2000)
    keep("training")
    page.click("#play")
    page.wait_for_selector("#play:text-is('Play')")
    train(page, trained(page) + EPOCHS)
    keep("paused")
    paint(page)
    keep("painted")
    page.evaluate("() => window.bitfold.zoomTo(0.11, -0.23, 12)")
    keep("zoomed")
    page.evaluate("() => window.bitfold.zoomTo(0, 0, 1)")
    page.locator("#timeline").fill("10")
    keep("looking-back")
    page.click("#newest")
    four_runs(page)
    keep("four-runs")
    beside = page.locator("#run-list button[aria-pressed=true]:text('Beside')")
    while beside.count():
        beside.first.click()
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        keep(name)
    page.set_viewport_size({"width": 1280, "height": 860})
    trouble(page, keep)


def paint(page: Page) -> None:
    """Put a letter on the target, and learn it for a while."""
    page.locator("input[name=tool][value=letter]").check()
    page.locator("#letter").fill("b")
    box = page.locator("#target").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("input[name=tool][value=look]").check()
    train(page, trained(page) + EPOCHS)


def trained(page: Page) -> int:
    """The epoch that the page shows."""
    return int(page.inner_text("#epoch").split()[-1].replace(",", ""))


def four_runs(page: Page) -> None:
    """Branch three times, with other settings, and put the runs beside each other."""
    for number, weight in enumerate(("0.03", "0.0003", "0"), 2):
        page.click("#branch")
        name = page.locator("#run-list button[aria-pressed]:text('from')")
        name.nth(number - 2).wait_for()
        page.wait_for_timeout(3000)
        page.fill("#live-settings input[name=kolmogorov_weight]", weight)
        page.press("#live-settings input[name=kolmogorov_weight]", "Tab")
        page.click("#step-many")
        page.wait_for_timeout(5000)
        page.click("#run-list button:text-is('ring')")
        page.wait_for_timeout(1000)
    for button in page.locator("#run-list button:text('Beside')").all()[:3]:
        button.click()
    page.uncheck("#same-epoch")
    page.wait_for_selector("#differences td")


def trouble(page: Page, keep: Callable[[str], None]) -> None:
    """Plant the bug, refuse a value, kill the trainer, and fill the disk."""
    page.click("#cut")
    page.wait_for_selector("#audit .verdict-cut")
    page.click("#step-many")
    page.wait_for_timeout(5000)
    keep("planted-bug")
    page.click("#cut")
    page.fill("#live-settings input[name=learning_rate]", "-1")
    page.press("#live-settings input[name=learning_rate]", "Tab")
    keep("refused")
    page.fill("#live-settings input[name=learning_rate]", "0.005")
    page.press("#live-settings input[name=learning_rate]", "Tab")
    trainer = trainer_of("ring")
    os.kill(trainer, signal.SIGKILL)
    keep("killed-trainer")
    page.click("#step")
    page.wait_for_timeout(8000)
    fill_disk(trainer_of("ring"))
    page.click("#step-many")
    page.wait_for_timeout(5000)
    keep("full-disk")


def trainer_of(run: str) -> int:
    """The process that trains a run of the studio that this program has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_text(errors="replace")
        if (
            "trainer.worker" in words
            and re.search(rf'"run": "[^"]*/runs/{re.escape(run)}"', words)
            and is_ours(int(path.parent.name))
        ):
            found.append(int(path.parent.name))
    return found[0]


def is_ours(process: int) -> bool:
    """Whether a process descends from this one."""
    while process > 1:
        if process == os.getpid():
            return True
        status = Path(f"/proc/{process}/stat").read_text()
        process = int(status.rpartition(")")[2].split()[1])
    return False


def fill_disk(process: int) -> None:
    """Let a process write no file any further, as on a disk without room."""
    import resource  # noqa: PLC0415 - Windows has none

    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1, hard))


if __name__ == "__main__":
    sys.exit(main())
