"""Classes within the pixels of a drawing's smoothed edges."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bitfold.experiments.pictures.finer_classes import finer_classes
from bitfold.experiments.pictures.similarity import psnr_db
from bitfold.targets import Frames, Target, make_target

_SIDE, _TIMES = 64, 4


def smoothed(large: Image.Image) -> Target:
    """Return a drawing of `_TIMES` times the side, averaged down to pixels."""
    small = np.asarray(large.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    return make_target("drawing", Frames(small[None]), task="classification")


@pytest.fixture
def drawn() -> Image.Image:
    """Return a slanted triangle over a disk, in three colours."""
    picture = Image.new("RGB", (_TIMES * _SIDE, _TIMES * _SIDE), "#f4f2ec")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((30, 40, 170, 190), fill="#d43d2a")
    pen.polygon([(90, 20), (240, 130), (70, 230)], fill="#2a6fb5")
    return picture


def test_finer_classes_average_to_the_drawing(drawn: Image.Image) -> None:
    """Averaged over pixels, the finer drawing is the drawing, but where three colours blend."""
    target = smoothed(drawn)
    fine = finer_classes(target, _TIMES)
    again = np.asarray(Image.fromarray(fine).resize((_SIDE, _SIDE), Image.Resampling.BOX))
    off = np.abs(again.astype(int) - target.picture()).max(2)
    assert (off > 255 / _TIMES**2).mean() < 0.005
    assert target.class_colours is not None
    colours = {tuple(one) for one in fine.reshape(-1, 3).tolist()}
    assert colours == {tuple(one) for one in target.class_colours.tolist()}


def test_finer_classes_lie_on_the_right_side_of_an_edge(drawn: Image.Image) -> None:
    """The finer drawing is nearer to what was averaged than its whole pixels could be."""
    target, truth = smoothed(drawn), np.asarray(drawn)
    whole = np.repeat(np.repeat(target.picture(), _TIMES, 0), _TIMES, 1)
    assert psnr_db(truth, finer_classes(target, _TIMES)) > psnr_db(truth, whole) + 3


def test_a_pixel_far_from_other_classes_is_the_nearest_blend() -> None:
    """A thin line without a class becomes the share of the two colours that it blends."""
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    pixels[0, :8], pixels[0, 20:22] = (240, 0, 0), (60, 0, 0)
    fine = finer_classes(make_target("line", Frames(pixels), task="classification"), 2)
    assert (fine[40:44, :, 0] == 240).mean() == pytest.approx(0.25)
