"""Draws the pictures of the studio that README and docs show: ``python tools/studio_pictures.py``.

It needs an installed Chromium (or the variable ``CHROMIUM``) and the extra ``page``. The page is
that of a real studio, which learns the demo's ring and then a letter that is painted over it.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, Playwright, sync_playwright

FIGURES = Path(__file__).resolve().parents[1] / "docs" / "figures"
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
RING_EPOCHS, LETTER_EPOCHS, BUG_EPOCHS = 300, 1500, 500
PATIENCE_MS = 300_000
_MOST_COLOURS = 255
SERVER = """
import sys
from bitfold.experiments import DEMO
from bitfold.studio import serve
begin = {**DEMO, "kolmogorov_weight": float(sys.argv[2]), "size": int(sys.argv[3])}
serve(sys.argv[1], begin=begin, ready=lambda url: print(url, flush=True))
"""


def main() -> int:
    """Serve, learn, paint, and photograph; then plant the seed's bug in another run."""
    with sync_playwright() as playwright:
        with studio_page(playwright, kolmogorov_weight=0.003) as page:
            photograph(page)
        with studio_page(playwright, kolmogorov_weight=0.03) as page:
            photograph_bug(page)
    return 0


@contextmanager
def studio_page(
    playwright: Playwright, kolmogorov_weight: float, size: int = 512
) -> Iterator[Page]:
    """Serve the demo's ring with a lambda, and open the page."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            SERVER,
            f"{folder}/runs",
            str(kolmogorov_weight),
            str(size),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            try:
                page = browser.new_page(viewport={"width": 1280, "height": 860})
                page.set_default_timeout(PATIENCE_MS)
                page.goto(url)
                yield page
            finally:
                browser.close()
                server.terminate()


def photograph_bug(page: Page) -> None:
    """Plant the seed's bug, wait for the trade monitor, and keep a picture of all alarms."""
    train(page, RING_EPOCHS)
    page.check("#cut")
    page.wait_for_selector("#audit .verdict-cut")
    train(page, RING_EPOCHS + BUG_EPOCHS)
    keep(page, "studio_bug_curves", "#curves")
    keep(page, "studio_bug_audit", "section[aria-labelledby=gradients-heading]")


def photograph(page: Page) -> None:
    """Learn the ring, then a letter, and keep a picture of the page; then one of its bits."""
    train(page, RING_EPOCHS)
    page.locator("input[name=tool][value=letter]").check()
    page.locator("#letter").fill("b")
    page.locator("#brush-size").fill("8")
    box = page.locator("#target").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("input[name=tool][value=look]").check()
    train(page, RING_EPOCHS + LETTER_EPOCHS)
    page.select_option("#fold-colour", "layer")
    page.mouse.move(420, 420)
    page.wait_for_timeout(2500)
    keep(page, "studio")
    keep(page, "studio_bits", "#bits")


def keep(page: Page, name: str, selector: str | None = None) -> None:
    """Keep a picture of the page, or of an element, in few bytes."""
    if selector is None:
        data = page.screenshot()
    else:
        # The header stays in sight and would cover the element.
        page.add_style_tag(content="header { position: static !important; }")
        data = page.locator(selector).screenshot()
    with Image.open(io.BytesIO(data)) as picture:
        few = picture.convert("RGB").quantize(_MOST_COLOURS, dither=Image.Dither.NONE)
        few.save(FIGURES / f"{name}.png", optimize=True)


def train(page: Page, epoch: int) -> None:
    """Train up to an epoch exactly, and wait until its partition is drawn."""
    page.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    shown = int(page.inner_text("#epoch").split()[-1].replace(",", ""))
    page.fill("#step-count", str(epoch - shown))
    page.click("#step-many")
    page.wait_for_selector(f"#epoch:text-is('epoch {epoch:,}')")
    page.wait_for_selector(f"#folds-caption:text('at epoch {epoch:,}')")
    page.fill("#step-count", "100")
    page.evaluate("() => document.activeElement.blur()")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    sys.exit(main())
