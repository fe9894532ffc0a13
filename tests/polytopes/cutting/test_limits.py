"""The limit on the number of polytopes, and the partition after each layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError
from bitfold.polytopes import Plane, load_partition, partition
from tests.polytopes.dense_networks import WIDE, dense


def refused(module: nn.Module, most: int) -> str:
    """Return the error for a module with more polytopes than allowed."""
    with pytest.raises(PolytopeError) as caught:
        partition(module, WIDE, max_polytopes=most)
    return str(caught.value)


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("widths", [[40], [10] * 5])
def test_the_largest_number_of_polytopes_is_exact(
    widths: list[int], num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit equal to the number of polytopes is enough for any threads; one less is an error."""
    from bitfold.polytopes.cutting import cut_by_threads, exact

    monkeypatch.setattr(cut_by_threads, "_THREAD_FACES", 4)
    monkeypatch.setattr(exact, "_ENOUGH_FACES", 0)
    torch.manual_seed(0)
    module = dense(widths, nn.ReLU)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        count = partition(module, WIDE).num_polytopes
        partition(module, WIDE, max_polytopes=count).check()
        for fewer in (count - 1, count // 2, 3):
            said = refused(module, fewer)
            assert said.startswith(f"Cannot find polytopes: expected at most {fewer:,}, got more.")
    finally:
        torch.set_num_threads(before)


def test_folds_through_one_point_are_not_taken_for_many_polytopes() -> None:
    """64 lines through one point make 128 polytopes, although pairs of them meet 2,016 times."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 64, bias=False), nn.ReLU(), nn.Linear(64, 1)).eval()
    partition(module, WIDE, max_polytopes=128).check()
    assert "at most 127" in refused(module, 127)


def test_room_is_made_for_no_more_polytopes_than_there_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each thread reserves 60 bytes a polytope and 4 bytes a place on faces' boundaries."""
    from bitfold.polytopes.cutting import cut_by_threads, exact
    from bitfold.polytopes.cutting.loops.cut import cut_part

    taken: list[int] = []

    def noted(*args: Any) -> Any:
        found = cut_part(*args)
        made = found[0]
        taken.append(sum(item.nbytes for item in made[:-2]))
        return found

    monkeypatch.setattr(cut_by_threads, "cut_part", noted)
    monkeypatch.setattr(cut_by_threads, "_THREAD_FACES", 4)
    monkeypatch.setattr(exact, "_ENOUGH_FACES", 0)
    torch.manual_seed(0)
    module = dense([8, 2000], nn.ReLU)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert "at most 1,000" in refused(module, 1000)
    finally:
        torch.set_num_threads(before)
    num_places = 2 * 2000 * partition(module, WIDE, until_layer=1).num_polytopes
    assert len(taken) > 1
    assert max(taken) < 60 * 1000 + 4 * num_places


@pytest.mark.parametrize("most", [0, -1, 2**28 + 1])
def test_a_largest_number_that_cannot_be_held_is_refused(most: int) -> None:
    """A limit whose sides do not fit into 32 bits is refused."""
    assert "expected max_polytopes of 1 to 268,435,456" in refused(dense([4], nn.ReLU), most)


class Two(nn.Module):
    """A clip with two thresholds, and then the larger of two values."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 2) to (N, 2)."""
        x = self.second(nn.functional.hardtanh(self.first(x)))
        return torch.maximum(x[:, :2], x[:, 2:])


ARRAYS = (
    "edges", "face_offsets", "face_vertices", "face_edges", "neighbours", "owner_offsets", "owners",
)  # fmt: skip


class Pooled(nn.Module):
    """A convolution, a max-pooling and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, 6, 6) to (N, 4)."""
        x = torch.max_pool2d(self.first(x), 2)
        return torch.relu(self.second(x.flatten(1)))


def test_layers_of_a_network_that_pools(tmp_path: Path) -> None:
    """Max-pooling counts as a layer, and its partition can be saved to a file."""
    torch.manual_seed(0)
    plane = Plane.through(*torch.randn(3, 1, 6, 6))
    pooled, whole = partition(Pooled().eval(), WIDE, plane, each_layer=True)
    assert 1 < pooled.num_polytopes < whole.num_polytopes
    assert whole.layers[0].name.startswith("max_pool2d")
    whole.check()
    whole.save(tmp_path / "a.npz")
    loaded = load_partition(tmp_path / "a.npz")
    loaded.check()
    np.testing.assert_array_equal(loaded.locate(whole.centroids), np.arange(len(whole.centroids)))


@pytest.mark.parametrize("kind", ["dense", "two"])
def test_each_layer_is_what_until_layer_gives(kind: str) -> None:
    """One pass gives each layer the vertices and owners of `until_layer`; the last is the whole."""
    torch.manual_seed(0)
    module = dense([9, 8, 7], nn.ReLU) if kind == "dense" else Two().eval()
    found = partition(module, WIDE, each_layer=True)
    assert len(found) == len(partition(module, WIDE).layers)
    for number, one in enumerate(found, 1):
        expected = partition(module, WIDE, until_layer=number)
        assert (one.layers, one.layer_sizes) == (expected.layers, expected.layer_sizes)
        np.testing.assert_allclose(one.vertices, expected.vertices, rtol=0, atol=1e-12)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(expected, name), err_msg=name)
        assert one.is_whole == (number == len(found))
    found[-1].check()
    some = partition(module, WIDE, each_layer=True, until_layer=1)
    assert [one.num_polytopes for one in some] == [found[0].num_polytopes]


def test_each_layer_of_an_affine_module_is_one_partition() -> None:
    """An affine module has one layer, whose partition has one polytope."""
    (only,) = partition(nn.Linear(2, 1).eval(), WIDE, each_layer=True)
    assert (only.num_polytopes, only.layers, only.is_whole) == (1, (), True)
    only.check()


@pytest.mark.parametrize("most", [1, 2, 10, 100, 10**6])
def test_a_cut_that_is_broken_off_makes_no_more_than_it_may(most: int) -> None:
    """A cut that stops early, here of a square by 40 lines, makes at most the allowed faces."""
    from bitfold.polytopes.cutting.loops.cut import cut
    from bitfold.polytopes.cutting.mesh import Mesh

    square = Mesh(np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]))
    generator = np.random.default_rng(0)
    values = square.points @ generator.normal(size=(2, 40)) + generator.uniform(-0.5, 0.5, 40)
    made = cut(values, np.full(40, 1e-14), square.edges, square.owners, square.faces, 0, 64, most)
    num_faces, is_broken_off = len(made.faces[0]) - 1, bool(made.is_broken_off)
    assert is_broken_off == (most < 10**6)
    assert num_faces <= most
    assert is_broken_off or num_faces > 100
