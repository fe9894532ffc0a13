"""Exact partitions of many networks, against checks, the network and dense samples."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError
from bitfold.polytopes import Partition, Plane, partition, sample_patterns
from tests.polytopes.dense_networks import WIDE, dense


class Residual(nn.Module):
    """Convolutions, batch norm, a residual sum, concatenation, padding and pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.second, self.head = nn.Conv2d(3, 3, 3, stride=2, padding=1), nn.Linear(27, 3)
        self.dropout = nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, 6, 6) to (N, 3)."""
        x = torch.relu(self.norm(self.first(x)))
        x = x + nn.functional.leaky_relu(-x + 0.5, 0.1)
        x = torch.relu(self.second(nn.functional.pad(x, (1, 0, 1, 0)))[:, :, :3, :3])
        result: Tensor = self.head(
            self.dropout(torch.cat([x[:, :1], x[:, 1:] * 2 - 1], 1).flatten(1))
        )
        return result


class Sequence(nn.Module):
    """A one-dimensional convolution, then the largest and smallest of two halves."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv1d(2, 4, 2), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 2, 5) to (N, 2)."""
        x = self.convolution(x)
        low, high = torch.minimum(x[:, :2], x[:, 2:]), torch.max(x[:, :2], x[:, 2:])
        x = torch.abs(torch.cat([low, high], 1)).mean(2)
        result: Tensor = self.head(torch.cat([x, nn.functional.hardtanh(x)], 1))
        return result


def trained_statistics(module: nn.Module, inputs: Tensor) -> nn.Module:
    """Return the module in evaluation mode, after its norms have seen inputs."""
    module.train()(inputs)
    return module.eval()


ACTIVATIONS = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.Hardsigmoid,
    nn.Softshrink,
)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, nn.Softshrink])
@pytest.mark.parametrize("seed", range(3))
def test_networks_of_every_activation_check(activation: type[nn.Module], seed: int) -> None:
    """For every activation, counts, areas, convexity, patterns and maps are consistent."""
    torch.manual_seed(seed)
    found = partition(dense([9, 8, 7], activation, outputs=3), WIDE)
    found.check()
    assert found.num_polytopes > 20


@pytest.mark.parametrize("seed", range(3))
def test_residual_convolutions_check_on_a_plane_through_three_pictures(seed: int) -> None:
    """A module with branches passes the checks on a plane among 36 inputs."""
    torch.manual_seed(seed)
    module = trained_statistics(Residual(), torch.randn(50, 1, 6, 6))
    a, b, c = torch.randn(3, 1, 6, 6)
    found = partition(module, ((-0.2, -0.2), (1.2, 1.2)), Plane.through(a, b, c))
    found.check()
    assert found.num_polytopes > 100
    outputs = found.evaluate(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(outputs, module(torch.stack([a, b, c])).detach(), atol=1e-5)


def test_pairs_and_clips_check() -> None:
    """The largest and smallest of two inputs fold where both are equal, and a clip at its ends."""
    torch.manual_seed(0)
    found = partition(Sequence().eval(), WIDE, (torch.zeros(2, 5), *torch.randn(2, 2, 5)))
    found.check()
    assert found.layer_sizes == (8, 8, 16, 8)
    assert [bend.name for bend in found.layers] == ["minimum", "maximum", "abs", "hardtanh"]


def test_coinciding_folds_name_all_their_owners() -> None:
    """Copies, opposites and multiples of a neuron own its fold too; a dead neuron owns none."""
    torch.manual_seed(1)
    module = dense([8, 8], nn.ReLU)
    with torch.no_grad():
        weight, bias = module.get_parameter("0.weight"), module.get_parameter("0.bias")
        weight[1:4] = weight[:1] * torch.tensor([[1.0], [-1.0], [0.5]])
        bias[1:4] = bias[:1] * torch.tensor([1.0, -1.0, 0.5])
        weight[4], bias[4] = 0.0, 0.0
    found = partition(module, WIDE)
    found.check()
    owners = [
        set(found.owners[start:end].tolist())
        for start, end in zip(found.owner_offsets, found.owner_offsets[1:], strict=False)
    ]
    assert any(own == {0, 1, 2, 3} for own in owners)
    assert all(own >= {0, 1, 2, 3} for own in owners if own & {0, 1, 2, 3})
    assert not any(4 in own for own in owners)
    assert set(found.owner_layers.tolist()) == {0, 1}


@pytest.mark.parametrize("widths", [[16], [12, 12], [10] * 8])
def test_every_sampled_pattern_is_a_polytope(widths: list[int]) -> None:
    """Each pattern of a dense grid is found, and the grid sees most of the patterns found."""
    torch.manual_seed(len(widths))
    module = dense(widths, nn.ReLU)
    found = partition(module, WIDE)
    xs = np.linspace(-3, 3, 400)[1:-1]
    points = np.stack(np.meshgrid(xs, xs), -1).reshape(-1, 2)
    _, patterns = sample_patterns(module, points)
    known = {row.tobytes() for row in found.patterns}
    seen = {row.tobytes() for row in patterns}
    # float32 signs may differ at a fold
    assert len(seen - known) <= 0.001 * len(seen) + 1
    large = found.areas > 0.01
    assert {row.tobytes() for row in found.patterns[large]} <= seen


def test_values_maps_and_places_are_the_networks() -> None:
    """At random points, evaluation, the face's map and the module give the same outputs."""
    torch.manual_seed(0)
    module = dense([10, 10, 10], nn.LeakyReLU, outputs=2)
    found = partition(module, WIDE)
    points = np.random.default_rng(0).uniform(-3.5, 3.5, (500, 2))
    faces = found.locate(points)
    is_inside = np.abs(points).max(1) < 3
    assert (faces >= 0).tolist() == is_inside.tolist()
    inside, maps = points[is_inside], found.affine_maps()[faces[is_inside]]
    expected = module.double()(torch.from_numpy(inside)).detach().numpy()
    by_maps = maps[..., 0] * inside[:, :1] + maps[..., 1] * inside[:, 1:] + maps[..., 2]
    np.testing.assert_allclose(by_maps, expected, atol=1e-10)
    np.testing.assert_allclose(found.evaluate(inside), expected, atol=1e-10)


def test_a_polygon_is_a_domain_too() -> None:
    """A domain may be a polygon of any number of corners and either orientation."""
    torch.manual_seed(0)
    module = dense([10, 10], nn.ReLU)
    triangle = np.array([(-1.0, -1.0), (2.0, 0.0), (0.0, 2.0)])
    one, other = partition(module, triangle), partition(module, triangle[::-1])
    one.check()
    assert one.areas.sum() == pytest.approx(4.0)
    assert one.num_polytopes == other.num_polytopes


def segments_of(lines: list[np.ndarray]) -> np.ndarray:
    """Return all segments of polylines: (n, 2, 2)."""
    return np.concatenate([np.stack([line[:-1], line[1:]], 1) for line in lines])


def test_level_sets_have_their_value() -> None:
    """Level sets have their value along every segment, and end at the border or are closed."""
    torch.manual_seed(3)
    module = dense([12, 12], nn.ReLU, outputs=2)
    found = partition(module, WIDE)
    value = float(np.median(found.evaluate(found.vertices)[:, 1]))
    lines = found.level_set(output=1, value=value)
    segments = segments_of(lines)
    for share in (0.0, 0.3, 1.0):
        points = segments[:, 0] + share * (segments[:, 1] - segments[:, 0])
        np.testing.assert_allclose(found.evaluate(points)[:, 1], value, atol=1e-9)
    for line in lines:
        is_closed = np.allclose(line[0], line[-1])
        assert is_closed or np.allclose(np.abs(line[[0, -1]]).max(1), 3.0)


def test_the_decision_boundary_is_where_the_largest_changes() -> None:
    """On the boundary the two largest outputs are equal, and each wins on one side."""
    torch.manual_seed(4)
    module = dense([12, 12], nn.ReLU, outputs=4)
    found = partition(module, WIDE)
    segments = segments_of(found.decision_boundary())
    middles = segments.mean(1)
    ordered = np.sort(found.evaluate(middles), 1)
    np.testing.assert_allclose(ordered[:, -1], ordered[:, -2], atol=1e-8)
    along = segments[:, 1] - segments[:, 0]
    lengths = np.hypot(*along.T)
    long = lengths > 1e-3
    across = 1e-5 * (along[long] / lengths[long, None])[:, ::-1] * [1, -1]
    sides = [found.evaluate(middles[long] + sign * across).argmax(1) for sign in (1, -1)]
    assert (sides[0] != sides[1]).mean() > 0.99
    grid = np.random.default_rng(0).uniform(-3, 3, (4000, 2))
    winners = len(set(found.evaluate(grid).argmax(1).tolist()))
    assert (winners > 1) == (len(segments) > 0)


def test_weights_are_read_at_every_call_and_kept() -> None:
    """A partition keeps its weights, and the next partition uses the new weights."""
    torch.manual_seed(0)
    module = dense([10, 10], nn.ReLU)
    first = partition(module, WIDE)
    points = np.random.default_rng(0).uniform(-3, 3, (50, 2))
    before, vertices = first.evaluate(points), first.vertices.copy()
    with torch.no_grad():
        module.get_parameter("0.weight").mul_(-0.5)
        module.get_parameter("2.bias").add_(1)
    second = partition(module, WIDE)
    second.check()
    np.testing.assert_array_equal(first.evaluate(points), before)
    np.testing.assert_array_equal(first.vertices, vertices)
    expected = module.double()(torch.from_numpy(points)).detach().numpy()
    np.testing.assert_allclose(second.evaluate(points), expected, atol=1e-10)


def test_another_structure_is_seen() -> None:
    """A replaced layer, or another branch, is traced again."""
    torch.manual_seed(0)
    module = dense([6, 6], nn.ReLU)
    assert isinstance(partition(module, WIDE), Partition)
    module[1] = nn.LeakyReLU(0.3).eval()
    partition(module, WIDE).check()
    bend = nn.Hardtanh().eval()
    module[1] = bend
    found = partition(module, WIDE)
    found.check()
    assert found.layer_sizes == (12, 6)
    bend.max_val = 0.25
    changed = partition(module, WIDE)
    points = np.random.default_rng(0).uniform(-3, 3, (50, 2))
    expected = module.double()(torch.from_numpy(points)).detach().numpy()
    np.testing.assert_allclose(changed.evaluate(points), expected, atol=1e-10)


def test_the_module_is_left_as_it_was() -> None:
    """Dtypes, gradients and hooks stay unchanged; half precision is computed in float64."""
    torch.manual_seed(0)
    module = dense([6, 6], nn.ReLU).to(torch.bfloat16)
    state = {name: item.clone() for name, item in module.state_dict().items()}
    found = partition(module, WIDE)
    found.check()
    assert all(torch.equal(item, state[name]) for name, item in module.state_dict().items())
    assert all(p.grad is None and p.dtype == torch.bfloat16 for p in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert found.vertices.dtype == np.float64


class Branching(nn.Module):
    """Multiplies two results elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 2) to (N, 2)."""
        return x * torch.relu(x)


class Attention(nn.Module):
    """Multiplies two results as matrices."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 2) to (N, 2)."""
        tall = torch.relu(x)[:, :, None]
        return torch.bmm(tall, tall.transpose(1, 2)).flatten(1)


class Centred(nn.Module):
    """Mixes the inputs of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 2) to (N, 2)."""
        return torch.relu(x - x.mean(0))


def refused(module: nn.Module, **settings: Any) -> str:
    """Return the one-line error for a refused module."""
    with pytest.raises(PolytopeError) as caught:
        partition(module, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_piecewise_linear_is_named_with_its_place() -> None:
    """The error names the operation, the submodule and the engine that accepts it."""
    smooth = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 3), nn.GELU()))
    assert "got gelu in '2.1'" in refused(smooth.eval())
    assert "sample_partition" in refused(smooth.eval())
    assert "native_layer_norm" in refused(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)).eval())
    assert "got mul of two results" in refused(Branching().eval())
    assert "got bmm of two results" in refused(Attention().eval())
    assert "each input to be worked on by itself" in refused(Centred().eval())


def test_bad_input_gets_one_line() -> None:
    """Training mode, a broken weight, bad domains or planes and too many polytopes get one line."""
    module = dense([6], nn.ReLU)
    module.train()
    assert "training mode" in refused(module)
    module.eval()
    for domain in ([(0, 0)], [(0, 0), (1, 1), (2, 2)], [(0, 0), (0, math.nan)], "square"):
        assert "Cannot find polytopes: expected a domain" in refused(module, domain=domain)
    assert "expected at most 5" in refused(module, domain=WIDE, max_polytopes=5)
    with torch.no_grad():
        module.get_parameter("0.weight")[0, 0] = math.nan
    assert "not finite" in refused(module)
    with pytest.raises(PolytopeError, match="parallel"):
        Plane(np.zeros(3), np.ones(3), 2 * np.ones(3))
    with pytest.raises(PolytopeError, match="equal shape"):
        Plane(np.zeros(3), np.ones(2), np.ones(3))


def test_until_a_layer_only_its_folds_are_there() -> None:
    """Each layer adds polytopes and keeps all earlier folds."""
    torch.manual_seed(0)
    module = dense([8, 8, 8], nn.ReLU)
    whole = partition(module, WIDE)
    found = [partition(module, WIDE, until_layer=count) for count in range(4)]
    assert [one.layer_sizes for one in found] == [(), (8,), (8, 8), (8, 8, 8)]
    counts = [one.num_polytopes for one in found]
    assert counts[0] == 1
    assert counts == sorted(set(counts))
    assert counts[3] == whole.num_polytopes
    for one, next_one in pairwise(found):
        kept = {point.tobytes() for point in next_one.vertices}
        assert {point.tobytes() for point in one.vertices} <= kept


@pytest.mark.parametrize("has_copies", [False, True])
def test_any_number_of_threads_gives_the_same_partition(
    has_copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any number of threads gives the same partition, also with copies of folds."""
    from bitfold.polytopes.cutting import cut_by_threads, exact

    torch.manual_seed(0)
    module = dense([9, 9, 9], nn.ReLU)
    if has_copies:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_((2 * parameter).round() / 2)
            for layer in (module[0], module[2]):
                weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
                weight[1:3], bias[1:3] = weight[:1], bias[:1]
    monkeypatch.setattr(exact, "_ENOUGH_FACES", 0)
    whole = partition(module, WIDE)
    monkeypatch.setattr(cut_by_threads, "_THREAD_FACES", 4)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        found = partition(module, WIDE)
    finally:
        torch.set_num_threads(before)
    found.check()
    assert (np.diff(whole.owner_offsets).max() > 1) == has_copies
    for name in ("vertices", "edges", "face_offsets", "face_vertices", "owner_offsets", "owners"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)
