"""Tests of targets: tasks, values and their contract with the network."""

from typing import Any

import numpy as np
import pytest

from bitfold.errors import TargetError
from bitfold.targets import Frames, Target, load_target, make_target


def make(**changes: Any) -> Any:
    """Make a small valid classification target with some fields changed."""
    fields = {
        "name": "t",
        "pixels": np.zeros((1, 2, 3, 3), np.uint8),
        "task": "classification",
        "class_colours": np.array([[0, 0, 0], [9, 9, 9]], np.uint8),
        "classes": np.array([0, 1, -1, 0, 1, 1]),
    }
    return Target(**(fields | changes))


def test_values_of_eight_and_sixteen_bits_fill_the_unit_interval() -> None:
    """8-bit values are divided by 255 and 16-bit values by 65535, as float32."""
    depths: tuple[tuple[Any, int], ...] = ((np.uint8, 255), (np.uint16, 65535))
    for dtype, full in depths:
        pixels = np.array([0, 1, full // 2, full], dtype).reshape(1, 2, 2, 1)
        target = make_target("v", Frames(pixels))
        values = target.values(np.array([3, 0, 1, 2]))
        assert values.dtype == np.float32
        expected = np.array([full, 0, 1, full // 2], np.float32) / np.float32(full)
        np.testing.assert_array_equal(values[:, 0], expected)


def test_values_follow_the_grid() -> None:
    """The value at a coordinate is the pixel that holds it, also in colour clips."""
    pixels = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    target = make_target("c", Frames(pixels, frames_per_second=5.0), task="regression")
    assert (target.in_features, target.out_features) == (3, 3)
    index = target.grid.indices(np.array([[2.5 / 5 - 0.5, 3.5 / 4 - 0.5, 1.5 / 2 - 0.5]]))
    np.testing.assert_allclose(target.values(index)[0] * 255, pixels[1, 3, 2], rtol=1e-6)


def test_classes_are_the_values_of_classification() -> None:
    """Classification gives int64 classes, -1 where left out, and counts those."""
    target = make()
    assert target.values(np.array([5, 2])).tolist() == [1, -1]
    assert target.values(np.array([0])).dtype == np.int64
    assert (target.out_features, target.num_left_out, target.num_usable) == (2, 1, 5)
    assert target.usable.tolist() == [0, 1, 3, 4, 5]


def test_regression_may_use_every_pixel() -> None:
    """Nothing is left out of a regression target."""
    target = load_target("ring", size=9)
    np.testing.assert_array_equal(target.usable, np.arange(81))
    assert target.num_left_out == 0


def test_the_shown_picture_is_rgb_of_eight_bits_and_a_copy() -> None:
    """Grey and 16-bit pixels are shown as 8-bit RGB that may be drawn on."""
    pixels = np.array([0, 65535, 257, 128], np.uint16).reshape(1, 2, 2, 1)
    target = make_target("p", Frames(pixels))
    shown = target.picture()
    assert shown.shape == (2, 2, 3)
    assert shown[..., 1].tolist() == [[0, 255], [1, 0]]
    shown[:] = 7
    assert target.pixels[0, 0, 1, 0] == 65535


@pytest.mark.parametrize(
    ("name", "task"),
    [("ring", "regression"), ("disk", "regression"), ("rgb-ring", "classification")],
)
def test_auto_chooses_by_colour(name: str, task: str) -> None:
    """Grey is regression and few flat colours are classification, unless asked otherwise."""
    assert load_target(name, size=64).task == task
    assert load_target(name, size=64, task="regression").task == "regression"
    assert load_target(name, size=64, task="classification").task == "classification"


def test_unknown_tasks_are_refused() -> None:
    """A task is auto, regression or classification."""
    with pytest.raises(TargetError, match="got 'segmentation'"):
        load_target("ring", size=8, task="segmentation")


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": np.zeros((2, 3, 3), np.uint8)},
        {"pixels": np.zeros((1, 2, 3, 2), np.uint8)},
        {"pixels": np.zeros((1, 0, 3, 3), np.uint8)},
        {"pixels": np.zeros((1, 2, 3, 3), np.float32)},
        {"pixels": np.zeros((2, 1, 3, 3), np.uint8)},
        {"task": "other"},
        {"task": "regression"},
        {"classes": None},
        {"classes": np.zeros(5, np.int64)},
        {"classes": np.zeros(6, np.int32)},
        {"classes": np.array([0, 1, -2, 0, 0, 0])},
        {"classes": np.array([0, 1, 2, 0, 0, 0])},
        {"class_colours": np.zeros((1, 3), np.uint8)},
        {"class_colours": np.zeros((65, 3), np.uint8)},
        {"class_colours": np.zeros((2, 3), np.int64)},
        {"is_clip": True, "frames_per_second": float("nan")},
        {"is_clip": True, "frames_per_second": 0.0},
    ],
)
def test_contradictions_are_refused(changes: Any) -> None:
    """A target whose parts do not fit together cannot be made."""
    make()
    with pytest.raises(TargetError, match="Cannot use target 't'"):
        make(**changes)
