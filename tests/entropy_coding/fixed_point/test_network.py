"""Parameters rounded to whole steps."""

import math

import pytest
import torch

from bitfold.entropy_coding.fixed_point.network import (
    MAX_NUMBER,
    STEPS,
    step_lengths,
    whole_parameters,
)


def test_numbers_are_near_the_parameters_and_steps_as_fine_as_asked() -> None:
    """Each number is within half a step of its parameter, and all span about 2^precision steps."""
    chance = torch.Generator().manual_seed(0)
    for precision in (2, 5, 8, 16, 32):
        tensor = torch.randn(40, 5, generator=chance) * 10 ** (precision / 5 - 2)
        sent, are_finite = whole_parameters({"weight": tensor}, precision)
        assert are_finite
        step = step_lengths()[sent[STEPS][0]]
        assert (sent["weight"] * step - tensor.double()).abs().max() <= step * 0.5001
        spread = int(sent["weight"].max() - sent["weight"].min())
        bits = min(precision, 16)
        assert 2 ** (bits - 1) * 0.8 <= spread <= 2**bits
    constant, _ = whole_parameters({"bias": torch.full((7,), 0.3)}, 8)
    found = constant["bias"] * step_lengths()[constant[STEPS][0]]
    assert found.tolist() == pytest.approx([0.3] * 7, rel=1e-5)


def test_parameters_out_of_bounds_are_kept_within_them() -> None:
    """Diverged parameters are clamped to the largest whole numbers."""
    wild = torch.tensor([1e30, -1e30, math.nan, math.inf, 0.0])
    sent, are_finite = whole_parameters({"bias": wild}, 8)
    assert not are_finite
    lowest = -MAX_NUMBER
    assert sent["bias"].tolist() == [lowest + 255, lowest, lowest + 255, lowest + 255, lowest + 255]
