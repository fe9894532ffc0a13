"""The lowered program is verified against the module; mixing of inputs is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitfold.errors import PolytopeError
from bitfold.polytopes import Plane, partition, sample_partition
from bitfold.polytopes.cutting import exact
from bitfold.polytopes.tracing.pieces import PIECEWISE, Pieces

DOMAIN = ((-1.0, -1.0), (1.0, 1.0))
IMAGES = Plane(*torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(0)))


class Calls(nn.Module):
    """Calls a function and counts the calls."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.counts: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the function's result."""
        self.counts.append(len(x))
        return self.function(x)


def refused(module: nn.Module, plane: Plane | None = None) -> str:
    """Return the error for a module."""
    with pytest.raises(PolytopeError) as caught:
        partition(module.eval(), DOMAIN, plane)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written_view(x: Tensor) -> Tensor:
    """Write to a part of the returned tensor."""
    found = x + 1
    found[:, :1].relu_()
    return found


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.relu(x if torch.equal(x, torch.zeros_like(x)) else 2 * x),
        lambda x: torch.relu(x) + torch.rand(()),
        written_view,
    ],
)
def test_a_module_that_does_not_do_what_was_traced_is_refused(
    function: Callable[[Tensor], Tensor],
) -> None:
    """A module that branches on values, draws random numbers or writes to a view is refused."""
    torch.manual_seed(0)
    assert "expected the operations that were traced to give" in refused(Calls(function))


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong lowering of ReLU is found, and no partition comes back."""
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).eval()
    wrong = {**PIECEWISE, "relu": lambda _: Pieces((0.0,), (0.25, 1.0), (0.0, 0.0))}
    monkeypatch.setattr("bitfold.polytopes.lowering.program.PIECEWISE", wrong)
    monkeypatch.setattr(exact, "find_dense_layers", lambda *_: pytest.fail("not needed"))
    assert "expected the operations that were traced to give" in refused(module)


def test_it_is_verified_once_for_each_structure() -> None:
    """A structure is verified once: new weights change nothing, other changes verify again."""
    layer = nn.Linear(2, 4)
    module = nn.Sequential(layer, Calls(torch.relu)).eval()
    counts = module[1].counts
    partition(module, DOMAIN)
    assert counts == [3, 7, 4]
    with torch.no_grad():
        layer.weight.mul_(2)
    partition(module, DOMAIN)
    assert len(counts) == 3
    module[0] = nn.Linear(2, 5).eval()
    partition(module, DOMAIN).check()
    assert len(counts) == 6


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("seed", range(3))
def test_rounding_in_any_type_is_no_difference(dtype: torch.dtype, seed: int) -> None:
    """Rounding in ten layers passes the verification in every dtype that modules have."""
    torch.manual_seed(seed)
    layers = [
        part for _ in range(10) for part in (nn.Linear(12, 12), nn.BatchNorm1d(12), nn.ReLU())
    ]
    module = nn.Sequential(nn.Linear(2, 12), *layers, nn.Linear(12, 3))
    module(torch.randn(100, 2))
    partition(module.to(dtype).eval(), DOMAIN)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x.flip(0), "flip"),
        (lambda x: x.roll(1, 0), "roll"),
        (lambda x: x.roll(2), "roll"),
        (lambda x: x.cumsum(0), "cumsum"),
        (lambda x: x.view(2, -1).t().reshape(x.shape), "view"),
        (lambda x: x.repeat(2, 1).view(2, len(x), -1)[0], "repeat"),
        (lambda x: x - x.mean(0, keepdim=True), "mean"),
        (lambda x: x - x.amax(0), "amax"),
    ],
)
@pytest.mark.parametrize("is_hidden", [False, True])
def test_operations_that_mix_the_inputs_of_a_batch_are_named(
    function: Callable[[Tensor], Tensor], name: str, is_hidden: bool
) -> None:
    """An operation that mixes a batch is named with its place, even if weights of 0 hide it."""
    torch.manual_seed(0)
    first, last = nn.Linear(2, 4), nn.Linear(4, 1)
    if is_hidden:
        for item in (*last.parameters(), first.weight):
            nn.init.zeros_(item)
        nn.init.constant_(first.bias, -1.0)
    said = refused(nn.Sequential(first, nn.ReLU(), Calls(function), last))
    assert f"{name} in '2'" in said
    assert "by itself" in said or "along the first side" in said


def test_what_goes_along_the_other_sides_is_taken() -> None:
    """The same operations along features, not along the batch, are accepted."""
    torch.manual_seed(0)
    for function in (
        lambda x: x.flip(1),
        lambda x: x.roll(1, 1),
        lambda x: x.cumsum(1),
        lambda x: x.index_select(1, torch.tensor([2, 0, 1])),
        lambda x: x - x.mean(1, keepdim=True),
    ):
        module = nn.Sequential(nn.Linear(2, 4), Calls(function), nn.ReLU())
        partition(module.eval(), DOMAIN).check()


def test_a_module_may_write_to_its_input() -> None:
    """A module that writes to its input gets a copy of it."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.LeakyReLU(0.1, inplace=True), nn.Linear(2, 3)).double().eval()
    found = partition(module, DOMAIN)
    found.check()
    assert found.num_polytopes == 4


def test_places_of_a_maximum_are_no_outputs() -> None:
    """Unused indices of a maximum do not matter, although they jump."""
    jumps = Calls(lambda x: x + x.max(1, keepdim=True).indices)
    assert "the places that max chose in '0'" in refused(nn.Sequential(jumps))
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    unpooled = Calls(lambda x: unpool(*pool(x)).flatten(1))
    said = refused(unpooled, IMAGES)
    assert "max_unpool" in said or "places that max_pool2d_with_indices chose" in said
    partition(Calls(lambda x: pool(x)[0].flatten(1)).eval(), DOMAIN, IMAGES).check()


def test_windows_beyond_the_border_are_refused() -> None:
    """Max-pooling windows beyond the border are refused, because they give minus infinity."""
    pool = Calls(lambda x: functional.max_pool2d(x, 2, 1, 1, dilation=7).flatten(1))
    assert "each hold an element, got" in refused(pool, IMAGES)


def test_infinities_are_refused() -> None:
    """A mask of minus infinity is refused, because vertices interpolate values."""
    masked = Calls(lambda x: torch.cat([x, torch.full((len(x), 1), -torch.inf)], 1).amax(1))
    assert "got full of what is not finite" in refused(masked)


def test_inputs_of_another_shape_are_refused() -> None:
    """The error for a wrong input shape quotes the module's own error and says what to do."""
    assert "Give a plane through inputs of its shape" in refused(nn.Linear(3, 1))


def test_the_sampled_engine_takes_what_the_exact_one_refuses() -> None:
    """The sampled engine accepts refused modules, as the error says, on image planes too."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    said = refused(module, IMAGES)
    assert "got gelu in '1'. Use bitfold.polytopes.sample_partition" in said
    axis = np.linspace(-1, 1, 50)
    found = sample_partition(module, axis, axis, plane=IMAGES)
    assert found.values.shape == (50, 50, 3)
    assert found.num_polytopes > 20
    with torch.no_grad():
        middle = module(IMAGES.inputs(np.array([[axis[7], axis[31]]])).float())
    np.testing.assert_allclose(found.values[31, 7], middle[0].numpy(), atol=1e-5)
