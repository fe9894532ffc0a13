"""The pane with the bits: its size and its picture are of the moment that is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute

from bitfold.studio.wire.message import header_of
from tests_page.conftest import Studio, new_page
from tests_page.test_page import step

CAPTIONS = """() => { const caption = document.querySelector("#saved-now");
    window.captions = [];
    new MutationObserver(() => window.captions.push(caption.textContent))
        .observe(caption, { childList: true, characterData: true, subtree: true }); }"""


@pytest.fixture
def held() -> list[Any]:
    """Answers with bits that are kept back from the page, each with its epoch."""
    return []


@pytest.fixture
def slow_page(studio: Studio, browser: Browser, held: list[Any]) -> Any:
    """Open a page that gets no bits of recorded moments until a test lets them pass."""

    def route(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def hear(data: str | bytes) -> None:
            facts = header_of(data)[0] if isinstance(data, bytes) else {}
            if facts.get("kind") == "bits" and not facts["is_present"]:
                held.append((facts["epoch"], lambda: socket.send(data)))
            else:
                socket.send(data)

        server.on_message(hear)

    opened = new_page(browser)
    opened.route_web_socket("**/socket", route)
    opened.goto(studio.url)
    yield opened
    opened.close()


def test_the_size_of_an_earlier_moment_is_never_called_that_of_now(
    slow_page: Page, held: list[Any]
) -> None:
    """An answer of an earlier moment that comes after Newest was pressed is not shown at all."""
    page = slow_page
    page.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    step(page, 2)
    page.wait_for_selector("#saved-now:text('saved now')")
    now = page.inner_text("#saved-now")
    page.evaluate(CAPTIONS)
    page.locator("#timeline").fill("0")
    page.wait_for_selector("#saved-now:text('epoch 2 saved')")
    while not held:
        page.wait_for_timeout(20)
    epoch, let_pass = held[0]
    assert epoch == 0
    page.click("#newest")
    let_pass()
    page.wait_for_selector("#saved-now:text('saved now')")
    assert page.inner_text("#saved-now") == now
    captions = set(page.evaluate("() => window.captions"))
    assert captions == {now, now.replace("saved now", "epoch 2 saved")}


def test_bits_follow_the_time_line(page: Page) -> None:
    """Size, picture and words are of the epoch that is looked at, and then of now again."""
    step(page, 2)
    page.wait_for_selector("#saved-now:text('saved now')")
    page.locator("#timeline").fill("1")
    page.wait_for_selector("#saved-now:text('epoch 1 saved')")
    page.wait_for_selector("#bits-note:text('no checkpoint of that epoch')")
    page.click("#newest")
    page.wait_for_selector("#saved-now:text('saved now')")
    page.wait_for_selector("#bits-note", state="hidden")
