"""Tests of the kernel baseline against a plain sum over all points."""

from typing import Any

import numpy as np
import pytest

from bitfold.errors import ConfigError
from bitfold.targets import (
    Frames,
    Split,
    kernel_baseline_error,
    kernel_smoothed,
    load_target,
    make_target,
    sample_split,
)


def reference(target: Any, split: Any, sigma_px: Any, queries: Any) -> Any:
    """Sum over all training points, relative to the nearest so that nothing underflows."""
    grid = target.grid

    def places(indices: Any) -> Any:
        frames, rest = np.divmod(indices, grid.width * grid.height)
        return np.stack([rest % grid.width, rest // grid.width, frames], axis=1).astype(float)

    distance = ((places(queries)[:, None] - places(split.training)) ** 2).sum(axis=-1)
    weights = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / (2 * sigma_px**2))
    values = target.values(split.training)
    if target.classes is not None:
        values = np.eye(target.out_features)[values]
    return weights @ values / weights.sum(axis=1, keepdims=True)


CASES = [(20, 0.3), (30, 3.0), (300, 2.0), ("all", 1.5), (200, 20.0), (800, 6.0), (5, 1e6)]


@pytest.mark.parametrize(("points", "sigma_px"), CASES)
@pytest.mark.parametrize("name", ["ring", "rgb-ring"])
def test_the_picture_is_the_plain_sum(name: str, points: Any, sigma_px: Any) -> None:
    """For sparse or dense points and narrow or wide kernels, the picture is the plain sum."""
    target = load_target(name, size=40)
    split = sample_split(target, points=points, batch_size=32, seed=3)
    expected = reference(target, split, sigma_px, np.arange(1600))
    shown = kernel_smoothed(target, split, sigma_px, width=40, height=40).reshape(-1, 3)
    if target.classes is None:
        assert np.abs(shown - 255 * expected).max() < 0.51
    else:
        top = np.sort(expected, axis=1)
        clear = top[:, -1] - top[:, -2] > 1e-3
        assert target.class_colours is not None
        colours = target.class_colours[expected.argmax(axis=1)]
        np.testing.assert_array_equal(shown[clear], colours[clear])


@pytest.mark.parametrize(("points", "sigma_px"), CASES)
def test_the_error_is_that_of_the_plain_sum(points: Any, sigma_px: Any) -> None:
    """The baseline's error is the mean squared error of the plain sum at validation points."""
    target = load_target("spiral", size=40)
    split = sample_split(target, points=points, batch_size=200, seed=4)
    estimate = reference(target, split, sigma_px, split.validation)
    expected = np.mean((estimate - target.values(split.validation)) ** 2)
    assert kernel_baseline_error(target, split, sigma_px) == pytest.approx(expected, abs=1e-5)


def test_the_error_of_classes_is_the_share_of_wrong_ones() -> None:
    """For classification the baseline's error counts wrong classes."""
    target = load_target("rgb-ring", size=40)
    split = sample_split(target, points=100, batch_size=200, seed=5)
    estimate = reference(target, split, 2.0, split.validation)
    assert target.classes is not None
    expected = np.mean(estimate.argmax(axis=1) != target.classes[split.validation])
    assert kernel_baseline_error(target, split, 2.0) == pytest.approx(expected)


def test_too_many_neighbours_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound on neighbours a random part of the points gives nearly the same error."""
    target = load_target("ring", size=100)
    split = sample_split(target, points="all", batch_size=300, seed=6)
    exact = kernel_baseline_error(target, split, 8.0)
    monkeypatch.setattr("bitfold.targets.smoothing.MAX_NEIGHBOURS", 500)
    assert kernel_baseline_error(target, split, 8.0) == pytest.approx(exact, rel=0.2)


def clip(num_frames: Any = 6, size: Any = 16) -> Any:
    """Make a grey clip whose frames differ."""
    noise = np.random.default_rng(7).integers(0, 256, (num_frames, size, size, 1))
    return make_target("clip", Frames(noise.astype(np.uint8), frames_per_second=10.0))


@pytest.mark.parametrize(("points", "sigma_px"), [(10, 0.5), (60, 1.5), (600, 1.0), ("all", 0.7)])
def test_a_clip_is_smoothed_over_frames_as_over_pixels(points: Any, sigma_px: float) -> None:
    """In a clip one frame counts as one pixel, also where a frame has no points of its own."""
    target = clip()
    split = sample_split(target, points=points, batch_size=100, seed=8)
    for frame in (0, 3, 5):
        queries = np.arange(256) + 256 * frame
        expected = reference(target, split, sigma_px, queries)
        shown = kernel_smoothed(target, split, sigma_px, frame=frame, width=16, height=16)
        assert np.abs(shown.reshape(-1, 3) - 255 * expected).max() < 0.51
    estimate = reference(target, split, sigma_px, split.validation)
    expected = np.mean((estimate - target.values(split.validation)) ** 2)
    assert kernel_baseline_error(target, split, sigma_px) == pytest.approx(expected, abs=1e-5)


def test_other_sizes_show_the_same_picture() -> None:
    """A larger raster repeats pixels; a smaller one is close to the average of the larger."""
    target = load_target("disk", size=48)
    split = sample_split(target, points=800, batch_size=100, seed=9)
    same = kernel_smoothed(target, split, 2.0, width=48, height=48)
    large = kernel_smoothed(target, split, 2.0, width=144, height=96)
    np.testing.assert_array_equal(large, same.repeat(2, axis=0).repeat(3, axis=1))
    small = kernel_smoothed(target, split, 2.0, width=24, height=16).astype(float)
    means = same.reshape(16, 3, 24, 2, 3).mean(axis=(1, 3))
    assert small.shape == (16, 24, 3)
    assert np.abs(small - means).mean() < 6


def test_a_single_point_fills_the_picture() -> None:
    """However far away it is, one training point gives its value everywhere."""
    target = load_target("disk", size=64)
    centre = 32 * 64 + 32
    split = Split(np.array([centre]), np.array([0, centre + 1]))
    assert (kernel_smoothed(target, split, 0.5, width=64, height=64) == 255).all()
    assert kernel_baseline_error(target, split, 0.5) == pytest.approx(0.5)


def test_colour_stays_rgb() -> None:
    """The smoothed picture of a red and blue one is red and blue at the same places."""
    pixels = np.zeros((1, 20, 20, 3), np.uint8)
    pixels[0, :, :10, 0] = 255
    pixels[0, :, 10:, 2] = 255
    target = make_target("halves", Frames(pixels), task="regression")
    split = sample_split(target, points=200, batch_size=50, seed=10)
    shown = kernel_smoothed(target, split, 1.0, width=20, height=20)
    assert shown[10, 1].tolist() == [255, 0, 0]
    assert shown[10, 18].tolist() == [0, 0, 255]


@pytest.mark.parametrize("sigma_px", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_widths_are_refused(sigma_px: Any) -> None:
    """Sigma is a finite number above zero."""
    target = load_target("ring", size=8)
    split = sample_split(target, batch_size=8, seed=0)
    with pytest.raises(ConfigError, match="sigma above 0"):
        kernel_smoothed(target, split, sigma_px, width=8, height=8)
    with pytest.raises(ConfigError, match="sigma above 0"):
        kernel_baseline_error(target, split, sigma_px)


@pytest.mark.parametrize("sigma_px", [1e-300, 1e-3, 1e300])
def test_extreme_widths_do_not_overflow(sigma_px: float) -> None:
    """The narrowest kernel gives the nearest point and the widest the mean, without warnings."""
    target = load_target("disk", size=24)
    split = sample_split(target, points=100, batch_size=50, seed=11)
    shown = kernel_smoothed(target, split, sigma_px, width=24, height=24)
    if sigma_px > 1:
        mean = 255 * target.values(split.training).mean()
        assert np.abs(shown - mean).max() < 1
    else:
        own = shown.reshape(-1, 3)[split.training, 0]
        np.testing.assert_array_equal(own, target.pixels.reshape(-1)[split.training])
    assert 0 <= kernel_baseline_error(target, split, sigma_px) <= 1


def test_far_from_a_crowd_all_of_it_counts() -> None:
    """Pixels far from all points weigh as many neighbours as matter, not only the nearest few."""
    noise = np.random.default_rng(12).integers(0, 256, (1, 64, 64, 1)).astype(np.uint8)
    target = make_target("noise", Frames(noise))
    crowd = np.concatenate([row * 64 + np.arange(6) for row in range(6)])
    split = Split(crowd, np.array([64 * 64 - 1, 64 * 60 + 50]))
    queries = np.arange(64 * 64)
    expected = reference(target, split, 6.0, queries)
    shown = kernel_smoothed(target, split, 6.0, width=64, height=64).reshape(-1, 3)
    assert np.abs(shown - 255 * expected).max() < 0.51
    error = np.mean((expected[split.validation] - target.values(split.validation)) ** 2)
    assert kernel_baseline_error(target, split, 6.0) == pytest.approx(error, abs=1e-5)
