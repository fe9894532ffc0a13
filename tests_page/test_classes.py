"""A target with classes: painted by class, and shown in the colours of its predictions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from bitfold.networks import PolytopeNet
from bitfold.targets.classes import display_class_colours
from tests_page.conftest import Studio
from tests_page.test_page import kept_run, settled, step

PAPER, VERMILLION = (247, 246, 243), (213, 94, 0)


@pytest.fixture
def classes_page(page: Page) -> Page:
    """Begin a run with three classes."""
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.fill("#new-settings input[name=target]", "rgb-ring")
    page.click("#new-settings button")
    page.wait_for_selector("#run-list button[aria-pressed=true]:text-is('rgb-ring')")
    page.wait_for_selector("#classes label")
    return page


def test_a_class_is_painted_and_learned(classes_page: Page, studio: Studio) -> None:
    """Classes replace the colour, and the chosen one is learned where it was painted."""
    page = classes_page
    assert page.locator("#classes label").count() == 3
    assert not page.locator("#colour").is_visible()
    page.get_by_label("class 2").check()
    page.check("#tool-brush")
    box = page.locator("#target").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("() => !document.querySelector('#undo').disabled")
    middle = page.evaluate(
        """() => { const canvas = document.querySelector("#target");
            const { width, height } = canvas;
            return [...canvas.getContext("2d").getImageData(width / 2, height / 2, 1, 1).data]; }"""
    )
    step(page)
    run = kept_run(page, studio, "rgb-ring")
    assert run.target.classes is not None
    assert run.target.class_colours is not None
    _, height, width, _ = run.target.pixels.shape
    assert run.target.classes.reshape(height, width)[height // 2, width // 2] == 1
    assert middle[:3] == display_class_colours(run.target.class_colours)[1].tolist()


def test_the_error_of_a_class_is_right_or_wrong(classes_page: Page, studio: Studio) -> None:
    """With errors on the faces, a pixel is vermillion where the network predicts another class."""
    page = classes_page
    step(page)
    page.select_option("#fold-colour", "none")
    page.select_option("#faces", "error")
    page.mouse.move(5, 5)
    pixels = settled(page)
    camera = page.evaluate("() => window.bitfold.camera()")
    run = kept_run(page, studio, "rgb-ring")
    network = run.network(1)
    assert isinstance(network, PolytopeNet)
    height, width, _ = pixels.shape
    steps = [(2 * np.arange(n) + 1) / n - 1 for n in (width, height)]
    xs, ys = np.meshgrid(
        camera["x"] + steps[0] * camera["half"] * camera["aspect"],
        camera["y"] + steps[1] * camera["half"],
    )
    inside = (np.abs(xs) < 0.48) & (np.abs(ys) < 0.48)
    points = torch.tensor(np.stack([xs[inside], ys[inside]], 1), dtype=torch.float32)
    with torch.no_grad():
        predicted = network(points).argmax(1).numpy()
    _, rows, columns, _ = run.target.pixels.shape
    assert run.target.classes is not None
    at = (((ys[inside] + 0.5) * rows).astype(int), ((xs[inside] + 0.5) * columns).astype(int))
    wanted = run.target.classes.reshape(rows, columns)[at]
    expected = np.where((predicted == wanted)[:, None], PAPER, VERMILLION)
    is_equal = (np.abs(pixels[inside].astype(int) - expected) <= 2).all(1)
    assert 0.05 < (predicted == wanted).mean() < 0.95
    assert is_equal.mean() > 0.97
