"""Tests of the coordinate predictor."""

import pytest
import torch

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import CoordinatePredictor


def values(predictor: CoordinatePredictor) -> torch.Tensor:
    """All parameters as one vector."""
    return torch.cat([item.detach().view(-1) for item in predictor.parameters()])


def test_generator_makes_it_reproducible_and_spares_the_global_state():
    """Equal generators give equal predictors and the global random state stays as it was."""
    state = torch.random.get_rng_state()
    first, second = (
        CoordinatePredictor((5, 5), 8, generator=torch.Generator().manual_seed(1)) for _ in "ab"
    )
    assert torch.equal(values(first), values(second))
    assert torch.equal(state, torch.random.get_rng_state())


def test_without_generator_the_global_state_decides():
    """torch.manual_seed decides the initial values, as with PyTorch's own modules."""
    predictors = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        predictors.append(values(CoordinatePredictor((5,), 4)))
    assert torch.equal(predictors[0], predictors[1])
    assert not torch.equal(predictors[0], predictors[2])


def test_initial_values_have_pytorchs_bounds():
    """All values lie within, and nearly reach, one over the root of the layer's inputs."""
    predictor = CoordinatePredictor((100,), 300, generator=torch.Generator().manual_seed(0))
    assert 0.098 < predictor.head.weight.abs().max() <= 0.1


@pytest.mark.parametrize("shape", [(), (0,), (5, -1), (5.0,), (True,), (5000,), (2,) * 33])
def test_impossible_shapes_are_refused(shape):
    """Shapes that are empty, too deep, too wide or not whole are errors that show the shape."""
    with pytest.raises(KolmogorovError, match=r"^Cannot make a coordinate predictor: .*got \("):
        CoordinatePredictor(shape, 2)
