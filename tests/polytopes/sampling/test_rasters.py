"""The sampled engine on rasters: folds, patterns and counts."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bitfold.polytopes import sample_partition, sample_patterns
from bitfold.polytopes.sampling import sampled
from bitfold.polytopes.sampling.pattern_recorder import pack_signs
from bitfold.polytopes.sampling.sampled import distinct_columns
from tests.polytopes.sampling import sampled_reference
from tests.polytopes.sampling.sampled_networks import AXIS, ActivationFactory, affine, network


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.Tanh])
@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_partition_equals_the_reference(activation: ActivationFactory, seed: int) -> None:
    """Folds and the number of polytopes are those of a loop over neurons and pixels in float64."""
    layers = network([5, 4, 3, 2], activation, seed)
    xs, ys = AXIS[:40], AXIS[::-1][:17]
    folds, num_polytopes, margin = sampled_reference.partition(layers, xs, ys)
    # No pre-activation is so close to 0 that float32 could give it another sign: each layer's
    # sum of at most 6 terms below 10 errs by at most 6 * 10 * 2^-24 < 4e-6.
    assert margin > 4e-6
    partition = sample_partition(layers, xs, ys)
    assert np.array_equal(partition.folds, folds)
    assert partition.num_polytopes == num_polytopes > 3


def test_one_neuron_folds_along_a_line() -> None:
    """A neuron that changes sign between columns 19 and 20 marks column 19 alone."""
    edge = float(AXIS[19] + AXIS[20]) / 2
    module = nn.Sequential(affine([[3.0, 0.0]], [-3.0 * edge]), nn.ReLU(), affine([[1.0]], [0.0]))
    partition = sample_partition(module, AXIS, AXIS[:9])
    assert np.flatnonzero(partition.folds.all(axis=0)).tolist() == [19]
    assert partition.folds.sum() == 9
    assert partition.num_polytopes == 2
    assert partition.values.shape == (9, 64, 1)
    assert partition.values.dtype == np.float32
    assert partition.values[0, 19, 0] == 0
    assert partition.values[0, 20, 0] > 0


def test_two_crossing_neurons_make_four_polytopes() -> None:
    """A vertical and a horizontal fold make a cross and four polytopes."""
    module = nn.Sequential(affine([[1.0, 0.0], [0.0, 1.0]], [0.01, 0.01]), nn.ReLU())
    partition = sample_partition(module, AXIS, AXIS)
    expected = np.zeros((64, 64), np.bool_)
    expected[31, :] = expected[:, 31] = True
    assert np.array_equal(partition.folds, expected)
    assert partition.num_polytopes == 4


def test_absolute_values_fold_twice() -> None:
    """||x| - 0.25| is folded at -0.25, 0 and 0.25, between the pixels around these places."""

    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = affine([[1.0, 0.0]], [0.004]), affine([[1.0]], [-0.25])

        def forward(self, points: Tensor) -> Tensor:
            return torch.abs(self.second(self.first(points).abs()))

    partition = sample_partition(Folded(), AXIS, AXIS[:2])
    assert np.flatnonzero(partition.folds[0]).tolist() == [15, 31, 47]
    # The sign of the second layer repeats, that of the first does not: 4 patterns
    assert partition.num_polytopes == 4
    np.testing.assert_allclose(
        partition.values[1, :, 0], np.abs(np.abs(AXIS + 0.004) - 0.25), atol=1e-6
    )


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_folds_just_outside_the_border_are_seen(side: str) -> None:
    """A fold between the outermost pixels and the ring around them marks the border alone."""
    step = 1 / 64
    place = AXIS[0] - step / 2 if side in {"left", "top"} else AXIS[-1] + step / 2
    normal = [1.0, 0.0] if side in {"left", "right"} else [0.0, 1.0]
    partition = sample_partition(
        nn.Sequential(affine([normal], [-float(place)]), nn.ReLU()), AXIS, AXIS
    )
    expected = np.zeros((64, 64), np.bool_)
    borders: dict[str, Any] = {
        "left": np.s_[:, 0], "right": np.s_[:, -1], "top": np.s_[0], "bottom": np.s_[-1]
    }  # fmt: skip
    expected[borders[side]] = True
    assert np.array_equal(partition.folds, expected)
    assert partition.num_polytopes == 1


def test_diagonal_folds_are_connected() -> None:
    """A slanted fold is one line of pixels, each beside or diagonal to the next."""
    module = nn.Sequential(affine([[1.0, 0.37]], [0.0123]), nn.ReLU())
    folds = sample_partition(module, AXIS, AXIS).folds
    columns = [np.flatnonzero(row) for row in folds]
    assert all(1 <= len(marked) <= 2 for marked in columns)
    for upper, lower in pairwise(columns):
        assert np.abs(upper[:, None] - lower[None, :]).min() <= 1


@pytest.mark.parametrize("widths", [[3], [64, 1], [65, 1], [40, 30, 70, 3], [10] * 8 + [1]])
def test_patterns_are_those_of_float64(widths: list[int]) -> None:
    """Values and signs agree with float64 wherever rounding cannot matter."""
    layers = network(widths, seed=4)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (3001, 2)).astype(np.float32)
    values, patterns = sample_patterns(layers, points)
    expected, signs, margins = in_float64(layers, points)
    np.testing.assert_allclose(values, expected, atol=1e-5, rtol=1e-5)
    clear = margins > 1e-5
    # A uniform point's margin is below 1e-5 with a probability of a few 1e-5 times the neurons.
    assert clear.mean() > 0.95
    assert np.array_equal(patterns[clear], pack_signs(torch.from_numpy(signs)).T[clear])
    assert patterns.shape == (3001, max(1, -(-sum(widths[:-1]) // 64)))


def in_float64(
    layers: nn.Sequential, points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return outputs, signs of the pre-activations, and each point's smallest |pre-activation|."""
    values, signs = points.astype(np.float64), [np.zeros((len(points), 0), np.bool_)]
    margins = np.full(len(points), np.inf)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            values = values @ layer.weight.detach().double().numpy().T
            values += layer.bias.detach().double().numpy()
        else:
            signs.append(values > 0)
            margins = np.minimum(margins, np.abs(values).min(axis=1))
            values = np.where(values > 0, values, 0.01 * values)
    return values, np.concatenate(signs, axis=1), margins


def test_bits_are_the_neurons_in_order() -> None:
    """Neuron k of 150 in three layers is bit k % 64 of word k // 64."""
    layers = network([50, 50, 50, 1], seed=2)
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (20, 2)).astype(np.float32)
    _, patterns = sample_patterns(layers, points)
    assert patterns.dtype == np.uint64
    assert patterns.shape == (20, 3)
    for point, words in zip(points, patterns, strict=True):
        _, signs, margin = sampled_reference.evaluate(layers, point.tolist())
        assert margin > 1e-6
        bits = [bool(int(words[k // 64]) >> (k % 64) & 1) for k in range(150)]
        assert tuple(bits) == signs


@pytest.mark.parametrize("neuron", [0, 1, 31, 32, 62, 63, 64, 100, 127, 128, 149])
def test_every_single_bit_counts(neuron: int) -> None:
    """Patterns that differ in one neuron's sign alone, whichever it is, are two polytopes."""
    weights = [[0.0, 0.0]] * 150
    weights[neuron] = [1.0, 0.0]
    biases = [1.0 if k % 3 else -1.0 for k in range(150)]
    biases[neuron] = 0.001
    partition = sample_partition(nn.Sequential(affine(weights, biases), nn.ReLU()), AXIS, AXIS)
    assert partition.num_polytopes == 2
    assert partition.folds[:, 31].all()
    assert partition.folds.sum() == 64


def test_module_without_nonlinearity_is_one_polytope() -> None:
    """An affine map has one polytope and no folds."""
    partition = sample_partition(affine([[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0]), AXIS, AXIS)
    assert partition.num_polytopes == 1
    assert not partition.folds.any()
    assert partition.values.shape == (64, 64, 2)


def test_further_coordinates_are_the_same_everywhere() -> None:
    """A slice at t = 0.25 through x + t > 0 folds at x = -0.25."""
    module = nn.Sequential(affine([[1.0, 0.0, 1.0]], [0.001]), nn.ReLU())
    partition = sample_partition(module, AXIS, AXIS[:3], extra=(0.25,))
    assert np.flatnonzero(partition.folds[1]).tolist() == [15]


@pytest.mark.parametrize("band_px", [1, 200, 64 * 19])
def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch, band_px: int) -> None:
    """Working through the raster in bands of any height gives what one band gives."""
    layers = network([6, 6, 1], seed=1)
    whole = sample_partition(layers, AXIS, AXIS[:20])
    monkeypatch.setattr(sampled, "BAND_PX", band_px)
    banded = sample_partition(layers, AXIS, AXIS[:20])
    assert np.array_equal(whole.folds, banded.folds)
    assert whole.num_polytopes == banded.num_polytopes
    np.testing.assert_allclose(whole.values, banded.values, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5), (5, 1)])
def test_tiny_rasters(width: int, height: int) -> None:
    """A raster of a single row or column works, with the other axis's step for its ring."""
    module = nn.Sequential(affine([[1.0, 1.0]], [0.001]), nn.ReLU())
    partition = sample_partition(module, np.arange(width) / 4, np.arange(height) / 4)
    assert partition.folds.shape == (height, width)
    # x + y = -1/4 lies across the fold from the origin's pixel; a lone pixel has no step
    assert partition.folds[0, 0] == (width * height > 1)
    assert partition.folds.sum() == (width * height > 1)
    assert partition.num_polytopes == 1


@given(st.integers(1, 3), st.lists(st.integers(0, 7), max_size=40), st.randoms())
def test_distinct_columns_are_a_set(num_words: int, numbers: list[int], random: object) -> None:
    """The distinct columns are those of a Python set, also in their high bits."""
    del random
    columns = [tuple((n >> w & 1) << 63 | n for w in range(num_words)) for n in numbers]
    words = np.array(columns, np.uint64).reshape(-1, num_words).T
    distinct = distinct_columns(words)
    assert sorted(map(tuple, distinct.T.tolist())) == sorted(set(columns))


@given(st.integers(0, 2**32 - 1))
def test_every_polytope_is_counted_once(seed: int) -> None:
    """The number of polytopes is the number of distinct rows among the raster's patterns."""
    layers = network([7, 6, 1], seed=seed)
    partition = sample_partition(layers, AXIS, AXIS)
    columns, rows = np.meshgrid(AXIS, AXIS)
    values, patterns = sample_patterns(layers, np.stack([columns.ravel(), rows.ravel()], axis=1))
    assert partition.num_polytopes == len(np.unique(patterns, axis=0))
    np.testing.assert_allclose(partition.values.reshape(-1, 1), values, atol=1e-6)
