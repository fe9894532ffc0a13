"""Measures of partitions against values by hand and slow, obvious references."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes import (
    FOLD_MEASURES,
    FoldMeasures,
    Partition,
    Plane,
    load_partition,
    measure_folds,
    partition,
    patterns_of_inputs,
)
from bitfold.polytopes.measuring import slopes

Doubles = NDArray[np.float64]
UNIT = ((0.0, 0.0), (1.0, 1.0))


def layer(weights: list[list[float]], biases: list[float]) -> nn.Linear:
    """Return a linear layer of given numbers."""
    linear = nn.Linear(len(weights[0]), len(weights))
    linear.load_state_dict({"weight": torch.tensor(weights), "bias": torch.tensor(biases)})
    return linear


def random_network(seed: int, widths: list[int], outputs: int = 1, bias: float = 0.4) -> nn.Module:
    """Return a leaky ReLU network with folds all over the square around 0."""
    generator = torch.Generator().manual_seed(seed)
    parts: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], [*widths, outputs], strict=True):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, 0, math.sqrt(2 / fan_in), generator=generator)
        nn.init.normal_(linear.bias, 0, bias, generator=generator)
        parts += [linear, nn.LeakyReLU()]
    return nn.Sequential(*parts[:-1]).eval()


@pytest.fixture
def crossed() -> Partition:
    """Return a network of four rectangles, with folds at x = 0.25 and y = 0.5.

    The output is relu(x - 0.25) + 2 relu(y - 0.5) + 3 relu(x + 1) - 3: steeper beyond each fold.
    """
    first = layer([[1, 0], [0, 1], [1, 1], [1, 0]], [-0.25, -0.5, -9, 1])
    network = nn.Sequential(first, nn.ReLU(), layer([[1, 2, 5, 3]], [-3]))
    return partition(network.eval(), UNIT)


def test_every_number_of_a_network_worked_out_by_hand(crossed: Partition) -> None:
    """Two folds of length 1, at x = 0.25 and y = 0.5; gradients (3, 0), (4, 0), (3, 2), (4, 2)."""
    points = [[0.05, 0.1], [0.2, 0.9], [0.9, 0.6], [2.0, 2.0]]
    found = measure_folds(crossed, points, level=0.5)
    # On the left below, 3 x = 0.5 at x = 1/6; above, 3 x + 2 (y - 0.5) = 0.5 from (1/6, 0.5) to
    # (0, 0.75).
    boundary = [((1 / 6, 0), (1 / 6, 0.5)), ((1 / 6, 0.5), (0, 0.75))]
    along = np.arange(200_000) / 200_000 + 0.5 / 200_000
    folds = [(np.full_like(along, 0.25), along), (along, np.full_like(along, 0.5))]
    far = np.mean([to_segments(np.stack(fold, 1), np.array(boundary)) for fold in folds])
    norms = [3, 4, math.hypot(3, 2), math.hypot(4, 2)]
    assert found.numbers() == pytest.approx(
        {
            "num_polytopes": 4,
            "polytopes_over_half_n_squared": 4 / 8,
            "area_of_largest_percent": 0.375,
            "fold_length_per_area": 2,
            "fold_length_per_area_layer_1": 2,
            "dead_neurons": 0.25,
            "always_on_neurons": 0.25,
            "mean_area_on": (0.75 + 0.5 + 0 + 1) / 4,
            "point_fold_distance": (0.2 + 0.05 + 0.1) / 3,
            "fold_boundary_distance": far,
            "slope_norm": np.dot(norms, [0.125, 0.375, 0.125, 0.375]),
            "slope_jump": (1 + 2) / 2,
        },
        rel=1e-5,
    )
    assert found.area_on == pytest.approx([0.75, 0.5, 0, 1], abs=1e-15)


def to_segments(points: Doubles, segments: Doubles) -> Doubles:
    """Return each point's distance from the nearest segment, by a loop over the segments."""
    least = np.full(len(points), np.inf)
    for start, stop in segments:
        along = stop - start
        share = np.clip((points - start) @ along / max(along @ along, 1e-300), 0, 1)
        least = np.minimum(least, np.linalg.norm(points - start - share[:, None] * along, axis=1))
    return least


def slow(found: Partition, points: Doubles) -> dict[str, float]:
    """Compute most measures again, from the partition's own patterns, maps and edges."""
    bits = np.unpackbits(found.patterns.view(np.uint8), axis=1, bitorder="little")
    bits = bits[:, : found.num_neurons]
    shares = found.areas / found.areas.sum()
    maps = found.affine_maps()[..., :2]
    ends = found.vertices[found.edges]
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    inner = [e for e in range(len(found.edges)) if found.neighbours[e].min() >= 0]
    jumps = [np.linalg.norm(np.subtract(*maps[found.neighbours[e]])) for e in inner]
    numbers = {
        "num_polytopes": found.num_polytopes,
        "polytopes_over_half_n_squared": found.num_polytopes / (found.num_neurons**2 / 2),
        "fold_length_per_area": lengths[inner].sum() / found.areas.sum(),
        "dead_neurons": np.mean(bits.max(0) == 0),
        "always_on_neurons": np.mean(bits.min(0) == 1),
        "mean_area_on": (shares @ bits).mean(),
        "slope_norm": shares @ np.linalg.norm(maps, axis=(1, 2)),
        "slope_jump": np.average(jumps, weights=lengths[inner]),
        "point_fold_distance": to_segments(points, ends[inner]).mean(),
    }
    for number in range(len(found.layer_sizes)):
        owned = [
            e
            for e in inner
            if number in found.owner_layers[found.owner_offsets[e] : found.owner_offsets[e + 1]]
        ]
        length = lengths[owned].sum() / found.areas.sum()
        numbers[f"fold_length_per_area_layer_{number + 1}"] = length
    return numbers


@given(seed=st.integers(0, 10**6), widths=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_numbers_are_those_of_the_slow_reference(seed: int, widths: list[int]) -> None:
    """On the square and on a pentagon, for one or several outputs, measures equal the reference."""
    outputs = 1 + seed % 3
    corners = [(-0.9, -0.8), (0.7, -1), (1, 0.2), (0.1, 1.1), (-1, 0.6)]
    domain = corners if seed % 2 else ((-1, -1), (1, 1))
    found = partition(random_network(seed, widths, outputs), domain)
    points = np.random.default_rng(seed).uniform(-0.5, 0.5, (50, 2))
    numbers = measure_folds(found, points, level=None).numbers()
    if found.num_polytopes > 1:
        wanted = slow(found, points)
        assert {name: numbers.get(name) for name in wanted} == pytest.approx(wanted, rel=1e-9)


def test_folds_that_lie_on_one_another_count_once_in_all_and_once_a_layer() -> None:
    """Coinciding folds of two layers count once in the total and once in each layer."""
    first = layer([[1, 0], [-2, 0], [0, 1]], [0, 0, -0.25])
    second = layer([[1, 0, 0], [0, 0, 1]], [0, -0.125])
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), layer([[1, 1]], [0]))
    found = partition(network.eval())
    found.check()
    measures = measure_folds(found)
    assert measures.fold_length_per_area == pytest.approx(3)
    assert measures.fold_length_per_area_by_layer == pytest.approx((2, 2))
    assert measures.area_on == pytest.approx([0.5, 0.5, 0.25, 0.5, 0.125])


def test_areas_agree_with_dense_samples() -> None:
    """The area shares of active neurons equal the shares of many sampled points."""
    network = random_network(5, [8, 8, 8])
    found = partition(network)
    at = (np.arange(700) + 0.5) / 700 - 0.5
    points = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
    patterns = patterns_of_inputs(found, points)
    bits = np.unpackbits(patterns.view(np.uint8), axis=1, bitorder="little")[:, :24]
    assert measure_folds(found).area_on == pytest.approx(bits.mean(0), abs=4e-3)


@pytest.mark.parametrize("outputs", [1, 2, 5, 20])
def test_folds_to_the_boundary_agree_with_dense_samples(outputs: int) -> None:
    """Distances from folds to the boundary equal those of short pieces to its polylines."""
    found = partition(random_network(3, [16, 16], outputs), ((-1, -1), (1, 1)))
    lines = found.decision_boundary()
    segments = np.concatenate([np.stack([line[:-1], line[1:]], 1) for line in lines])
    pieces, weights = [], []
    for a, b in found.vertices[found.edges[found.neighbours.min(1) >= 0]]:
        shares = (np.arange(50)[:, None] + 0.5) / 50
        pieces.append(a + shares * (b - a))
        weights.append(np.full(50, np.linalg.norm(b - a)))
    distances = to_segments(np.concatenate(pieces), segments)
    wanted = np.average(distances, weights=np.concatenate(weights))
    assert measure_folds(found).fold_boundary_distance == pytest.approx(wanted, rel=3e-3)


def test_what_a_partition_does_not_have_is_left_out() -> None:
    """A partition without folds or neurons has no distance to folds or share of neurons."""
    affine = measure_folds(partition(nn.Sequential(layer([[3, 4]], [0])).eval()), [[0.0, 0.0]])
    assert affine.numbers() == {
        "num_polytopes": 1,
        "area_of_largest_percent": 1.0,
        "fold_length_per_area": 0.0,
        "slope_norm": pytest.approx(5),
    }
    network = nn.Sequential(layer([[1, 0]], [2]), nn.ReLU(), layer([[1], [-1]], [9, 0])).eval()
    numbers = measure_folds(partition(network), [[0.0, 0.0]]).numbers()
    assert numbers["always_on_neurons"] == 1
    assert not {"slope_jump", "point_fold_distance", "fold_boundary_distance"} & set(numbers)
    folded = nn.Sequential(layer([[1, 0]], [-0.5]), nn.ReLU(), layer([[1]], [1])).eval()
    for points in (None, np.empty((0, 2)), [[3.0, 3.0]]):
        measures = measure_folds(partition(folded, UNIT), points)
        assert measures.slope_jump == 1
        assert measures.point_fold_distance is None
        assert measures.fold_boundary_distance is None  # the output is 1 or more


@pytest.mark.parametrize("count", [5, 100, 250])
def test_the_largest_percent_is_a_hundredth_and_at_least_one(count: int) -> None:
    """The widest 1 % of 250 stripes is two stripes and half of the third."""
    ends = np.cumsum(np.arange(1, count + 1)) / (count * (count + 1) / 2)
    first = layer([[1.0, 0.0]] * (count - 1), (-ends[:-1]).tolist())
    network = nn.Sequential(first.double(), nn.ReLU(), nn.Linear(count - 1, 1).double()).eval()
    widths = np.diff(ends, prepend=0)[::-1]
    wanted = widths[0] if count <= 100 else widths[0] + widths[1] + widths[2] / 2
    found = partition(network, UNIT)
    assert found.num_polytopes == count
    assert measure_folds(found).area_of_largest_percent == pytest.approx(wanted, rel=1e-5)


def test_points_are_found_among_stripes_and_on_folds() -> None:
    """Points are located among thin diagonal polytopes; a point on a fold has distance 0."""
    biases = torch.linspace(-1.9, -0.1, 300)
    first = layer([[1.0, 1.0]] * 300, biases.tolist())
    found = partition(nn.Sequential(first, nn.ReLU(), nn.Linear(300, 1)).eval(), UNIT)
    points = np.random.default_rng(0).random((400, 2))
    points[:100] = found.vertices[found.edges[found.neighbours.min(1) >= 0]].mean(1)[:100]
    inner = found.vertices[found.edges[found.neighbours.min(1) >= 0]]
    for part in (points[:100], points[100:], found.vertices):
        distance = measure_folds(found, part).point_fold_distance
        assert distance == pytest.approx(to_segments(part, inner).mean(), rel=1e-9, abs=1e-12)


def test_gradients_of_thin_faces_come_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of a face are the same, up to rounding, whether or not the face counts as thin."""
    found = partition(random_network(9, [20, 20], 20))
    by_differences = measure_folds(found)
    monkeypatch.setattr(slopes, "_THIN", 1e-2)
    some_by_maps = measure_folds(found)
    monkeypatch.setattr(slopes, "_THIN", math.inf)
    by_maps = measure_folds(found)
    assert by_maps.numbers() == pytest.approx(by_differences.numbers(), rel=1e-9)
    assert by_maps.numbers() == pytest.approx(some_by_maps.numbers(), rel=1e-9)
    assert by_maps.slope_jump != some_by_maps.slope_jump != by_differences.slope_jump


def test_a_sliver_does_not_spoil_the_slopes() -> None:
    """Across a sliver of width 1e-12, where differences lose all digits, slopes stay right."""
    first = layer([[1.0, 0.0], [1.0, 0.0]], [0.0, 0.0]).double()
    first.bias.data[1] = -1e-12
    network = nn.Sequential(first, nn.ReLU(), layer([[1e3, -1e3 + 1]], [0.1]).double()).eval()
    found = partition(network)
    assert found.num_polytopes == 3
    # Gradients are 0, 1000 and 1.
    assert measure_folds(found).slope_jump == pytest.approx((1000 + 999) / 2, rel=1e-9)


def test_a_plane_of_images_is_measured() -> None:
    """A plane of images is measured, with the patterns of inputs off the plane."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)).eval()
    images = torch.randn(3, 1, 5, 5)
    found = partition(network, ((-2, -2), (2, 2)), Plane.through(*images))
    numbers = measure_folds(found, [[0, 0], [1, 0], [0, 1]]).numbers()
    assert set(FOLD_MEASURES) <= set(numbers)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    wanted = found.patterns[found.locate(corners)]
    assert (patterns_of_inputs(found, images) == wanted).all()
    other = torch.randn(7, 1, 5, 5)
    bits = (network[0](other).flatten(1) > 0).numpy()
    packed = np.packbits(bits, axis=1, bitorder="little")
    assert (patterns_of_inputs(found, other).view(np.uint8)[:, : packed.shape[1]] == packed).all()


def test_where_windows_of_max_pooling_change_their_winner_is_a_fold() -> None:
    """A change of a max-pooling winner counts as a fold, and patterns across it are right."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 2), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    ).eval()
    found = partition(network, ((-2, -2), (2, 2)), Plane.through(*torch.randn(3, 1, 5, 5)))
    found.check()
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2))
    numbers, wanted = measure_folds(found, points).numbers(), slow(found, points)
    assert found.num_polytopes > 20
    assert {name: numbers.get(name) for name in wanted} == pytest.approx(wanted, rel=1e-9)


def test_a_partition_from_a_file_is_measured_alike(tmp_path: Path, crossed: Partition) -> None:
    """A file's partition has the same measures, except patterns, which need the network."""
    for number, found in enumerate((crossed, partition(random_network(2, [12, 12], 3)))):
        found.save(tmp_path / f"{number}.npz")
        loaded = load_partition(tmp_path / f"{number}.npz")
        points = np.random.default_rng(0).uniform(0, 0.5, (50, 2))
        wanted = measure_folds(found, points).numbers()
        assert measure_folds(loaded, points).numbers() == pytest.approx(wanted, rel=1e-9)
    with pytest.raises(PolytopeError, match="Cannot find patterns of inputs: expected a partition"):
        patterns_of_inputs(loaded, points)


@pytest.mark.parametrize("points", [[[math.nan, 0.0]], [0.0, 0.0], [[0.0, 0.0, 0.0]]])
def test_points_of_another_kind_are_refused(crossed: Partition, points: object) -> None:
    """Points of another shape get an error of one line with the expected shape."""
    with pytest.raises(PolytopeError, match=r"Cannot measure distances: expected finite points"):
        measure_folds(crossed, points)


def test_measuring_twice_gives_the_same_bits(crossed: Partition) -> None:
    """Measuring again, also after a new partition, gives the same bits."""
    network = random_network(1, [30, 30], 3)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (100, 2))
    first, second = (measure_folds(partition(network), points) for _ in range(2))
    assert isinstance(first, FoldMeasures)
    assert first.numbers() == second.numbers()
