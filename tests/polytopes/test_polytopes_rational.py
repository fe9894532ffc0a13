"""The exact engine against rational arithmetic: vertices, edges and polytopes must be equal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rational import Layer, incidences, polytopes
from torch import nn

from bitfold.polytopes import partition

SQUARE = [(-2, -2), (2, -2), (2, 2), (-2, 2)]


def network_of(layers: list[Layer]) -> nn.Module:
    """The same network as a module."""
    parts: list[nn.Module] = []
    for weights, biases in layers:
        linear = nn.Linear(len(weights[0]), len(weights))
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weights, dtype=torch.float32))
            linear.bias.copy_(torch.tensor(biases, dtype=torch.float32))
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts).eval()


def assert_equal_to_reference(layers: list[Layer]) -> None:
    """Counts, the places of all vertices, and which of them edges join."""
    expected = polytopes(layers, SQUARE)
    vertices, edges = incidences(expected)
    found = partition(network_of(layers), domain=SQUARE)
    assert found.num_given_up == 0
    assert found.num_polytopes == len(expected)
    assert (len(found.vertices), len(found.edges)) == (len(vertices), len(edges))
    ordered = sorted(vertices)
    places = np.array([(float(x), float(y)) for x, y in ordered])
    distances = np.abs(found.vertices[:, None] - places[None]).max(2)
    nearest = distances.argmin(1)
    assert distances.min(1).max() < 1e-9
    assert len(set(nearest.tolist())) == len(vertices)
    number = {point: k for k, point in enumerate(ordered)}
    wanted = {frozenset(number[point] for point in edge) for edge in edges}
    assert {frozenset(pair) for pair in nearest[found.edges].tolist()} == wanted
    found.check()


numbers = st.integers(-3, 3)


@st.composite
def small_networks(draw: st.DrawFn) -> list[Layer]:
    """One to three layers of one to four neurons: lines through vertices, copies, dead neurons."""
    layers: list[Layer] = []
    width = 2
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(
            st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=4)
        )
        biases = draw(st.lists(numbers, min_size=len(rows), max_size=len(rows)))
        layers.append((rows, biases))
        width = len(rows)
    return layers


@settings(deadline=None, max_examples=200)
@given(small_networks())
@example([([[1, 0], [1, 0], [-1, 0], [2, 0]], [0, 0, 0, 0])])  # one line four times
@example([([[1, 1], [1, -1], [1, 0], [0, 1]], [0, 0, 0, 0])])  # four lines through a point
@example([([[1, 0], [0, 1]], [0, 0]), ([[1, 1], [1, -1], [1, -1]], [-1, 0, 0])])
@example([([[0, 0], [0, 0]], [0, 1])])  # no line at all
@example([([[1, 0]], [2])])  # along the border
@example([([[1, 1]], [4])])  # through a corner
@example([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])  # 0 along folds
@example([([[-1, 1], [-1, 1], [-1, 1]], [0, 2, -3]), ([[-3, 2, 1]], [-1])])  # 0 on a polytope
def test_small_integer_networks_are_those_of_rational_arithmetic(layers: list[Layer]) -> None:
    """Whatever coincides in them, every vertex, edge and polytope is found, once."""
    assert_equal_to_reference(layers)


@pytest.mark.parametrize("seed", range(6))
def test_larger_integer_networks_too(seed: int) -> None:
    """Hundreds of polytopes, many of them meeting in the same points."""
    generator = np.random.default_rng(seed)
    widths, layers = [2, 6, 5, 4], []
    for fan_in, fan_out in pairwise(widths):
        rows = generator.integers(-2, 3, (fan_out, fan_in)).tolist()
        layers.append((rows, generator.integers(-2, 3, fan_out).tolist()))
    assert_equal_to_reference(layers)
