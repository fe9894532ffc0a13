"""The exact engine against rational arithmetic: vertices, edges and polytopes must be equal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from bitfold.polytopes import partition
from tests.polytopes.rational import Layer, Windows, incidences, polytopes

SQUARE = [(-2, -2), (2, -2), (2, 2), (-2, 2)]


class Maxima(nn.Module):
    """Returns the largest input in each of some windows."""

    windows: Tensor

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        longest = max(map(len, windows))
        padded = [[*window, *list(window[:1]) * (longest - len(window))] for window in windows]
        self.register_buffer("windows", torch.tensor(padded))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, d) to (N, windows)."""
        found = x.index_select(1, self.windows.flatten())
        return found.view(len(x), *self.windows.shape).amax(2)


def network_of(layers: Sequence[Layer | Windows]) -> nn.Module:
    """Return the same network as a module."""
    parts: list[nn.Module] = []
    for layer in layers:
        if not isinstance(layer, tuple):
            parts += [Maxima(layer)]
            continue
        weights, biases = layer
        linear = nn.Linear(len(weights[0]), len(weights))
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weights, dtype=torch.float32))
            linear.bias.copy_(torch.tensor(biases, dtype=torch.float32))
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts).eval()


def assert_equal_to_reference(layers: Sequence[Layer | Windows]) -> None:
    """Assert equal counts, positions of all vertices, and vertices joined by edges."""
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
    """Return one to three layers of one to four neurons: shared vertices, copies, dead neurons."""
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
    """Every vertex, edge and polytope is found exactly once, also where folds coincide."""
    assert_equal_to_reference(layers)


@st.composite
def small_maxima(draw: st.DrawFn) -> list[Layer | Windows]:
    """Return maxima of overlapping windows, alone or after ReLU layers, with ties and copies."""
    found: list[Layer | Windows] = []
    for layer in draw(small_networks())[:2]:
        found.append(layer)
        width = len(layer[0])
        window = st.lists(st.integers(0, width - 1), min_size=1, max_size=5)
        windows = draw(st.lists(window, min_size=0, max_size=3))
        if windows:
            found.append(windows)
            rows = st.lists(numbers, min_size=len(windows), max_size=len(windows))
            weights = draw(st.lists(rows, min_size=width, max_size=width))
            biases = draw(st.lists(numbers, min_size=width, max_size=width))
            found.append((weights, biases))
    last = draw(st.lists(st.integers(0, width - 1), min_size=2, max_size=6))
    return [*found, [last, last[1:], last[::-1]]]


@given(small_maxima())
@example([[[0, 1]]])  # the maximum of the inputs themselves
@example([([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0]), [[0, 1, 2, 3]]])  # dead areas
@example([([[1, 0], [0, 1], [1, 1]], [0, 0, 0]), [[0, 1, 2], [2, 1, 0]]])  # through a point
@example([([[0, 0], [0, 0]], [1, 1]), [[0, 1]]])  # equal everywhere
@example([([[1, 0], [1, 0]], [2, 2]), [[0, 1, 0]]])  # copies
def test_maxima_are_those_of_rational_arithmetic(layers: list[Layer | Windows]) -> None:
    """Folds lie only where the largest element changes, not where losers compare."""
    assert_equal_to_reference(layers)


def integer_layers(seed: int, widths: list[int]) -> list[Layer]:
    """Return layers of small whole numbers."""
    generator = np.random.default_rng(seed)
    layers: list[Layer] = []
    for fan_in, fan_out in pairwise(widths):
        rows = generator.integers(-2, 3, (fan_out, fan_in)).tolist()
        layers.append((rows, generator.integers(-2, 3, fan_out).tolist()))
    return layers


@pytest.mark.parametrize("seed", range(6))
def test_larger_integer_networks_too(seed: int) -> None:
    """Hundreds of polytopes, many of which share vertices, equal those of the reference."""
    assert_equal_to_reference(integer_layers(seed, [2, 6, 5, 4]))


@pytest.mark.parametrize("seed", range(6))
def test_larger_networks_of_maxima_too(seed: int) -> None:
    """Overlapping windows after two layers, and a last maximum, equal the reference."""
    first, second = integer_layers(seed, [2, 6, 6])
    (third,) = integer_layers(seed, [3, 5])
    pooled = [[0, 1, 2], [2, 3, 4], [4, 5, 0]]
    assert_equal_to_reference([first, second, pooled, third, [[0, 1, 2, 3, 4]]])
