"""The page in trouble, its accessibility, and its drawing without WebGL."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute

from tests_page.conftest import FLAGS, PATIENCE_MS, Studio, new_page
from tests_page.test_page import is_current, shown, shown_once, step, wait_for_epoch

AXE = Path(__file__).resolve().parents[1] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
HAS_PICTURE = "() => document.querySelector('#folds-caption').textContent !== ''"


def trainer_of(studio: Studio) -> int:
    """Return the process that trains the studio's run."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_text(errors="replace")
        if "trainer.worker" in words and str(studio.folder) in words:
            return int(path.parent.name)
    raise LookupError(studio.folder)


def has_text(page: Page, selector: str, text: str) -> None:
    """Wait until an element has a text."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)",
        arg=[selector, text],
    )


@pytest.fixture(scope="module")
def plain_browser(browser: Browser) -> Iterator[Browser]:
    """Start a browser without WebGL."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    flags = [f for f in FLAGS if "swiftshader" not in f]
    opened = browser.browser_type.launch(
        executable_path=program, args=[*flags, "--disable-3d-apis"]
    )
    yield opened
    opened.close()


def alike(expected: NDArray[np.uint8], limit: float, found: NDArray[np.uint8]) -> bool:
    """Return whether a picture is not of one colour and, in the mean, near the expected one."""
    height = min(len(expected), len(found))
    difference = np.abs(expected[:height].astype(float) - found[:height])
    return bool(found.std() > 5 and difference.mean() < limit)


def test_without_webgl_the_picture_is_plain_and_a_line_says_so(
    page: Page, studio: Studio, plain_browser: Browser
) -> None:
    """Without WebGL the picture equals the graphics card's, except within polytopes."""
    step(page, 2)
    page.mouse.move(5, 5)
    plain = new_page(plain_browser)
    plain.goto(studio.url)
    plain.wait_for_function(HAS_PICTURE)
    has_text(plain, "#stage-note", "This browser has no WebGL2. The picture is plain")
    wait_for_epoch(plain, 2)
    plain.mouse.move(5, 5)
    for faces in ("value", "error", "identity"):
        for one in (page, plain):
            one.select_option("#faces", faces)
            is_current(one)
        # The error varies most within a polytope, where the plain picture has one colour.
        limit = 12 if faces != "error" else 255
        is_equal = partial(alike, shown(page), limit)
        assert is_equal(shown_once(plain, is_equal))
    plain.close()


def test_a_lost_graphics_card_comes_back_with_the_picture(page: Page) -> None:
    """During the loss of the graphics card the page says so and takes updates, then redraws."""
    before = shown(page)
    page.evaluate(
        """() => { window.card = document.querySelector("#folds").getContext("webgl2")
            .getExtension("WEBGL_lose_context"); window.card.loseContext(); }"""
    )
    has_text(page, "#stage-note", "taken the graphics card away")
    page.click("#play")
    page.wait_for_selector("#epoch:text-matches('epoch ([5-9]|[0-9]{2})')")  # none is drawn
    page.click("#play")
    page.evaluate("() => window.card.restoreContext()")
    page.wait_for_function("() => document.querySelector('#stage-note').textContent === ''")
    after = shown_once(page, lambda pixels: (pixels != before).mean() > 0.02)
    assert after.std() > 10
    assert (after != before).mean() > 0.02


def test_a_trainer_that_is_killed_is_named_on_the_page(page: Page, studio: Studio) -> None:
    """A line below the folds names a killed trainer, and Play continues."""
    step(page)
    os.kill(trainer_of(studio), signal.SIGKILL)
    has_text(page, "#run-note", "killed by signal 9")
    assert "problem" in (page.get_attribute("#run-note", "class") or "")
    page.click("#step")
    wait_for_epoch(page, 1)
    page.wait_for_function("() => document.querySelector('#run-note').textContent === ''")


def test_a_connection_that_breaks_is_made_again(studio: Studio, browser: Browser) -> None:
    """After a broken connection, as by a sleeping machine, the page says so and reconnects."""
    opened = new_page(browser)
    routes: list[WebSocketRoute] = []

    def route(socket: WebSocketRoute) -> None:
        routes.append(socket)
        socket.connect_to_server()

    opened.route_web_socket("**/socket", route)
    opened.goto(studio.url)
    opened.wait_for_function(HAS_PICTURE)
    routes[-1].close(code=1001)
    has_text(opened, "#connection", "not connected, trying again")
    assert opened.is_disabled("#play")
    opened.wait_for_function("() => document.querySelector('#connection').textContent === ''")
    step(opened)
    opened.close()


@pytest.mark.parametrize(
    ("code", "line"), [(4000, "Load this page again"), (1008, "`bitfold studio` has printed")]
)
def test_a_server_that_refuses_for_good_is_explained(
    studio: Studio, browser: Browser, code: int, line: str
) -> None:
    """If the server's version or token differs, the page explains it and stops asking."""
    opened = new_page(browser)
    count: list[Any] = []

    def route(socket: WebSocketRoute) -> None:
        count.append(socket)
        socket.on_message(lambda _: socket.close(code=code))

    opened.route_web_socket("**/socket", route)
    opened.goto(studio.url)
    has_text(opened, "#line", line)
    opened.wait_for_timeout(1500)
    assert len(count) == 1
    opened.close()


def test_the_token_stays_out_of_address_and_requests(studio: Studio, browser: Browser) -> None:
    """The token is only in the tab's storage, so that another tab has none."""
    token = studio.url.partition("token=")[2].partition("&")[0]
    asked: list[str] = []
    opened = new_page(browser)
    opened.on("request", lambda request: asked.append(request.url + str(request.headers)))
    opened.goto(studio.url)
    opened.wait_for_function(HAS_PICTURE)
    assert token not in opened.url
    assert asked
    assert not any(token in request for request in asked)
    assert opened.evaluate("() => document.cookie") == ""
    assert opened.evaluate("() => sessionStorage.length") == 1
    opened.reload()
    opened.wait_for_function(HAS_PICTURE)
    opened.close()


def test_names_are_text_and_never_markup(page: Page, studio: Studio) -> None:
    """A folder whose name is markup is listed as text."""
    page.click("#run-list li:has(button:text-is('ring')) button:text('Save and close')")
    page.wait_for_selector("#run-list li:has(button:text-is('ring')) small:not(:text('open'))")
    name = "<img src=x onerror=document.title=1>"
    shutil.copytree(studio.folder / "ring", studio.folder / name)
    page.reload()
    page.wait_for_selector(f"#run-list button:text-is('{name}')")
    page.click(f"#run-list button:text-is('{name}')")
    page.wait_for_function(HAS_PICTURE)
    assert page.locator("#run-list img").count() == 0
    assert page.title() == "bitfold studio"


def violations(page: Page) -> list[str]:
    """Return the violations that axe-core finds."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_page(studio: Studio, browser: Browser, scheme: Any) -> None:
    """axe-core finds no violation: at the start, trained, rewound and with a problem."""
    context: BrowserContext = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(studio.url)
    page.wait_for_function(HAS_PICTURE)
    found = {"start": violations(page)}
    step(page, 3)
    page.wait_for_function("() => document.querySelector('#saved-now').textContent !== ''")
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found["trained"] = violations(page)
    page.locator("#timeline").fill("1")
    page.fill("#live-settings input[name=learning_rate]", "-1")
    page.press("#live-settings input[name=learning_rate]", "Tab")
    has_text(page, "#line", "more than 0")
    found["looking back, with a problem"] = violations(page)
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.querySelector('#folds').clientWidth < 390")
    found["on a phone"] = violations(page)
    context.close()
    assert {state: lines for state, lines in found.items() if lines} == {}
