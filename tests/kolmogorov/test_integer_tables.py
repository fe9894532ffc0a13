"""Tests of the integer tables against the distributions that they stand for."""

import math

import pytest
import torch

from bitfold.entropy_coding.laplace_tables import (
    LARGEST_SCALE,
    LAST_TABLE,
    LEAST_SCALE,
    coded_bits,
    integer_tables,
    scale_in_bins,
)
from bitfold.entropy_coding.scale_syntax import best_scale
from bitfold.kolmogorov.sums.log_mass import DISTRIBUTIONS


@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
def test_frequencies_add_up_and_are_symmetric(distribution):
    """Each table's add up to 2^16, none is 0, and both sides are alike."""
    tables = integer_tables(distribution)
    for first, reach in zip(tables.firsts, tables.reaches, strict=True):
        starts = tables.starts[first : first + 2 * reach + 4]
        frequencies = (starts[1:] - starts[:-1]).tolist()
        assert starts[0] == 0
        assert sum(frequencies) == 2**16
        assert min(frequencies) >= 1
        assert frequencies == frequencies[::-1]


@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
def test_a_distance_costs_what_the_distribution_says(distribution):
    """Over all distances the tables cost at most a 500th of a bit more than exact masses."""
    for scale in range(LEAST_SCALE, LARGEST_SCALE + 1, 7):
        bins = 2 ** (scale / 8) + 1 / 32
        reach = int(40 * bins) + 2
        step = max(1, reach // 5_000)
        distances = torch.arange(-reach, reach + 1, step)
        edge = torch.zeros(len(distances), dtype=torch.bool)
        masses = DISTRIBUTIONS[distribution](
            distances.double(), torch.tensor(bins, dtype=torch.float64), edge, edge
        )
        found = coded_bits(distances, torch.full_like(distances, scale), distribution)
        excess = found.symbols + found.escapes + masses / math.log(2)
        assert abs((masses.exp() * excess).sum().item() * step) < 0.002


def test_scales_are_what_they_stand_for():
    """2^(i/8) + 1/32 bins, to all digits of a float64."""
    for scale in range(LEAST_SCALE, LAST_TABLE + 1):
        assert scale_in_bins(scale) / 2**96 == pytest.approx(2 ** (scale / 8) + 1 / 32, rel=1e-14)


@pytest.mark.parametrize("scale", [-24, -8, 0, 10, 25, 40, 70])
def test_the_best_scale_is_the_one_drawn_from(scale):
    """Found from the mean distance alone, and no other is shorter by more than a 1,000th."""
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
