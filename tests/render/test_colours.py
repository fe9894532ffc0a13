"""Colours of classes, probabilities and marks."""

import numpy as np

from bitfold.render.colours import (
    BLUE,
    BLUISH_GREEN,
    FOLD_COLOUR,
    PAPER,
    VERMILLION,
    contrasting,
    luma,
    probability_colours,
)
from bitfold.targets.classes import display_class_colours


def test_pure_classes_become_colours_that_can_be_told_apart() -> None:
    """Red stays reddish, green greenish and blue bluish, in that order."""
    shown = display_class_colours(np.diag([255, 255, 255]).astype(np.uint8))
    assert [tuple(row) for row in shown.tolist()] == [VERMILLION, BLUISH_GREEN, BLUE]
    assert shown.argmax(axis=1).tolist() == [0, 1, 2]


def test_two_classes_never_share_a_colour() -> None:
    """A picture that has both red and vermillion keeps its red."""
    own = np.array([[255, 0, 0], VERMILLION, [0, 0, 255]], dtype=np.uint8)
    assert display_class_colours(own).tolist() == [[255, 0, 0], list(VERMILLION), list(BLUE)]


def test_probability_colours_brighten_evenly() -> None:
    """The lightness of the map never falls, so that it reads in grey as well."""
    brightness = luma(probability_colours()).astype(int)
    assert brightness[0] < 40
    assert brightness[-1] > 200
    assert (np.diff(brightness) >= -1).all()


def test_contrast_is_strong_on_every_colour() -> None:
    """Black or white differs from any ground by at least 120 of 255 in brightness."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grounds = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    ink = np.broadcast_to(contrasting(grounds), grounds.shape)
    assert (np.abs(luma(ink).astype(int) - luma(grounds)) >= 120).all()


def test_fold_colour_stands_out_from_every_grey() -> None:
    """Some channel differs from any grey by at least 90, and paper by more."""
    greys = np.repeat(np.arange(256)[:, None], 3, axis=1)
    assert np.abs(greys - FOLD_COLOUR).max(axis=1).min() >= 90
    assert np.abs(np.subtract(PAPER, FOLD_COLOUR)).max() > 200
