"""The page without a mouse."""

from __future__ import annotations

from playwright.sync_api import Page

from tests_page.conftest import Studio
from tests_page.test_page import kept_run, wait_for_epoch

MOST_TABS = 120


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(MOST_TABS):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {selector}.")


def press(page: Page, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        page.keyboard.press(key)


def test_everything_is_done_by_the_keyboard_alone(page: Page, studio: Studio) -> None:
    """Keys alone play, pause, step, paint, change lambda, zoom, pick, look back and branch."""
    tab_to(page, "#play")
    press(page, "Enter")
    page.wait_for_selector("#play:text-is('Pause')")
    wait_for_epoch(page, 2)
    press(page, "Enter")
    page.wait_for_selector("#play:text-is('Play')")
    tab_to(page, "#step")
    last = int(page.inner_text("#epoch").split()[-1])
    press(page, "Enter")
    wait_for_epoch(page, last + 1)
    tab_to(page, "#folds")
    press(page, "+", "+", "ArrowLeft", "Enter")
    page.wait_for_selector("#place dd")
    press(page, "0")
    tab_to(page, "#target")
    press(page, "ArrowLeft", "ArrowUp", "Enter")
    page.wait_for_function("() => !document.querySelector('#undo').disabled")
    assert page.is_checked("#tool-brush")
    tab_to(page, "#live-settings input[name=kolmogorov_weight]")
    press(page, "ControlOrMeta+A")
    page.keyboard.type("0.05")
    press(page, "Tab")
    tab_to(page, "#timeline")
    press(page, "Home")
    page.wait_for_selector("#epoch:text-is('looking back at epoch 0')")
    tab_to(page, "#newest")
    press(page, "Enter")
    tab_to(page, "#branch")
    press(page, "Enter")
    page.wait_for_selector(f"#run-list button:text('ring-from-{last + 1}')")
    run = kept_run(page, studio)
    assert run.config.kolmogorov_weight == 0.05
    # The ring's middle is black; a cross of two steps from it was painted white.
    pixels = run.target.pixels[0, :, :, 0]
    assert pixels[round(0.45 * 64), round(0.45 * 64)] == 255
    assert run.at(0).target.pixels[0, round(0.45 * 64), round(0.45 * 64), 0] == 0


def test_commands_of_the_browser_are_left_to_it(page: Page) -> None:
    """With Ctrl, a key neither moves the window nor paints, and the browser may act on it."""
    page.evaluate(
        """() => {
            window.stopped = [];
            const keep = (event) => window.stopped.push(event.defaultPrevented);
            document.addEventListener("keydown", keep);
        }"""
    )
    before = page.evaluate("() => window.bitfold.camera()")
    for canvas, keys in (
        ("#folds", ("+", "-", "ArrowRight")),
        ("#target", ("Enter", "ArrowRight")),
    ):
        page.focus(canvas)
        for key in keys:
            options = {"key": key, "ctrlKey": True, "bubbles": True, "cancelable": True}
            page.dispatch_event(canvas, "keydown", options)
    assert page.evaluate("() => window.stopped") == [False] * 5
    page.wait_for_timeout(500)
    assert page.evaluate("() => window.bitfold.camera()") == before
    assert page.is_checked("input[name=tool][value=look]")
    page.dispatch_event("#folds", "keydown", {"key": "+", "bubbles": True, "cancelable": True})
    assert page.evaluate("() => window.stopped.at(-1)")
