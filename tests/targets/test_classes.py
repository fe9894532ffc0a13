"""Tests of flat colours as classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bitfold.errors import TargetError
from bitfold.targets import Frames, draw_builtin, load_target, make_target
from bitfold.targets.classes import find_flat_colours


def blocks(colours: Any, side: Any = 8) -> Any:
    """Draw one square of each colour, side by side (1, side, side * K, 3)."""
    return np.repeat(np.repeat(np.array([colours], np.uint8), side, 0), side, 1)[None]


@given(st.permutations([(255, 0, 0), (0, 255, 0), (0, 0, 255)]))
@settings(max_examples=6)
def test_red_green_and_blue_are_zero_one_and_two(order: Any) -> None:
    """The pure colours are numbered in their own order wherever they stand."""
    flat = find_flat_colours(blocks(order))
    assert flat.colours.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    number = {(255, 0, 0): 0, (0, 255, 0): 1, (0, 0, 255): 2}
    assert flat.classes.reshape(8, 24)[0, ::8].tolist() == [number[colour] for colour in order]


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        (["blue", "red"], ["red", "blue"]),
        (["black", "blue", "white", "green"], ["green", "blue", "black", "white"]),
        (["white", "white", "black", "blue"], ["blue", "white", "black"]),
        (["black", "grey", "grey"], ["grey", "black"]),
    ],
)
def test_the_other_colours_follow_by_frequency(colours: Any, expected: Any) -> None:
    """Missing pure colours leave no gap; the others are numbered by decreasing frequency."""
    rgb = {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "black": (0, 0, 0),
        "white": (255, 255, 255),
        "grey": (90, 90, 90),
    }
    flat = find_flat_colours(blocks([rgb[name] for name in colours]))
    assert flat.colours.tolist() == [list(rgb[name]) for name in expected]


@pytest.mark.parametrize("size", [32, 64, 100, 256])
def test_smoothed_edges_are_left_out_and_counted(size: int) -> None:
    """Scaling a flat picture down smoothly adds no class, and its in-between pixels count."""
    large = Image.fromarray(draw_builtin("rgb-ring", 4 * size))
    pixels = np.array(large.resize((size, size), Image.Resampling.BOX))[None]
    target = make_target("smooth", Frames(pixels))
    assert target.task == "classification"
    assert target.class_colours is not None
    assert target.classes is not None
    assert target.class_colours.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    pure = (np.isin(pixels, (0, 255)).all(axis=-1) & (pixels.sum(axis=-1) == 255)).ravel()
    assert target.num_left_out == np.count_nonzero(~pure) > 0
    np.testing.assert_array_equal(target.classes >= 0, pure)
    np.testing.assert_array_equal(target.usable, np.flatnonzero(pure))
    assert target.num_usable == len(target.usable)


@pytest.mark.parametrize("name", ["ring", "disk", "spiral", "text:AB"])
@pytest.mark.parametrize("size", [32, 200])
def test_grey_pictures_can_be_classified(name: str, size: int) -> None:
    """The smooth grey drawings have two classes, black and white."""
    target = load_target(name, size=size, task="classification")
    assert target.class_colours is not None
    assert sorted(target.class_colours[:, 0].tolist()) == [0, 255]
    assert target.num_left_out > 0


def test_a_single_odd_pixel_is_left_out() -> None:
    """One pixel of another colour in a large picture is no class."""
    pixels = blocks([(255, 0, 0), (0, 0, 255)], side=16)
    pixels[0, 5, 5] = (90, 200, 10)
    flat = find_flat_colours(pixels)
    assert len(flat.colours) == 2
    assert flat.classes[5 * 32 + 5] == -1
    assert np.count_nonzero(flat.classes < 0) == 1


def test_small_but_solid_areas_are_classes() -> None:
    """A dot of 4 x 4 pixels in a large picture has its class though it is rare."""
    pixels = np.full((1, 200, 200, 3), 255, np.uint8)
    pixels[0, 100:104, 100:104] = (10, 120, 60)
    assert find_flat_colours(pixels).colours.tolist() == [[255, 255, 255], [10, 120, 60]]


@pytest.mark.parametrize("quality", [40, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_noise_of_jpeg_makes_no_classes(tmp_path: Path, quality: int, subsampling: int) -> None:
    """A flat picture saved as JPEG still has its three classes, and most pixels are right."""
    image = Image.fromarray(draw_builtin("rgb-ring", 256))
    image.save(tmp_path / "a.jpg", quality=quality, subsampling=subsampling)
    target = load_target(str(tmp_path / "a.jpg"))
    assert target.class_colours is not None
    assert target.classes is not None
    assert target.class_colours.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    truth = load_target("rgb-ring", size=256).classes
    assert truth is not None
    kept = target.usable
    assert len(kept) > 0.85 * len(truth)
    assert np.mean(target.classes[kept] == truth[kept]) > 0.999


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_photograph_is_regression(tmp_path: Path, kind: str) -> None:
    """Noise and slow gradients, also dark or faint ones, are not flat colours."""
    y, x = np.mgrid[:200, :200]
    noise = np.random.default_rng(0).normal(0, 5, (200, 200, 3))
    photo = np.stack([x * 0.4 + 40 + 20 * np.sin(y / 9), y * 0.5 + 30, (x + y) * 0.3], -1) + noise
    for scale, offset in ((1.0, 0), (0.1, 0), (0.1, 150)):
        pixels = np.clip(photo * scale + offset, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"a.{kind}")
        assert load_target(str(tmp_path / f"a.{kind}")).task == "regression"


@pytest.mark.parametrize("side", [1, 4])
@pytest.mark.parametrize("number", [2, 64, 65])
def test_at_most_sixty_four_classes(number: int, side: int) -> None:
    """64 colours, in stripes of one pixel or of four, are classes; 65 point to regression."""
    stripes = np.zeros((1, max(number, 8), number * side, 3), np.uint8)
    stripes[..., 0] = np.repeat(np.arange(number) * 3, side)
    stripes[..., 1] = 9
    if number > 64:
        with pytest.raises(TargetError, match=r"at most 64 .* got 65\. Use `task='regression'`"):
            make_target("stripes", Frames(stripes), task="classification")
    else:
        target = make_target("stripes", Frames(stripes), task="classification")
        assert (target.out_features, target.num_left_out) == (number, 0)


@pytest.mark.parametrize("colour", [(7, 8, 9), (5, 5, 5)])
def test_one_colour_cannot_be_classified(colour: Any) -> None:
    """A picture of one colour is an error for classification and regression otherwise."""
    pixels = np.full((1, 9, 9, 3), colour, np.uint8)
    with pytest.raises(TargetError, match="at least 2 flat colours, got one"):
        make_target("one", Frames(pixels), task="classification")
    assert make_target("one", Frames(pixels)).task == "regression"


def test_many_flat_colours_are_regression_unless_asked() -> None:
    """Seventeen flat colours are regression by default, sixteen are classes."""
    colours = [(12 * n, 255 - 12 * n, 40) for n in range(17)]
    assert make_target("n", Frames(blocks(colours[:16]))).task == "classification"
    assert make_target("n", Frames(blocks(colours))).task == "regression"
    target = make_target("n", Frames(blocks(colours)), task="classification")
    assert target.out_features == 17


def test_sixteen_bit_colours_are_compared_at_eight_bits() -> None:
    """Flat colours of 16 bits are classes of their rounded colours."""
    pixels = blocks([(255, 0, 0), (0, 0, 255)]).astype(np.uint16) * 257
    pixels[pixels == 0] = 40
    target = make_target("deep", Frames(pixels))
    assert target.class_colours is not None
    assert target.class_colours.tolist() == [[255, 0, 0], [0, 0, 255]]


def test_the_result_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing colours in blocks of rows gives the classes found at once."""
    pixels = draw_builtin("rgb-ring", 50)[None]
    whole = find_flat_colours(pixels)
    monkeypatch.setattr("bitfold.targets.classes.BLOCK_PIXELS", 120)
    np.testing.assert_array_equal(find_flat_colours(pixels).classes, whole.classes)
