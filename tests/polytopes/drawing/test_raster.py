"""Tests of partitions on rasters: all pixels, the network's values and smooth lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import bitfold
from bitfold.polytopes import sample_partition
from bitfold.polytopes.backends import NetworkBackend
from bitfold.polytopes.drawing.raster import Raster, fold_segments

LOW, HIGH = (-0.5, -0.5), (0.5, 0.5)


def network(seed: int, widths: list[int], outputs: int = 2) -> nn.Sequential:
    """Return a seeded network of two inputs with many folds."""
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, 0, (2 / fan_in) ** 0.5)
        nn.init.normal_(linear.bias, 0, 0.2)
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(widths[-1], outputs)).eval()


def centres(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of a raster's columns and rows."""
    return (np.arange(width) + 0.5) / width - 0.5, (np.arange(height) + 0.5) / height - 0.5


@pytest.mark.parametrize("seed", range(4))
def test_values_are_the_networks_at_every_pixel(seed: int) -> None:
    """Every pixel has the network's value, though no pixel evaluates the network."""
    found = bitfold.partition(network(seed, [12, 12, 12]), (LOW, HIGH), with_outputs=True)
    values = Raster(LOW, HIGH, 90, 61).values(found.subdivision, found.vertex_outputs)
    xs, ys = centres(90, 61)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    np.testing.assert_allclose(values.reshape(-1, 2), found.evaluate(points), rtol=0, atol=1e-6)


def test_outputs_found_on_the_way_are_the_networks() -> None:
    """Outputs at the vertices are the network's, for a plain chain and a residual sum."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.first(x).abs()
            result: torch.Tensor = self.last(h + self.second(h).relu())
            return result

    torch.manual_seed(5)
    for module in (network(1, [9, 9]), Residual().eval()):
        found = bitfold.partition(module, ((-3, -3), (3, 3)), with_outputs=True)
        plain = bitfold.partition(module, ((-3, -3), (3, 3)))
        assert isinstance(found.backend, NetworkBackend)
        assert isinstance(plain.backend, NetworkBackend)
        assert found.backend.known_outputs is not None
        assert plain.backend.known_outputs is None
        np.testing.assert_allclose(found.vertex_outputs, plain.vertex_outputs, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_each_pixel_lies_in_the_face_that_holds_its_centre(seed: int) -> None:
    """Every pixel has a face, the one that `locate` finds for its centre."""
    found = bitfold.partition(network(seed, [10, 10]), (LOW, HIGH))
    faces = Raster(LOW, HIGH, 40, 50).faces(found.subdivision)
    assert faces.min() >= 0
    xs, ys = centres(40, 50)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    assert (faces.ravel() == found.locate(points)).all()


def test_a_larger_raster_has_nothing_outside_of_the_domain() -> None:
    """Pixels beyond the domain have no value and no face."""
    triangle = ((-0.4, -0.4), (0.4, -0.4), (0.0, 0.4))
    found = bitfold.partition(network(0, [6]), triangle)
    raster = Raster(LOW, HIGH, 100, 100)
    inside = raster.faces(found.subdivision) >= 0
    assert (
        np.isfinite(raster.values(found.subdivision, found.vertex_outputs)).all(2) == inside
    ).all()
    assert inside.mean() == pytest.approx(0.32, abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_the_sampled_engine_agrees_up_to_a_pixel(seed: int) -> None:
    """Each pixel that is sampled on a fold is at most one away from an exact one, and each exact
    fold is sampled, but where polytopes are thinner than a pixel."""
    side, module = 200, network(seed, [12, 12, 12])
    # The sampled engine compares pixels with neighbours beyond the border.
    found = bitfold.partition(module, ((-0.51, -0.51), (0.51, 0.51)))
    sampled = sample_partition(module, *centres(side, side)).folds
    exact = Raster(LOW, HIGH, side, side).lines(fold_segments(found.subdivision)[0], 1.0).cover > 0
    assert not (sampled & ~grown(exact)).any()
    # The sampled engine misses both folds of a polytope without a pixel's centre.
    seen = np.isin(
        np.arange(found.num_polytopes), Raster(LOW, HIGH, side, side).faces(found.subdivision)
    )
    wide = (found.neighbours >= 0).all(1) & seen[found.neighbours].all(1)
    segments = found.vertices[found.edges[wide]]
    clear = Raster(LOW, HIGH, side, side).lines(segments, 0.1).cover > 100
    assert clear.sum() > 1000
    assert (clear & grown(grown(sampled))).sum() > 0.995 * clear.sum()


def grown(pixels: np.ndarray) -> np.ndarray:
    """Return pixels and all pixels that touch them."""
    padded = np.pad(pixels, 1)
    height, width = pixels.shape
    shifts = [(row, column) for row in range(3) for column in range(3)]
    parts = [padded[row : row + height, column : column + width] for row, column in shifts]
    result: np.ndarray = np.any(parts, axis=0)
    return result


def test_lines_cover_what_their_width_says() -> None:
    """On average over positions and slopes, a line covers its width times its length."""
    raster, generator = Raster((0, 0), (200, 200), 200, 200), np.random.default_rng(0)
    for width in (1.0, 2.5):
        covered = []
        for angle in generator.uniform(0, np.pi, 100):
            along = 60 * np.array([np.cos(angle), np.sin(angle)])
            middle = generator.uniform(90, 110, 2)
            lines = raster.lines(np.array([[middle - along, middle + along]]), width)
            covered.append(lines.cover.sum() / 255)
        # Two round ends add half a disc each.
        expected = 120 * width + np.pi * width**2 / 4
        assert np.mean(covered) == pytest.approx(expected, rel=0.02)
        assert np.std(covered) < 0.07 * expected


def test_lines_of_no_length_or_outside_draw_nothing() -> None:
    """A line without length or outside draws no pixel, and a longer line is cut at the border."""
    raster = Raster((0, 0), (20, 10), 20, 10)
    point = np.array([[[5.0, 5.0], [5.0, 5.0]], [[-50.0, 3.0], [-40.0, 3.0]]])
    assert raster.lines(point, 3.0).cover.sum() == 0
    through = np.array([[[-50.0, 4.5], [50.0, 4.5]]])
    lines = raster.lines(through, 1.0, np.array([7], np.uint8))
    assert (lines.cover[4] == 255).all()
    assert (lines.numbers[4] == 7).all()
    assert lines.cover[[0, 9]].sum() == 0
