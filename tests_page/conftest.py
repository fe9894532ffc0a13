"""A studio and a browser for the tests of the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PATIENCE_MS = 180_000
#: Software rendering, and a browser that makes no connections of its own.
FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
SERVER = """
import sys
from bitfold.studio import serve
settings = {"target": "ring", "size": 64, "shape": "[8]*3", "points": 1000, "seed": 1,
            "kolmogorov_weight": 0.003, "kolmogorov_quantise": "learned", "learning_rate": 0.005}
serve(sys.argv[1], begin=settings, ready=lambda url: print(url, flush=True))
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how long the monkey clicks: so many actions (the whole test has 3,000), or minutes."""
    parser.addoption("--actions", type=int, default=60, help="random actions on the page")
    parser.addoption("--minutes", type=float, help="of random actions, instead of their number")


@dataclass(frozen=True)
class Studio:
    """A running studio.

    Args:
        url: of its page, with the token.
        folder: of its runs.
    """

    url: str
    folder: Path


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Start a studio with one run, paused at epoch 0."""
    folder = tmp_path / "runs"
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield Studio(server.stdout.readline().strip(), folder)
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start an installed Chromium; the variable CHROMIUM names another browser."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    assert program is not None, "Install Chromium, or set CHROMIUM to its path."
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield opened
        opened.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """Open an empty page that waits as long as a slow machine needs."""
    opened = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
    opened.set_default_timeout(PATIENCE_MS)
    return opened


@pytest.fixture
def problems() -> list[str]:
    """Return the errors of the page's console so far, of which there may be none at the end."""
    return []


@pytest.fixture
def page(studio: Studio, browser: Browser, problems: list[str]) -> Iterator[Page]:
    """Open the studio's page with its first partition drawn; errors in its console fail."""
    opened = new_page(browser)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )
    opened.goto(studio.url)
    opened.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    yield opened
    opened.close()
    assert problems == []
