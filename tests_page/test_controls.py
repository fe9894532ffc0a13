"""Controls of the page: tools, pictures, links, speed, runs, and the end of the zoom."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from bitfold.training import load_run
from tests_page.conftest import Studio, new_page
from tests_page.test_page import (
    epoch_of,
    is_current,
    kept_run,
    settled,
    shown,
    step,
    wait_for_epoch,
)


def centre(page: Page, selector: str) -> tuple[float, float]:
    """Return the centre of an element in the window."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_every_tool_paints_and_undo_takes_back(page: Page, studio: Studio) -> None:
    """Letters, fill, brush and eraser change the target, and undo and Original take that back."""
    has_stroke = "() => !document.querySelector('#undo').disabled"
    page.fill("#colour", "#808080")
    for tool in ("letter", "fill", "brush"):
        page.locator(f"input[name=tool][value={tool}]").check()
        x, y = centre(page, "#target")
        page.mouse.click(x + (100 if tool == "fill" else 0), y)  # not on the letter
        page.wait_for_function(has_stroke)
        step(page)
    page.locator("input[name=tool][value=eraser]").check()
    page.mouse.click(*centre(page, "#target"))
    step(page)
    page.click("#undo")
    step(page)
    page.click("#clear")
    step(page)
    run = kept_run(page, studio)
    original = run.at(0).target.pixels
    painted = [run.at(epoch).target.pixels for epoch in range(1, 7)]
    grey = [(pixels == 128).mean() for pixels in painted]
    assert 0 < grey[0] < grey[1]
    assert grey[3] < grey[2]
    assert (painted[4] == painted[2]).all()
    assert (painted[5] == original).all()


def test_the_folds_are_painted_too(page: Page, studio: Studio) -> None:
    """With the brush in hand, a stroke on the folds is painted at that place of the target."""
    page.check("#tool-brush")
    page.fill("#colour", "#ffffff")
    page.evaluate("() => window.scrollTo(0, 0)")
    page.mouse.click(*centre(page, "#folds"))
    page.wait_for_function("() => !document.querySelector('#undo').disabled")
    step(page)
    run = kept_run(page, studio)
    assert run.target.pixels[0, 32, 32, 0] == 255
    assert run.at(0).target.pixels[0, 32, 32, 0] == 0


def test_a_picture_becomes_a_run_and_a_built_in_is_learned(
    page: Page, studio: Studio, tmp_path: Path
) -> None:
    """A chosen picture begins a run of its own; *learn* takes a built-in one in the same run."""
    path = tmp_path / "slope.png"
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))).save(path)
    page.set_input_files("#picture", path)
    page.wait_for_selector("#run-list button[aria-pressed=true]:text('slope')")
    page.wait_for_function(
        "() => document.querySelector('#target-caption').textContent.includes('64 x 64')"
    )
    page.click("#run-list button:text-is('ring')")
    page.wait_for_selector("#target-caption:text('ring')")
    page.fill("#target-name", "disk")
    page.press("#target-name", "Enter")
    page.wait_for_selector("#target-caption:text('disk')")
    step(page)
    assert load_run(studio.folder / "ring").target.name == "disk"


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop a file on the folds."""
    dropped = page.evaluate_handle(
        """([name, text]) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const data = new DataTransfer(); data.items.add(new File([bytes], name));
            return data; }""",
        [name, base64.b64encode(data).decode()],
    )
    page.dispatch_event("#folds", "drop", {"dataTransfer": dropped})


def test_a_dropped_picture_becomes_a_run(page: Page) -> None:
    """A picture that is dropped anywhere on the page begins a run of its own."""
    file = io.BytesIO()
    Image.fromarray(np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))).save(file, "PNG")
    drop(page, "slope.png", file.getvalue())
    page.wait_for_selector("#run-list button[aria-pressed=true]:text-is('slope')")
    page.wait_for_selector("#target-caption:text('32 x 32')")


def test_a_picture_that_the_server_cannot_take_is_explained(page: Page) -> None:
    """Where the server does not answer, a line says so, and the console stays clean."""
    page.route("**/picture", lambda route: route.fulfill(body="no answer"))
    drop(page, "slope.png", b"any")
    page.wait_for_function("() => document.querySelector('#line').textContent !== ''")
    page.wait_for_selector("#line.problem:text('the server does not answer')")


def test_another_button_neither_moves_nor_paints(page: Page) -> None:
    """The right button, whose release a menu may keep, begins no stroke and no drag."""
    before = page.evaluate("() => window.bitfold.camera()")
    for canvas in ("#target", "#folds"):
        box = page.locator(canvas).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down(button="right")
        page.mouse.move(box["x"] + 90, box["y"] + 80, steps=3)
        page.mouse.up(button="right")
    page.locator("#folds").dispatch_event("pointerdown", {"button": 0, "pointerId": 1})
    page.locator("#folds").dispatch_event("pointercancel", {"pointerId": 1})
    page.mouse.move(box["x"] + 30, box["y"] + 30, steps=3)
    page.wait_for_timeout(500)
    assert page.evaluate("() => window.bitfold.camera()") == before
    assert page.is_checked("input[name=tool][value=look]")
    assert page.is_disabled("#undo")


def test_a_dropped_file_that_is_no_picture_is_explained(studio: Studio, browser: Browser) -> None:
    """The line below the folds says why, and no run begins."""
    page = new_page(browser)
    page.goto(studio.url)
    page.wait_for_selector("#run-list button:text-is('ring')")
    drop(page, "notes.png", b"no picture")
    page.wait_for_selector("#line.problem:text('notes.png')")
    assert "\n" not in page.inner_text("#line")
    assert page.locator("#run-list li").count() == 1
    page.close()


def test_a_stroke_lies_where_the_pointer_was(page: Page, studio: Studio) -> None:
    """At the edges of the shown picture, whose box is wider, paint meets the picture's edges."""
    page.check("#tool-brush")
    page.fill("#colour", "#ffffff")
    box = page.locator("#target").bounding_box()
    assert box is not None
    side = min(box["width"], box["height"])
    assert box["width"] > side + 10
    x, y = centre(page, "#target")
    for way in (-1, 1):
        page.mouse.click(x + way * (side / 2 - 2), y)
    page.wait_for_function("() => !document.querySelector('#undo').disabled")
    step(page)
    row = kept_run(page, studio).target.pixels[0, 32, :, 0]
    assert (row[0], row[-1]) == (255, 255)


def test_a_chosen_speed_is_kept(page: Page) -> None:
    """At one epoch a second, some seconds train as many epochs and no more."""
    page.select_option("#speed", "1")
    began = time.monotonic()
    page.click("#play")
    wait_for_epoch(page, 3)
    page.click("#play")
    page.wait_for_selector("#play:text-is('Play')")
    slow = epoch_of(page)
    # A slow machine has fewer, but none may have more.
    assert slow <= time.monotonic() - began + 2
    page.select_option("#speed", "full")
    page.fill("#step-count", "20")
    page.click("#step-many")
    wait_for_epoch(page, slow + 20)


def test_a_run_that_was_closed_is_continued(page: Page, studio: Studio) -> None:
    """Save and close ends a run's process, and Play starts it again where it was."""
    step(page, 2)
    kept_run(page, studio)
    page.click("#step")
    wait_for_epoch(page, 3)
    assert len(kept_run(page, studio).metrics["epoch"]) == 3


def test_the_speed_box_shows_the_speed_of_the_run(page: Page, studio: Studio) -> None:
    """Save and close, another trainer and another page leave the chosen speed as it is."""
    step(page)
    page.select_option("#speed", "5")
    kept_run(page, studio)
    page.reload()
    page.wait_for_function("() => document.querySelector('#speed').value === '5'")
    page.click("#step")
    wait_for_epoch(page, 2)
    assert page.input_value("#speed") == "5"
    page.click("#branch")
    page.wait_for_selector("#run-list button[aria-pressed=true]:text-is('ring-from-2')")
    assert page.input_value("#speed") == "5"
    page.select_option("#speed", "full")
    page.click("#run-list button:text-is('ring')")
    page.wait_for_function("() => document.querySelector('#speed').value === '5'")


def test_every_filling_and_every_colour_of_folds_is_drawn(page: Page) -> None:
    """Each choice of faces and of folds gives a picture of its own."""
    step(page, 2)
    page.mouse.move(5, 5)
    seen = [settled(page)]
    for selector, names in (
        ("#faces", ("error", "slope", "area", "identity", "none")),
        ("#fold-colour", ("layer", "neuron", "none")),
    ):
        for name in names:
            page.select_option(selector, name)
            seen.append(settled(page))
            assert all((seen[-1] != other).any(-1).mean() > 0.002 for other in seen[:-1]), name


def test_weights_are_coloured_by_value_or_by_cost(page: Page) -> None:
    """Both colourings differ, and the costs of all tensors add up to that of the weights."""
    step(page)
    page.wait_for_selector("#saved-now:text('saved now')")
    page.wait_for_selector("#matrices canvas")
    by_value = page.locator("#matrices").screenshot()
    page.select_option("#weight-colour", "cost")
    assert page.locator("#matrices").screenshot() != by_value
    words = page.locator("#matrices figcaption").all_inner_texts()
    costs = [int(one.rpartition(", ")[2].split()[0].replace(",", "")) for one in words]
    items = dict(
        zip(
            page.locator("#bit-items dt").all_inner_texts(),
            page.locator("#bit-items dd").all_inner_texts(),
            strict=True,
        )
    )
    told = sum(int(items[name].split()[0].replace(",", "")) for name in ("weights", "out of range"))
    assert sum(costs) == pytest.approx(told, abs=len(costs))
    assert "predictor" in items


def test_a_link_restores_run_epoch_and_view(page: Page) -> None:
    """The address that Link makes opens the same window at the same epoch."""
    step(page, 2)
    page.locator("#timeline").fill("1")
    page.evaluate("() => window.bitfold.zoomTo(0.1, -0.2, 100)")
    is_current(page)
    camera = page.evaluate("() => window.bitfold.camera()")
    page.click("#link")
    assert "token" not in page.url
    page.reload()
    page.wait_for_selector("#epoch:text-is('looking back at epoch 1')")
    page.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    is_current(page)
    assert page.evaluate("() => window.bitfold.camera()") == pytest.approx(camera)
    assert "epoch 1, 100 times enlarged" in page.inner_text("#folds-caption")


def test_zoom_ends_where_float64_does(page: Page) -> None:
    """Beyond 10^12 the page stays where it is and says that float64 ends."""
    page.hover("#folds")
    for _ in range(60):
        page.mouse.wheel(0, -800)
    page.wait_for_selector("#folds-caption:text('where float64 ends')")
    is_current(page)
    assert shown(page).std() >= 0


def test_a_run_is_deleted_only_after_a_question(page: Page, studio: Studio) -> None:
    """Delete asks, and moves the run to the trash folder."""
    step(page)
    row = "#run-list li:has(button:text-is('ring')) button:text('Delete')"
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click(row)
    assert (studio.folder / "ring").is_dir()
    page.once("dialog", lambda dialog: dialog.accept())
    page.click(row)
    page.wait_for_function("() => document.querySelectorAll('#run-list li').length === 0")
    assert (studio.folder / ".trash" / "ring" / "config.toml").is_file()
    assert not (studio.folder / "ring").exists()


def test_losses_are_shown_on_both_scales(page: Page) -> None:
    """The chart of losses is redrawn when its scale changes."""
    step(page, 3)
    before = page.locator("#chart-losses").screenshot()
    page.select_option("#scale", "linear")
    page.wait_for_selector("#chart-losses canvas")
    assert page.locator("#chart-losses").screenshot() != before


def test_a_clicked_fold_lists_its_neurons_weights(page: Page) -> None:
    """A click on a fold lists the weights of its neuron with their bits, which add up."""
    page.wait_for_selector("#saved-now:text('saved now')")
    page.evaluate("() => window.scrollTo(0, 0)")
    pixels = shown(page).astype(int)
    y, x = np.argwhere(pixels[..., 0] - pixels[..., 2] > 100)[5000].tolist()
    box = page.locator("#folds").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector("#neuron-weights dt:text-is('bias')")
    parts = page.locator("#neuron-weights dd").all_inner_texts()
    bits = [float(part.split(", ")[1].split()[0]) for part in parts]
    told = float(page.inner_text("#neuron").split("cost ")[1].split()[0].replace(",", ""))
    assert sum(bits) == pytest.approx(told, rel=0.05)
    assert epoch_of(page) == 0
