"""Windows are cut exactly, at any zoom, and described in the picture's coordinates."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from bitfold.networks import PolytopeNet
from bitfold.polytopes import partition
from bitfold.recording.network_view import NetworkView
from bitfold.studio.viewer.cutting import cut, drawable, legend
from bitfold.studio.viewer.places import place_at
from bitfold.studio.viewer.window import Window
from bitfold.targets import load_target

WHOLE = Window(0.0, 0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def view() -> NetworkView:
    """Return the view of a network of the ring."""
    torch.manual_seed(0)
    network = PolytopeNet(2, "[8]*3", 1).eval()
    return NetworkView.of_network(network, load_target("ring", size=32))


def test_the_whole_window_has_the_partitions_polytopes(view: NetworkView) -> None:
    """The whole window has the partition's number of polytopes, areas and corner values."""
    found, expected = cut(view, WHOLE), partition(view.network)
    assert found.num_polytopes == expected.num_polytopes
    arrays = drawable(found, view, WHOLE, "value")
    offsets = arrays["face_offsets"]
    assert len(offsets) == expected.num_polytopes + 1
    assert offsets[-1] == len(arrays["corners"]) == len(arrays["outputs"])
    points = arrays["corners"].astype(np.float64) * 0.5
    values = expected.evaluate(points)
    np.testing.assert_allclose(arrays["outputs"], values, atol=1e-6)


@pytest.mark.parametrize("zoom", [1e3, 1e9, 1e12])
def test_a_small_window_keeps_all_digits(view: NetworkView, zoom: float) -> None:
    """In a small window around a vertex, the vertex's folds pass through the centre."""
    whole = partition(view.network)
    inside = np.abs(whole.vertices).max(1) < 0.4
    vertex = whole.vertices[np.flatnonzero(inside)[0]]
    window = Window(float(vertex[0]), float(vertex[1]), 0.5 / zoom, 1.0)
    arrays = drawable(cut(view, window), view, window, "none")
    first, second = arrays["folds"][:, :2], arrays["folds"][:, 2:]
    along = (second - first) / np.linalg.norm(second - first, axis=1, keepdims=True)
    distance = np.abs(first[:, 0] * along[:, 1] - first[:, 1] * along[:, 0])
    assert len(distance) >= 3
    # The vertex has a few roundings of coordinates near 1/2, which the zoom enlarges.
    assert np.sort(distance)[2] < max(1e-5, 2**-48 * zoom)


def test_a_place_has_the_partitions_own_map(view: NetworkView) -> None:
    """A point has the partition's map, relative to the window's centre, also when zoomed in."""
    window = Window(0.1, -0.2, 0.05, 1.5)
    found = cut(view, window)
    place = place_at(found, window, 0.3, 0.4)
    point = np.array([[0.1 + 0.3 * 0.05, -0.2 + 0.4 * 0.05]])
    whole = partition(view.network)
    face = whole.locate(point)
    expected = whole.affine_maps()[face][0]
    rows = np.array(place["map"])
    np.testing.assert_allclose(rows[:, :2], expected[:, :2], rtol=1e-9)
    np.testing.assert_allclose(place["outputs"], whole.evaluate(point)[0], rtol=1e-9)
    offset = rows @ np.array([0.3 * 0.05, 0.4 * 0.05, 1.0])
    np.testing.assert_allclose(offset, place["outputs"], rtol=1e-9)
    words = whole.patterns[face][0]
    expected_bits = np.unpackbits(words.view(np.uint8), bitorder="little")[:24].reshape(3, 8)
    assert [len(layer) for layer in place["active"]] == expected_bits.sum(1).tolist()


def test_outside_the_window_there_is_nothing(view: NetworkView) -> None:
    """A point outside the window has the face -1."""
    assert place_at(cut(view, WHOLE), WHOLE, 2.0, 0.0)["face"] == -1


@pytest.mark.parametrize("faces", ["area", "slope", "identity"])
def test_faces_have_the_colours_of_frames_at_any_zoom(view: NetworkView, faces: str) -> None:
    """A polytope in a small window has its colour in the whole picture."""
    window = Window(0.0, 0.0, 0.4, 1.0)
    whole, part = cut(view, WHOLE), cut(view, window)
    colours = {
        name: drawable(found, view, where, faces)["face_colours"]
        for name, found, where in (("whole", whole, WHOLE), ("part", part, window))
    }
    corners = part.vertices[part.face_vertices]
    is_inner = np.maximum.reduceat(np.abs(corners).max(1), part.face_offsets[:-1]) < 0.99
    inner = np.flatnonzero(is_inner)
    same = whole.locate(part.centroids[inner] * 0.4 / 0.5)
    assert len(inner) > 20
    difference = colours["part"][inner].astype(int) - colours["whole"][same]
    assert np.abs(difference).max() <= 1


def test_the_boundary_is_where_a_grey_picture_is_half_bright(view: NetworkView) -> None:
    """On both ends of each piece of the boundary the network's output is the middle of grey."""
    window, centre = Window(0.1, -0.2, 0.2, 1.0), torch.tensor([[0.1, -0.2]])
    network = copy.deepcopy(view.network)
    with torch.no_grad():
        network.get_parameter("layers.6.bias").add_(0.5 - network(centre)[0])
    shifted = dataclasses.replace(view, network=network)
    ends = drawable(cut(shifted, window), shifted, window, "value")["boundary"].reshape(-1, 2)
    assert len(ends) > 2
    with torch.no_grad():
        values = network.double()(torch.from_numpy(ends.astype(np.float64)) * 0.2 + centre)
    np.testing.assert_allclose(values.numpy(), 0.5, atol=1e-6)


def test_a_page_is_told_which_layers_encode(view: NetworkView) -> None:
    """The legend counts the layers of the encoding, also where a final sigmoid was left out."""
    assert legend(cut(view, WHOLE), view)["num_encoding_layers"] == 0
    network = PolytopeNet(2, "[4]", 1, final_activation="sigmoid", encoding="triangle:3").eval()
    encoded = NetworkView.of_network(network, None)
    found = cut(encoded, WHOLE)
    assert legend(found, encoded)["num_encoding_layers"] == 3
    assert len(found.layer_sizes) == 4
