"""Partitions as figures for print."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bitfold.errors import PolytopeError, RenderError
from bitfold.networks import PolytopeNet
from bitfold.polytopes import Partition, partition
from bitfold.render import FigureStyle, draw_partition

WIDE = ((-2, -2), (2, 2))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def found() -> Partition:
    """A partition of three layers, twice as wide as it is high."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU(),
        nn.Linear(7, 3),
    )  # fmt: skip
    return partition(network.eval(), ((-2, -1), (2, 1)))


def drawn(found: Partition, path: Path, style: FigureStyle | None = None) -> ElementTree.Element:
    """The SVG of a partition."""
    draw_partition(found, path, style)
    return ElementTree.parse(path).getroot()


def test_an_svg_has_a_group_for_each_layer(found: Partition, tmp_path: Path) -> None:
    """Each layer is a group with a path for each line; faces are a picture, and text is text."""
    root = drawn(found, tmp_path / "a.svg", FigureStyle(faces="area", boundary=True))
    groups = {item.get("id"): item for item in root.iter(f"{SVG}g")}
    for layer, lines in enumerate(found.fold_lines(), 1):
        assert len(list(groups[f"layer-{layer}"].iter(f"{SVG}path"))) == len(lines)
    assert {"boundary", "border"} <= set(groups)
    assert [item.get("id") for item in root.iter(f"{SVG}image")].count("faces") == 1
    texts = ["".join(item.itertext()).strip() for item in root.iter(f"{SVG}text")]
    assert {"layer", "1", "2", "3", "log₁₀ area"} <= set(texts)


def test_size_is_in_millimetres_without_margins(found: Partition, tmp_path: Path) -> None:
    """A figure without a legend is just the domain."""
    style = FigureStyle(faces="none", has_legend=False, width_mm=100)
    root = drawn(found, tmp_path / "a.svg", style)
    width, height = (float(root.get(side, "").removesuffix("pt")) for side in ("width", "height"))
    assert width == pytest.approx(100 / 25.4 * 72)
    assert height == pytest.approx(50 / 25.4 * 72, rel=0.01)
    assert not list(root.iter(f"{SVG}text"))
    border = next(g for g in root.iter(f"{SVG}g") if g.get("id") == "border")
    numbers = next(border.iter(f"{SVG}path")).get("d", "").replace("M", "").replace("L", "")
    places = np.array(numbers.replace("z", "").split(), float).reshape(-1, 2)
    assert places.min() < 1
    assert places[:, 0].max() > width - 1


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_same_partition_gives_the_same_bytes(
    suffix: str, found: Partition, tmp_path: Path
) -> None:
    """Equal partitions give equal files of the right kind."""
    for name in ("a", "b"):
        draw_partition(found, tmp_path / f"{name}{suffix}", FigureStyle(faces="identity"))
    data = (tmp_path / f"a{suffix}").read_bytes()
    assert data == (tmp_path / f"b{suffix}").read_bytes()
    assert data.startswith({".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}[suffix])


def test_y_grows_upwards_or_downwards(found: Partition, tmp_path: Path) -> None:
    """``is_y_down`` mirrors the whole figure, faces included."""
    pictures = []
    for is_y_down in (False, True):
        style = FigureStyle(
            faces=lambda outputs: outputs, has_legend=False, width_mm=40, is_y_down=is_y_down
        )
        draw_partition(found, tmp_path / "a.png", style)
        with Image.open(tmp_path / "a.png") as picture:
            pictures.append(np.asarray(picture.convert("L"), float))
    up, down = pictures
    assert up.shape == (238, 472)
    assert np.abs(up[::-1] - down).mean() < 0.2 * np.abs(up - down).mean()


def test_many_folds_get_thin_lines(tmp_path: Path) -> None:
    """Lines get thinner if there are many, so that polytopes stay visible."""
    torch.manual_seed(0)
    widths = []
    for count in (4, 200):
        network = nn.Sequential(nn.Linear(2, count), nn.ReLU(), nn.Linear(count, 1)).eval()
        root = drawn(partition(network, WIDE), tmp_path / "a.svg", FigureStyle(faces="none"))
        layer = next(g for g in root.iter(f"{SVG}g") if g.get("id") == "layer-1")
        style = next(layer.iter(f"{SVG}path")).get("style", "")
        widths.append(float(style.split("stroke-width: ")[1].split(";")[0]))
    assert widths[0] == 0.5
    assert 0.08 <= widths[1] < 0.3


def test_what_cannot_be_drawn_is_one_line(found: Partition, tmp_path: Path) -> None:
    """An unknown suffix, a panel that is too small and a missing folder give one line."""
    for path, style, said in (
        (tmp_path / "a.gif", None, "expected a name ending in .svg, .pdf, .png, got .gif"),
        (tmp_path / "a.svg", FigureStyle(width_mm=12), "a panel of at least 5 mm by 1"),
        (tmp_path / "none" / "a.svg", None, "expected a writable file and free space"),
    ):
        with pytest.raises(RenderError) as caught:
            draw_partition(found, path, style)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module", params=["triangle:2", "grid:1x2"])
def encoded(request: pytest.FixtureRequest) -> Partition:
    """A partition of a network that encodes its inputs, with a piecewise linear last layer."""
    generator = torch.Generator().manual_seed(1)
    network = PolytopeNet(
        2, "[6]*2", 1, final_activation="relu", encoding=request.param, generator=generator
    )
    return partition(network.eval())


def strengths(found: Partition, path: Path, how: str) -> dict[str, str]:
    """The opacity of the folds of each layer in an SVG."""
    style = FigureStyle(faces="none", encoding_folds=how)  # type: ignore[arg-type] # as words
    groups = drawn(found, path, style).iter(f"{SVG}g")
    layers = [item for item in groups if item.get("id", "").startswith("layer-")]
    styles = {
        item.get("id", ""): path.get("style", "")
        for item in layers
        for path in item.iter(f"{SVG}path")
    }
    return {
        name: style.partition("stroke-opacity: ")[2].partition(";")[0] or "1"
        for name, style in styles.items()
    }


def test_folds_of_an_encoding_are_faint_left_out_or_plain(
    encoded: Partition, tmp_path: Path
) -> None:
    """Layers of the encoding are faint by default; those of neurons, and a last ReLU, never."""
    number = len(encoded.layer_sizes)
    names = [f"layer-{layer}" for layer in range(1, number + 1) if encoded.fold_lines()[layer - 1]]
    first = number - 3  # two layers of neurons, and the last ReLU
    own = {name: "1" for name in names if int(name[6:]) > first}
    others = [name for name in names if name not in own]
    assert encoded.num_encoding_layers == first
    assert others
    path = tmp_path / "a.svg"
    assert strengths(encoded, path, "plain") == dict.fromkeys(names, "1")
    assert strengths(encoded, path, "faint") == {**own, **dict.fromkeys(others, "0.3")}
    faint = path.read_bytes()
    draw_partition(encoded, path, FigureStyle(faces="none"))
    assert path.read_bytes() == faint
    assert strengths(encoded, path, "none") == own
    root = ElementTree.parse(path).getroot()
    texts = ["".join(item.itertext()).strip() for item in root.iter(f"{SVG}text")]
    assert sorted(texts) == [*(str(layer) for layer in range(first + 1, number + 1)), "layer"]


def test_an_unknown_way_to_draw_the_folds_of_an_encoding_is_named(encoded: Partition) -> None:
    """Another word than plain, faint and none is refused in one line."""
    with pytest.raises(PolytopeError, match="one of plain, faint, none, got 'faintly'"):
        encoded.plot(encoding_folds="faintly")  # type: ignore[arg-type] # on purpose
