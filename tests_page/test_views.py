"""The views beside the folds of one run, in a browser."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

from tests_page.conftest import Studio
from tests_page.test_page import kept_run, settled, shown, shown_once, step, wait_for_epoch


def test_two_runs_stand_side_by_side_in_one_window(page: Page, studio: Studio) -> None:
    """Two runs show only their different settings, and can be kept at the same epoch."""
    step(page, 3)
    page.locator("#timeline").fill("1")
    page.click("#branch")
    page.wait_for_selector("#run-list button:text('ring-from-1')")
    page.wait_for_function("() => document.querySelector('#epoch').textContent === 'epoch 1'")
    page.fill("#live-settings input[name=learning_rate]", "0.02")
    page.press("#live-settings input[name=learning_rate]", "Tab")
    page.click("#run-list li:has(button:text-is('ring')) button:text('Beside')")
    caption = "document.querySelector('#panes figcaption').textContent"
    page.wait_for_function(f"() => {caption}.includes('at epoch 1')")
    page.wait_for_selector("#differences td")
    assert page.locator("#differences th[scope=row]").all_inner_texts() == ["learning rate"]
    assert page.locator("#differences td").all_inner_texts() == ["0.02", "0.005"]
    page.uncheck("#same-epoch")
    page.wait_for_function(f"() => {caption}.includes('at epoch 3')")
    page.click("#run-list li:has(button:text-is('ring')) button:text('Beside')")
    page.wait_for_selector("#panes figcaption", state="detached")


def test_points_are_drawn_where_they_are_learned(page: Page, studio: Studio) -> None:
    """Points are drawn where they are learned, and the picture changes only there."""
    page.wait_for_function("() => document.querySelector('#target-caption').textContent !== ''")
    before = settled(page)
    page.check("#points")
    after = shown_once(page, lambda pixels: (pixels != before).any(-1).mean() > 0.01)
    assert 0.01 < (before != after).any(-1).mean() < 0.9
    page.uncheck("#points")
    assert (shown_once(page, lambda pixels: (pixels == before).all()) == before).all()


def test_the_planted_bug_turns_the_audit_red_and_is_marked(page: Page, studio: Studio) -> None:
    """The switch is a recorded change, the audit names the line that cuts, and a mark shows it."""
    step(page, 2)
    page.click("#cut")  # which shows it once the trainer has confirmed it
    page.wait_for_selector("#audit .verdict-cut")
    assert "cut.py:" in page.inner_text("#audit .site >> nth=0")
    assert "problem" in (page.get_attribute("#audit-verdict", "class") or "")
    page.wait_for_selector("#marks .audit")
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    # It may have scrolled below the header.
    page.hover("#timeline", position={"x": box["width"] - 9, "y": box["height"] / 2})
    page.wait_for_function(
        "() => document.querySelector('#mark-text').textContent.includes('targets of K cut')"
    )
    page.click("#cut")
    page.wait_for_selector("#audit:not(:has(.verdict-cut)) .verdict-reaches")
    changes = kept_run(page, studio).changes.items
    assert [change.settings["kolmogorov_targets"] for change in changes] == ["cut", "rounded"]


def test_a_point_of_a_curve_shows_its_epoch_in_all_views(page: Page) -> None:
    """A curve's point shows its epoch in folds, time line and summary, until the pointer leaves."""
    step(page, 4)
    page.hover("#chart-losses .u-over", position={"x": 2, "y": 20})
    page.wait_for_function(
        "() => document.querySelector('#folds-caption').textContent.includes('epoch 1')"
    )
    assert page.inner_text("#epoch") == "pointing at epoch 1"
    assert page.input_value("#timeline") == "1"
    page.mouse.move(2, 2)
    wait_for_epoch(page, 4)
    assert page.inner_text("#epoch") == "epoch 4"


def test_a_fold_under_the_pointer_names_its_neuron(page: Page) -> None:
    """Its layer, its number, and what its weights cost once that is known."""
    step(page)
    page.wait_for_function("() => document.querySelector('#saved-now').textContent !== ''")
    pixels = shown(page).astype(int)
    y, x = np.argwhere(pixels[..., 0] - pixels[..., 2] > 100)[5000].tolist()
    box = page.locator("#folds").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_function(
        "() => /neuron \\d+ of layer \\d+: its weights and bias cost/"
        ".test(document.querySelector('#neuron').textContent)"
    )
