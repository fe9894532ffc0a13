"""The neuron that is chosen by its fold, and the runs that have no such neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests_page.conftest import Studio
from tests_page.test_page import settled, shown_once, step


def orange(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where folds are drawn at full strength."""
    return pixels[..., 0].astype(int) - pixels[..., 2] > 100


def choose_neuron(page: Page) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Click a fold; return the pixels before and after."""
    page.wait_for_selector("#saved-now:text('saved now')")
    before = settled(page)
    places = np.argwhere(orange(before))
    y, x = places[len(places) // 2].tolist()
    box = page.locator("#folds").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector("#neuron-weights dt:text-is('bias')")
    page.mouse.move(5, 5)
    count = orange(before).sum()
    return before, shown_once(page, lambda pixels: orange(pixels).sum() < count / 2)


def test_a_clicked_fold_is_left_with_its_neurons_own(page: Page) -> None:
    """After a click the folds of one neuron alone are drawn at full strength."""
    step(page)
    before, after = choose_neuron(page)
    strong = orange(before)
    assert 20 < orange(after).sum() < 0.5 * strong.sum()
    assert (strong | ~orange(after)).mean() > 0.999


def test_a_neuron_is_dropped_where_a_run_has_fewer(page: Page, studio: Studio) -> None:
    """A chosen neuron stays in its own run's past, and is dropped in a run without such a one."""
    step(page, 2)
    choose_neuron(page)
    name = page.inner_text("#neuron").partition(":")[0]
    page.locator("#timeline").fill("1")
    page.wait_for_function(
        "() => document.querySelector('#folds-caption').textContent.includes('epoch 1')"
    )
    assert page.inner_text("#neuron").startswith(name)
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.fill("#new-settings input[name=shape]", "[3]")
    page.click("#new-settings button")
    page.wait_for_selector("#run-list button[aria-pressed=true]:text-is('ring-2')")
    page.wait_for_function(
        "() => /^[1-7] polytopes? at epoch 0/"
        ".test(document.querySelector('#folds-caption').textContent)"
    )
    assert page.inner_text("#neuron") == ""
    assert page.locator("#neuron-weights").is_hidden()
    assert orange(settled(page)).sum() > 200
    page.click("#run-list button:text-is('ring')")
    page.wait_for_function(
        "() => document.querySelector('#folds-caption').textContent.includes('epoch 2')"
    )
    assert page.inner_text("#neuron") == ""
    assert orange(settled(page)).sum() > 2000
    assert (studio.folder / "ring-2").is_dir()
