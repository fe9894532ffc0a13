"""Refusals of the sampled engine, and the state in which it leaves a module."""

import tracemalloc
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError
from bitfold.polytopes import sample_partition, sample_patterns
from tests.polytopes.sampling.sampled_networks import AXIS, affine, network


def test_module_is_left_as_found() -> None:
    """Parameters, gradients, buffers, modes and random states are as before."""
    module = nn.Sequential(
        *network([6, 5]), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.ReLU(), nn.Linear(5, 1)
    ).train()
    module[-2].eval()
    module(torch.zeros(4, 2)).sum().backward()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    gradients = [cast(Tensor, parameter.grad).clone() for parameter in module.parameters()]
    modes = [part.training for part in module.modules()]
    random_state = torch.get_rng_state()
    first, _ = sample_patterns(module, np.zeros((5, 2), np.float32))
    sample_partition(module, AXIS, AXIS)
    assert torch.equal(random_state, torch.get_rng_state())
    assert modes == [part.training for part in module.modules()]
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert all(
        torch.equal(cast(Tensor, parameter.grad), gradient)
        for parameter, gradient in zip(module.parameters(), gradients, strict=True)
    )
    assert all(parameter.requires_grad for parameter in module.parameters())
    # Evaluation mode: dropout drops nothing, so equal points have equal values but for rounding.
    assert np.ptp(first) < 1e-6


def test_modes_are_restored_after_an_error() -> None:
    """A module that cannot be sampled is put back into training mode too."""
    module = nn.Linear(3, 1).train()
    with pytest.raises(PolytopeError):
        sample_partition(module, AXIS, AXIS)
    assert module.training


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    """A weight that is not finite is named by its parameter."""
    module = network([4, 1])
    module.get_parameter("2.bias").data[0] = bad
    with pytest.raises(PolytopeError, match=r"got 1 of 1 not finite in parameter 2\.bias"):
        sample_partition(module, AXIS, AXIS)


def test_overflow_is_survived() -> None:
    """Finite weights whose products overflow give patterns without an exception."""
    module = nn.Sequential(
        affine([[3e38, 3e38]], [3e38]), nn.ReLU(), affine([[-3e38]], [0.0]), nn.ReLU()
    )
    assert sample_partition(module, AXIS, AXIS).num_polytopes >= 1


def test_points_that_do_not_fit_are_refused() -> None:
    """Points of other dimension, none, too many coordinates or not finite are refused."""
    module = network([4, 1])
    with pytest.raises(PolytopeError, match="points of 3 coordinates"):
        sample_patterns(module, np.zeros((5, 3), np.float32))
    with pytest.raises(PolytopeError, match="points of 3 coordinates"):
        sample_partition(module, AXIS, AXIS, extra=(0.0,))
    with pytest.raises(PolytopeError, match=r"got shape \(0, 2\)"):
        sample_patterns(module, np.zeros((0, 2), np.float32))
    with pytest.raises(PolytopeError, match=r"got shape \(2,\)"):
        sample_patterns(module, np.zeros(2, np.float32))
    with pytest.raises(PolytopeError, match="expected finite points, got nan"):
        sample_patterns(module, np.array([[0.0, np.nan]]))
    with pytest.raises(PolytopeError, match=r"expected finite columns, got 1e\+39"):
        sample_partition(module, np.array([1e39]), AXIS)
    with pytest.raises(PolytopeError, match="expected finite further coordinates"):
        sample_partition(module, AXIS, AXIS, extra=(np.inf,))


def test_absurd_rasters_are_refused_at_once() -> None:
    """A raster without pixels or with more than 2^28 is refused before anything is built."""
    module = network([4, 1])
    large = np.broadcast_to(np.float64(0), 2**15)
    tracemalloc.start()
    for xs, ys in ((large, large), (AXIS[:0], AXIS), (AXIS, AXIS[:0]), (AXIS[None], AXIS)):
        with pytest.raises(PolytopeError, match="raster of 1 to 268,435,456 pixels"):
            sample_partition(module, xs, ys)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


class Returns(nn.Module):
    """Returns a given result."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, points: Tensor) -> object:
        """Return the given result."""
        return self.function(points)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda z: (z, z), r"expected an output of shape \(., outputs\), got tuple"),
        (lambda z: z.sum(), r"got shape \(\)"),
        (lambda z: z[:, :, None], r"got shape \(., 2, 1\)"),
        (lambda z: z[:1].relu(), r"got shape \(1, 2\)|points along the first dimension"),
        (lambda z: z.T.relu().T, "along the first dimension of the input of relu"),
        (lambda z: z.sort(1)[0], "elementwise activations, got sort"),
        (lambda z: z + z.max(), "over all of a batch"),
        (lambda z: z + z.amax(0), "over all of a batch"),
        (lambda z: torch.where(z > 0, z, 0.1 * z), "elementwise activations, got where"),
    ],
)
def test_what_has_no_polytopes_here_is_refused(
    function: Callable[[Tensor], object], message: str
) -> None:
    """Outputs of another form and operations that fold in other ways are refused by name."""
    with pytest.raises(PolytopeError, match=message):
        sample_patterns(Returns(function), np.zeros((5, 2), np.float32) + 0.1)


def test_float64_modules_are_evaluated_in_float64() -> None:
    """A float64 module keeps its type, so a fold of offset 1e-12 is on the right side."""
    module = nn.Sequential(affine([[1.0, 0.0]], [0.0]), nn.ReLU()).double()
    module.get_parameter("0.bias").data[0] = 1e-12
    _, patterns = sample_patterns(module, np.array([[0.0, 0.0], [-1e-11, 0.0]]))
    assert patterns.tolist() == [[1], [0]]
