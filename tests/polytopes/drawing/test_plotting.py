"""Pictures of partitions: lines along the folds, and faces filled by a measure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.networks import Picture, PolytopeNet
from bitfold.polytopes import Partition, partition
from bitfold.polytopes.drawing.filling import fill, identity_colours
from tests.polytopes.dense_networks import WIDE, dense

TRIANGLE = ((-2.0, -1.0), (2.0, -1.5), (0.0, 2.0))


@pytest.fixture(scope="module")
def found() -> Partition:
    """Return a partition of three outputs on a triangle."""
    torch.manual_seed(0)
    return partition(dense([10, 10, 10], nn.ReLU, outputs=3), TRIANGLE)


def lengths(lines: list[np.ndarray]) -> float:
    """Return the total length of polylines."""
    return float(sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in lines))


@pytest.mark.parametrize("has_copies", [False, True])
def test_fold_lines_are_the_folds_of_each_layer(has_copies: bool) -> None:
    """Fold lines lie along edges, have the edges' total length, and have far fewer points."""
    torch.manual_seed(1)
    module = dense([10, 10, 10], nn.ReLU)
    if has_copies:
        with torch.no_grad():
            weight, bias = module.get_parameter("2.weight"), module.get_parameter("2.bias")
            weight[1:3], bias[1:3] = weight[:1], bias[:1]
    found = partition(module, WIDE)
    inner = np.flatnonzero(np.diff(found.owner_offsets))
    layers = found.owner_layers[found.owner_offsets[inner]]
    ends = found.vertices[found.edges[inner]]
    by_layer = found.fold_lines()
    assert len(by_layer) == 3
    for layer, lines in enumerate(by_layer):
        edges = ends[layers == layer]
        whole = np.hypot(*(edges[:, 1] - edges[:, 0]).T).sum()
        assert lengths(lines) == pytest.approx(whole, rel=1e-9)
        known = {point.tobytes() for point in edges.reshape(-1, 2)}
        assert {point.tobytes() for line in lines for point in line} <= known
    # Each neuron of the first layer makes one straight line.
    assert {len(line) for line in by_layer[0]} == {2}
    assert len(by_layer[0]) <= 10
    assert sum(len(line) for lines in by_layer for line in lines) < len(inner)


def test_a_network_without_folds_has_no_lines() -> None:
    """A network without folds has no lines and one polytope."""
    assert partition(nn.Linear(2, 1).eval(), WIDE).fold_lines() == []
    off = nn.Sequential(nn.Linear(2, 1), nn.ReLU()).eval()
    with torch.no_grad():
        off.get_parameter("0.bias").fill_(100)
    assert partition(off, WIDE).fold_lines() == [[]]


def centres(found: Partition, shape: tuple[int, ...]) -> np.ndarray:
    """Return the centres of the pixels of a picture of the domain."""
    low, high = found.vertices.min(0), found.vertices.max(0)
    y, x = ((np.arange(n) + 0.5) / n for n in shape[:2])
    return np.stack(np.meshgrid(low[0] + x * (high - low)[0], low[1] + y * (high - low)[1]), -1)


def inside_triangle(points: np.ndarray) -> np.ndarray:
    """Return points' distances from the nearest side of the domain; negative outside."""
    corners = np.array(TRIANGLE)
    sides = np.roll(corners, -1, 0) - corners
    apart = points[..., None, :] - corners
    crossed = sides[:, 0] * apart[..., 1] - sides[:, 1] * apart[..., 0]
    result: np.ndarray = (crossed / np.hypot(*sides.T)).min(-1)
    return result


def test_values_are_the_outputs_at_the_pixels(found: Partition) -> None:
    """Pixels within the domain have the network's outputs; pixels outside have no value."""
    picture = fill(found.backend, "value", 1, 60).pixels
    points = centres(found, picture.shape)
    is_inside = ~np.isnan(picture)
    depth = inside_triangle(points)
    assert is_inside[depth > 1e-12].all()
    assert not is_inside[depth < -1e-12].any()
    expected = found.evaluate(points[is_inside])[:, 1]
    np.testing.assert_allclose(picture[is_inside], expected, atol=1e-12)
    colours = fill(found.backend, lambda outputs: outputs, 0, 60).pixels
    np.testing.assert_array_equal(colours[..., 3], is_inside)
    expected = np.clip(found.evaluate(points[is_inside]), 0, 1)
    np.testing.assert_allclose(colours[is_inside, :3], expected, atol=1e-12)


def test_a_face_has_one_number_for_its_area_and_slope(found: Partition) -> None:
    """A face's fillings are the logarithm of its area and the norm of all outputs' gradients."""
    areas, slopes = (fill(found.backend, kind, 2, 60).pixels for kind in ("area", "slope"))
    places = found.locate(centres(found, areas.shape).reshape(-1, 2)).reshape(areas.shape)
    is_inside = ~np.isnan(areas)
    np.testing.assert_allclose(areas[is_inside], np.log10(found.areas)[places[is_inside]])
    gradients = found.affine_maps()[:, :, :2]
    expected = np.linalg.norm(gradients, axis=(1, 2))[places[is_inside]]
    np.testing.assert_allclose(slopes[is_inside], expected)


def test_a_polytope_keeps_its_colour_in_another_window() -> None:
    """A polytope's colour is that of its pattern: the same in another window, and light."""
    torch.manual_seed(0)
    module = dense([10, 10, 10], nn.ReLU)
    whole, part = partition(module, WIDE), partition(module, ((-1, -1), (0.5, 1)))
    places = whole.locate(part.centroids)
    np.testing.assert_array_equal(
        identity_colours(part.patterns), identity_colours(whole.patterns)[places]
    )
    colours = identity_colours(whole.patterns)
    assert len(np.unique(colours.round(3), axis=0)) > 0.95 * len(colours)
    assert colours.mean(1).min() > 0.5


@pytest.mark.parametrize("faces", ["value", "area", "slope", "identity", "none"])
def test_a_plot_has_faces_layers_and_boundary(found: Partition, faces: Any) -> None:
    """Faces, layers and boundary are named, early layers lie on top, and axes show the domain."""
    axes = Figure().add_subplot()
    image = found.plot(axes, faces=faces, output=2, longer_px=50)
    assert (image is None) == (faces == "none")
    names = [one.get_gid() for one in axes.collections if isinstance(one, LineCollection)]
    assert names == ["layer-3", "layer-2", "layer-1", "boundary-casing", "boundary"]
    assert axes.get_xlim() == (-2, 2)
    first = axes.collections[2]
    assert isinstance(first, LineCollection)
    assert lengths(first.get_segments()) == pytest.approx(lengths(found.fold_lines()[0]))


def test_other_fillings_and_outputs_are_refused(found: Partition) -> None:
    """The error for an unknown filling or output lists the known ones."""
    axes = Figure().add_subplot()
    faces: Any = "blue"
    with pytest.raises(PolytopeError, match="expected faces to be one of value, area"):
        found.plot(axes, faces=faces)
    with pytest.raises(PolytopeError, match="expected 0 to 2, got 3"):
        found.plot(axes, faces="value", output=3)
    assert not axes.collections


def test_part_of_the_layers_shows_the_whole_networks_values() -> None:
    """With some layers' folds, the picture still shows the whole network's values."""
    torch.manual_seed(0)
    part = partition(dense([8, 8], nn.ReLU), WIDE, until_layer=1)
    picture = fill(part.backend, "value", 0, 40).pixels
    expected = part.evaluate(centres(part, picture.shape).reshape(-1, 2))[:, 0]
    np.testing.assert_allclose(picture.reshape(-1), expected, atol=1e-12)


def run_network(outputs: int, colours: Any = None) -> PolytopeNet:
    """Return a network that knows its picture, which is twice as wide as high."""
    generator = torch.Generator().manual_seed(3)
    made = PolytopeNet(2, [8], outputs, generator=generator).eval()
    made.picture = Picture(2, 1, class_colours=colours)
    return made


@pytest.mark.parametrize(
    ("outputs", "colours"), [(1, None), (3, None), (3, ((255, 0, 0), (0, 255, 0), (9, 9, 9)))]
)
def test_the_network_of_a_picture_is_drawn_as_its_frames(outputs: int, colours: Any) -> None:
    """y grows downwards, pixels have the picture's colours, and only classes have boundaries."""
    network = run_network(outputs, colours)
    axes = Figure().add_subplot()
    image = partition(network).plot(axes, longer_px=64)
    assert axes.yaxis_inverted()
    assert axes.get_aspect() == 0.5
    centres = (np.arange(64) + 0.5) / 64 - 0.5
    points = np.stack([axis.ravel() for axis in np.meshgrid(centres, centres)], 1)
    with torch.no_grad():
        values = network(torch.tensor(points, dtype=torch.float32)).numpy()
    if colours is None:
        expected = np.clip(np.broadcast_to(values, (len(values), 3)), 0, 1)
    else:
        expected = np.array(colours)[values.argmax(1)] / 255
    shown = np.asarray(image.get_array())[..., :3].reshape(-1, 3)
    assert np.median(np.abs(shown - expected).max(1)) < 1e-5
    assert (np.abs(shown - expected).max(1) < 1e-4).mean() > 0.99
    names = {item.get_gid() for item in axes.collections}
    assert ("boundary" in names) == (colours is not None)


def test_a_grey_picture_decides_between_black_and_white() -> None:
    """The boundary of one output is at 1/2 if the network shows a picture, and else at 0."""
    network = run_network(1)
    shown = partition(network, with_outputs=True)
    assert [line.tolist() for line in shown.decision_boundary()] == [
        line.tolist() for line in shown.level_set(0, 0.5)
    ]
    network.picture = None
    plain = partition(network, with_outputs=True)
    assert [line.tolist() for line in plain.decision_boundary()] == [
        line.tolist() for line in plain.level_set(0, 0.0)
    ]
