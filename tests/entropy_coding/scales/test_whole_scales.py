"""Scales rounded to whole numbers, and the best one for given distances."""

import math

import pytest
import torch

from bitfold.entropy_coding.laplace.costs import coded_bits
from bitfold.entropy_coding.scales.whole_scales import best_scale, unit_of, whole_scales

OCTAVE = math.log(2)


def test_precision_makes_lines_coarser() -> None:
    """Below 8 bits, each bit less doubles the step, up to an octave; more than 8 change nothing."""
    logs = torch.linspace(-5, 5, 301)
    for precision, step in ((32, 1), (16, 1), (8, 1), (7, 2), (6, 4), (5, 8), (2, 8)):
        whole = whole_scales(logs, unit_of(precision), -120, 120)
        assert (whole % step == 0).all()
        assert (whole - logs.double() * 8 / OCTAVE).abs().max() <= step / 2 + 1e-6


@pytest.mark.parametrize("scale", [-24, -8, 0, 10, 25, 40, 70])
def test_the_best_scale_is_that_of_the_draws(scale: int) -> None:
    """The mean distance alone finds the best scale, to within a 1,000th of the shortest code."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(200_000, generator=generator, dtype=torch.float64) - 0.5
    bins = 2 ** (scale / 8) + 1 / 32
    distances = (-bins * draws.sign() * torch.log1p(-2 * draws.abs())).round().long()
    found = int(best_scale(distances.abs().double().mean()))
    assert abs(found - scale) <= 1

    def bits(one: int) -> float:
        cost = coded_bits(distances, torch.full_like(distances, one))
        return float((cost.symbols + cost.escapes).sum())

    assert bits(found) < 1.001 * min(bits(found + more) for more in range(-4, 5))
