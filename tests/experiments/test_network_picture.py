"""A network of classes is drawn in its palette, with smooth edges."""

import numpy as np
import torch

from bitfold.experiments import draw_network
from bitfold.networks import Picture, PolytopeNet


def half_plane() -> PolytopeNet:
    """Return two classes with the edge at x = 1/20."""
    network = PolytopeNet(2, [], 2)
    with torch.no_grad():
        weight, bias = network.parameters()
        weight.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
        bias.copy_(torch.tensor([0.05, -0.05]))
    network.picture = Picture(2, 1, palette=((0, 0, 0), (200, 100, 40)))
    return network


def test_a_palette_is_drawn_with_smooth_edges() -> None:
    """A pixel halved by the edge gets half of both colours; every other pixel has one of them."""
    drawn = draw_network(half_plane(), 10, 4)
    # The edge halves the column of pixels from 0 to 1/10.
    assert drawn[:, :5].tolist() == 4 * [5 * [[0, 0, 0]]]
    assert drawn[:, 5].tolist() == 4 * [[100, 50, 20]]
    assert drawn[:, 6:].tolist() == 4 * [4 * [[200, 100, 40]]]


def test_a_larger_picture_has_the_same_edge() -> None:
    """At 20 times the size the edge lies between two pixels, and no pixel is a mean."""
    drawn = draw_network(half_plane(), 200, 80)
    assert np.array_equal(np.unique(drawn[:, :110].reshape(-1, 3), axis=0), [[0, 0, 0]])
    assert np.array_equal(np.unique(drawn[:, 110:].reshape(-1, 3), axis=0), [[200, 100, 40]])


def test_without_a_palette_two_outputs_have_colours_of_our_own() -> None:
    """Without a palette two outputs have the colours of layers."""
    network = half_plane()
    network.picture = None
    assert len(np.unique(draw_network(network, 10, 4).reshape(-1, 3), axis=0)) == 2
