"""The page in a browser: it shows the run truthfully, and its controls work."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from bitfold.model_file import model_info
from bitfold.polytopes import load_partition, partition
from bitfold.polytopes.drawing.raster import Raster, fold_segments
from bitfold.recording.network_view import without_sigmoid
from bitfold.studio.export.replay_page import write_replay_page
from bitfold.training import Run, load_run
from tests_page.conftest import PATIENCE_MS, Studio, new_page

RATE = "#live-settings input[name=learning_rate]"


def epoch_of(page: Page) -> int:
    """Return the epoch that the page shows."""
    return int(page.inner_text("#epoch").split()[-1].replace(",", ""))


def wait_for_epoch(page: Page, epoch: int) -> None:
    """Wait until the drawn partition is of this epoch or a later one; at first there is none."""
    page.wait_for_function(
        "epoch => Number(document.querySelector('#folds-caption').textContent"
        ".match(/epoch ([\\d,]+)/)?.[1].replace(',', '')) >= epoch",
        arg=epoch,
    )


def step(page: Page, times: int = 1) -> None:
    """Train some epochs one by one, and wait until they are drawn."""
    for _ in range(times):
        before = epoch_of(page)
        page.click("#step")
        wait_for_epoch(page, before + 1)


def shown(page: Page) -> NDArray[np.uint8]:
    """Return the pixels of the canvas with the folds."""
    page.evaluate("() => window.scrollTo(0, 0)")  # the header would cover a part
    data = page.locator("#folds").screenshot()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def shown_once(page: Page, holds: Callable[[NDArray[np.uint8]], Any]) -> NDArray[np.uint8]:
    """Return the pixels of the canvas once they are as wanted, else the last ones."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not holds(pixels := shown(page)) and time.monotonic() < end:
        page.wait_for_timeout(100)
    return pixels


def settled(page: Page) -> NDArray[np.uint8]:
    """Return the pixels of the canvas once two pictures in a row are the same."""
    is_current(page)
    before = [np.zeros(0, np.uint8)]

    def stays(pixels: NDArray[np.uint8]) -> bool:
        before.append(pixels)
        return np.array_equal(before[-2], pixels)

    return shown_once(page, stays)


def is_current(page: Page) -> None:
    """Wait until the window that is looked at is drawn."""
    page.wait_for_function("() => window.bitfold.isCurrent()")


def kept_run(page: Page, studio: Studio, name: str = "ring") -> Run:
    """Return the run, saved and closed, so that its files hold the epoch on the page."""
    page.click(f"#run-list li:has(button:text-is('{name}')) button:text('Save and close')")
    page.wait_for_selector(f"#run-list li:has(button:text-is('{name}')) small:not(:text('open'))")
    return load_run(studio.folder / name)


def test_a_newcomer_plays_and_pauses(page: Page) -> None:
    """Play trains, the picture follows, and Pause stops it."""
    before = shown(page)
    page.click("#play")
    wait_for_epoch(page, 5)
    page.click("#play")
    page.wait_for_function("() => document.querySelector('#play').textContent === 'Play'")
    stopped = epoch_of(page)
    page.wait_for_timeout(500)  # in which it would train on
    assert epoch_of(page) == stopped
    assert (shown(page) != before).mean() > 0.05
    assert "PSNR" in page.inner_text("#summary")
    assert re.search(r"[\d,]+ bits ", page.inner_text("#summary"))


@pytest.mark.parametrize("zoom", [1.0, 1e3, 1e9])
def test_the_picture_agrees_with_the_raster(page: Page, studio: Studio, zoom: float) -> None:
    """The picture equals the raster up to a pixel along folds, which the graphics card places."""
    step(page, 2)
    epoch = epoch_of(page)
    run = kept_run(page, studio)
    network, _ = without_sigmoid(run.network(epoch))
    # Around a vertex folds are visible at any zoom.
    vertices = partition(network).vertices
    vertex = vertices[np.abs(vertices - (0.11, -0.23)).max(1).argmin()].tolist()
    page.evaluate("([x, y, zoom]) => window.bitfold.zoomTo(x, y, zoom)", [*vertex, zoom])
    is_current(page)
    page.mouse.move(5, 5)
    window = page.evaluate("() => window.bitfold.camera()")
    pixels = shown(page)
    height, width, _ = pixels.shape
    half_x, half_y = window["half"] * window["aspect"], window["half"]
    low = (window["x"] - half_x, window["y"] - half_y)
    high = (window["x"] + half_x, window["y"] + half_y)
    found = partition(network, (low, high), with_outputs=True)
    raster = Raster(low, high, width, height)
    values = np.clip(raster.values(found.subdivision, found.vertex_outputs)[..., 0], 0, 1)
    segments, _ = fold_segments(found.subdivision)
    near = raster.lines(segments, 6.0, np.zeros(len(segments), np.uint8)).cover > 0
    xs, ys = np.meshgrid(np.linspace(low[0], high[0], width), np.linspace(low[1], high[1], height))
    inside = (np.abs(xs) < 0.49) & (np.abs(ys) < 0.49) & ~near
    assert inside.mean() > 0.2
    difference = np.abs(pixels.astype(float).mean(-1) - 255 * values)[inside]
    assert np.quantile(difference, 0.995) <= 3
    lines = raster.lines(segments, 1.0, np.zeros(len(segments), np.uint8)).cover > 200
    is_orange = (pixels[..., 0].astype(int) - pixels[..., 2]) > 60
    on_lines = lines & (np.abs(xs) < 0.49) & (np.abs(ys) < 0.49)
    assert on_lines.sum() > 200
    grown = is_orange.copy()
    for shift in (-1, 1):
        for axis in (0, 1):
            grown |= np.roll(is_orange, shift, axis)
    assert grown[on_lines].mean() > 0.97


def test_painting_changes_the_target_and_the_training_learns_it(page: Page, studio: Studio) -> None:
    """A stroke on the target is in the run's target from the next epoch on."""
    page.check("#tool-brush")
    page.fill("#colour", "#ffffff")
    box = page.locator("#target").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 10, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_function("() => !document.querySelector('#undo').disabled")
    step(page)
    run = kept_run(page, studio)
    assert run.target.pixels[0, 32, 32, 0] == 255
    assert run.changes.items[-1].epoch == 1
    assert run.at(0).target.pixels[0, 32, 32, 0] == 0


def test_lambda_is_changed_and_a_wrong_value_is_explained(page: Page, studio: Studio) -> None:
    """A setting takes effect before the next epoch, and a refusal stands below the folds."""
    page.fill("#live-settings input[name=kolmogorov_weight]", "0.05")
    page.press("#live-settings input[name=kolmogorov_weight]", "Tab")
    step(page)
    page.fill("#live-settings input[name=learning_rate]", "-1")
    page.press("#live-settings input[name=learning_rate]", "Tab")
    page.wait_for_function(
        "() => document.querySelector('#line').textContent.includes('more than 0')"
    )
    assert "problem" in (page.get_attribute("#line", "class") or "")
    page.wait_for_function("name => document.querySelector(name).value === '0.005'", arg=RATE)
    step(page)  # anything else takes the line away
    assert page.inner_text("#line") == ""
    assert kept_run(page, studio).config.kolmogorov_weight == 0.05


def test_the_pointer_finds_the_partitions_own_values(page: Page, studio: Studio) -> None:
    """The values under "Under the pointer" are the network's at that point."""
    step(page)
    box = page.locator("#folds").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"]
    page.mouse.move(x, y)
    page.wait_for_selector("#place dd")
    output = float(page.locator("#place dd").first.inner_text().replace(",", ""))
    camera = page.evaluate("() => window.bitfold.camera()")
    u, v = 2 * 0.45 - 1, 2 * 0.4 - 1
    point = [camera["x"] + u * camera["aspect"] * camera["half"], camera["y"] + v * camera["half"]]
    epoch = epoch_of(page)
    network, _ = without_sigmoid(kept_run(page, studio).network(epoch))
    expected = partition(network).evaluate([point])[0, 0]
    assert output == pytest.approx(expected, rel=1e-2, abs=2e-3)


def test_rewind_shows_an_earlier_moment_and_branch_begins_there(page: Page) -> None:
    """Rewind shows an earlier moment, and a branch is a run of its own that begins there."""
    step(page, 3)
    page.locator("#timeline").fill("1")
    page.wait_for_function(
        "() => document.querySelector('#folds-caption').textContent.includes('epoch 1')"
    )
    assert "looking back" in page.inner_text("#epoch")
    page.click("#branch")
    page.wait_for_selector("#run-list button:text('ring-from-1')")
    page.wait_for_function("() => document.querySelector('#epoch').textContent === 'epoch 1'")
    page.click("#step")
    wait_for_epoch(page, 2)


@pytest.mark.parametrize("kind", ["bitfold", "svg", "pdf", "png", "npz", "graphml", "mp4", "html"])
def test_each_format_is_saved(page: Page, kind: str, tmp_path: Path) -> None:
    """Each format is saved, and the network's file has the size that the page told."""
    step(page)
    page.wait_for_selector("#saved-now:text('saved now')")
    page.select_option("#format", kind)
    with page.expect_download() as coming:
        page.click("#save")
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    assert path.suffix == f".{kind}"
    if kind == "bitfold":
        told = int(page.inner_text("#saved-now").split()[2].replace(",", ""))
        assert path.stat().st_size == told
        assert model_info(path) is not None
    elif kind == "npz":
        number = int(page.inner_text("#folds-caption").split()[0].replace(",", ""))
        assert load_partition(path).num_polytopes == number
    elif kind == "png":
        with Image.open(path) as picture:
            assert min(picture.size) > 100
    elif kind == "mp4":
        with av.open(str(path)) as video:
            assert len(list(video.decode(video=0))) == 2  # epochs 0 and 1
    elif kind == "html":
        assert b'id="recorded"' in path.read_bytes()
    else:
        assert path.read_bytes().startswith(b"%PDF-" if kind == "pdf" else b"<?xml")


def test_everything_is_reached_by_the_keyboard(page: Page) -> None:
    """Each control has a name and takes the focus, and keys move and zoom the folds."""
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")]
        .filter(one => !(one.textContent.trim() || one.ariaLabel || one.title
            || one.getAttribute("aria-label") || (one.labels && one.labels.length)))
        .map(one => one.outerHTML)"""
    )
    assert nameless == []
    page.focus("#folds")
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "-"):
        page.keyboard.press(key)
    page.wait_for_function(
        "() => document.querySelector('#folds-caption').textContent.includes('enlarged')"
    )
    page.keyboard.press("0")
    page.wait_for_function(
        "() => !document.querySelector('#folds-caption').textContent.includes('enlarged')"
    )


def test_the_space_bar_belongs_to_the_control_that_has_the_focus(page: Page) -> None:
    """The space bar turns a focused checkbox on, and plays and pauses from elsewhere."""
    page.focus("#points")
    page.keyboard.press("Space")
    assert page.is_checked("#points")
    page.focus("#folds")
    page.keyboard.press("Space")
    page.wait_for_selector("#play:text-is('Pause')")
    page.keyboard.press("Space")
    page.wait_for_selector("#play:text-is('Play')")


def test_as_many_epochs_as_are_asked_for_are_trained(page: Page) -> None:
    """A number of epochs is trained, then the run is paused; a number that is none is explained."""
    page.fill("#step-count", "7")
    page.click("#step-many")
    wait_for_epoch(page, 7)
    page.wait_for_selector("#play:text-is('Play')")
    assert epoch_of(page) == 7
    for text in ("0", "", "2.5"):
        page.fill("#step-count", text)
        page.click("#step-many")
        page.wait_for_selector(f"#line:text('got {text or 'no number'}')")
    page.fill("#step-count", "2")
    page.press("#step-count", "Enter")
    wait_for_epoch(page, 9)


def test_the_replay_page_opens_from_disk(studio: Studio, page: Page, tmp_path: Path) -> None:
    """A replay page opened from disk makes no request, shows the run's moments and plays them."""
    step(page, 3)
    run = kept_run(page, studio)
    path = tmp_path / "run.html"
    count = write_replay_page(path, run.path)
    asked: list[str] = []
    context = page.context.browser
    assert context is not None
    replay = new_page(context)
    problems: list[str] = []
    replay.on("request", lambda request: asked.append(request.url))
    replay.on("pageerror", lambda error: problems.append(str(error)))
    replay.goto(path.as_uri())
    replay.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    number = int(replay.inner_text("#folds-caption").split()[0].replace(",", ""))
    assert number == partition(run.network(3)).num_polytopes
    assert shown(replay).std() > 20
    replay.locator("#timeline").fill("0")
    replay.click("#play")
    replay.wait_for_function("() => document.querySelector('#play').textContent === 'Play'")
    assert "epoch 3" in replay.inner_text("#folds-caption")
    assert count == 4
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob", "data"}
    assert problems == []
    replay.close()
