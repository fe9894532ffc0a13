"""Tests of the picture's facts in a recipe."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bitfold import PolytopeNet, read_model, write_model
from bitfold.networks import Picture
from tests.model_file import plain_decoder


def network(picture: Picture | None, inputs: int = 2) -> PolytopeNet:
    """Return a network that shows a picture."""
    made = PolytopeNet(inputs, [4], 1, generator=torch.Generator().manual_seed(0))
    made.picture = picture
    return made


def test_a_square_picture_adds_no_byte(tmp_path: Path) -> None:
    """The file of a square picture is as long as the file of a network that shows none."""
    path = tmp_path / "a"
    write_model(path, network(None))
    before = path.read_bytes()
    write_model(path, network(Picture(640, 640, class_colours=((0, 0, 0), (9, 9, 9)))))
    assert path.read_bytes() == before
    read = read_model(path)
    assert isinstance(read, PolytopeNet)
    assert read.picture is None


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Picture(1920, 1080), Picture(16, 9)),
        (Picture(1, 8192), Picture(1, 5462)),
        (Picture(64, 64, 300, 29.97), Picture(1, 1, 300, 29.97)),
        (Picture(30, 20, 7, None), Picture(3, 2, 7, None)),
        (Picture(1, 1, 10_000, 1e9), Picture(1, 1, 10_000, 10_000.0)),
    ],
)
def test_aspect_frames_and_rate_come_back(
    picture: Picture, expected: Picture, tmp_path: Path
) -> None:
    """A file tells the aspect of a picture, and the frames and the rate of a clip."""
    path = tmp_path / "a"
    plain = write_model(path, network(None, 3))
    assert write_model(path, network(picture, 3)) <= plain + 11
    read = read_model(path)
    assert isinstance(read, PolytopeNet)
    assert read.picture == expected


def test_a_picture_stands_beside_an_encoding(tmp_path: Path) -> None:
    """A network with triangle waves keeps both its octaves and its picture."""
    made = PolytopeNet(2, [4], 1, encoding="triangle:3")
    made.picture = Picture(3, 2)
    write_model(tmp_path / "a", made)
    read = read_model(tmp_path / "a")
    assert isinstance(read, PolytopeNet)
    assert (read.encoding.num_octaves, read.picture) == (3, Picture(3, 2))


def painted(picture: Picture, outputs: int = 3) -> PolytopeNet:
    """Return a network of classes that shows a picture."""
    made = PolytopeNet(2, [4], outputs, generator=torch.Generator().manual_seed(0))
    made.picture = picture
    return made


@pytest.mark.parametrize("picture", [Picture(), Picture(3, 2)])
def test_a_palette_comes_back(picture: Picture, tmp_path: Path) -> None:
    """A palette takes three bytes a class, and a file's reader shows classes in its colours."""
    palette = ((1, 2, 3), (255, 0, 128), (9, 9, 9))
    plain = write_model(tmp_path / "a", painted(picture))
    painted_bytes = write_model(tmp_path / "b", painted(replace(picture, palette=palette)))
    assert painted_bytes <= plain + 11
    read = read_model(tmp_path / "b")
    assert isinstance(read, PolytopeNet)
    assert read.picture == replace(picture, palette=palette, class_colours=palette)
    numbers = plain_decoder.decode((tmp_path / "b").read_bytes(), None)
    own = [item.flatten().tolist() for item in read.parameters()]
    assert numbers == own


def test_a_palette_of_other_outputs_is_not_written(tmp_path: Path) -> None:
    """A palette whose size does not match the outputs is not written."""
    plain = write_model(tmp_path / "a", painted(Picture()))
    assert write_model(tmp_path / "b", painted(Picture(palette=((0, 0, 0),)))) == plain
