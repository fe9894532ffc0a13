"""Tests of the coordinate predictor."""

from typing import Any

import pytest
import torch
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import Bins, CoordinatePredictor, KolmogorovLoss, ParameterTable


def attached(shape: tuple[int, ...], num_bins: int, seed: int | None) -> CoordinatePredictor:
    """Return a predictor of a linear layer's weights, drawn from a seed or the global state."""
    predictor = CoordinatePredictor(shape)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    predictor.attach(ParameterTable(nn.Linear(3, 3)).layout, Bins(num_bins, -1, 1), generator)
    return predictor


def values(predictor: CoordinatePredictor) -> torch.Tensor:
    """Return all parameters as one vector."""
    return torch.cat([item.detach().view(-1) for item in predictor.parameters()])


def test_generator_makes_it_reproducible_and_spares_the_global_state() -> None:
    """Equal generators give equal predictors and the global random state stays as it was."""
    torch.manual_seed(0)
    first, second = (attached((5, 5), 8, seed=1), attached((5, 5), 8, seed=1))
    assert torch.equal(values(first), values(second))
    torch.manual_seed(0)
    nn.Linear(3, 3), nn.Linear(3, 3)
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    attached((5, 5), 8, seed=1), attached((5, 5), 8, seed=1)
    assert torch.equal(state, torch.random.get_rng_state())


def test_without_generator_the_global_state_decides() -> None:
    """torch.manual_seed decides the initial values, as with PyTorch's own modules."""
    predictors = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        predictors.append(values(attached((5,), 4, seed=None)))
    assert torch.equal(predictors[0], predictors[1])
    assert not torch.equal(predictors[0], predictors[2])


def test_initial_values_have_pytorchs_bounds() -> None:
    """Initial values lie within 1 / sqrt(inputs) and nearly reach it."""
    predictor = attached((100,), 300, seed=0)
    assert 0.098 < predictor.head.weight.abs().max() <= 0.1


@pytest.mark.parametrize("shape", [(), (0,), (5, -1), (5.0,), (True,), (5000,), (2,) * 33])
def test_impossible_shapes_are_refused(shape: Any) -> None:
    """Shapes that are empty, too deep, too wide or not whole are errors that show the shape."""
    with pytest.raises(KolmogorovError, match=r"^Cannot make a coordinate predictor: .*got \("):
        CoordinatePredictor(shape)


def test_coordinates_that_never_differ_are_left_out() -> None:
    """A network without kernels has no input for kernel offsets; a single weight still has one
    input.
    """
    predictor = attached((5,), 4, seed=0)
    assert predictor.coordinates == (1, 2, 4)
    single = CoordinatePredictor((5,))
    single.attach(ParameterTable(nn.Linear(1, 1, bias=False)).layout, Bins(4, -1, 1), None)
    assert single.coordinates == (0,)


@pytest.mark.parametrize("settings", [{"kind": "mse"}, {"predictor_shape": (3,)}])
@pytest.mark.parametrize("predictor", ["row_column", "per_tensor", CoordinatePredictor((4,))])
def test_settings_of_the_coordinate_predictor_are_not_passed_over(
    predictor: Any, settings: Any
) -> None:
    """Its settings are refused with other predictors and with instances."""
    (name,) = settings
    with pytest.raises(KolmogorovError, match=f"expected {name} with predictor='coordinate'"):
        KolmogorovLoss(nn.Linear(2, 2), predictor=predictor, **settings)
