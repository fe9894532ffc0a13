"""The integer tables against the distributions for which they stand."""

import math

import pytest
import torch

from bitfold.entropy_coding.laplace.costs import coded_bits
from bitfold.entropy_coding.laplace.tables import LAST_TABLE, integer_tables, scale_in_bins
from bitfold.entropy_coding.scales.whole_scales import LARGEST_SCALE, LEAST_SCALE
from bitfold.kolmogorov.sums.log_mass import DISTRIBUTIONS


@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
def test_frequencies_add_up_and_are_symmetric(distribution: str) -> None:
    """Each table adds up to 2^16, contains no 0 and is symmetric."""
    tables = integer_tables(distribution)
    for first, reach in zip(tables.firsts, tables.reaches, strict=True):
        starts = tables.starts[first : first + 2 * reach + 4]
        frequencies = (starts[1:] - starts[:-1]).tolist()
        assert starts[0] == 0
        assert sum(frequencies) == 2**16
        assert min(frequencies) >= 1
        assert frequencies == frequencies[::-1]


@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
def test_a_distance_costs_what_the_distribution_says(distribution: str) -> None:
    """On average the tables cost at most a 500th of a bit more than exact masses."""
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


def test_a_scale_is_a_power_of_two_and_a_floor() -> None:
    """Scale i stands for 2^(i/8) + 1/32 bins, to all digits of a float64."""
    for scale in range(LEAST_SCALE, LAST_TABLE + 1):
        assert scale_in_bins(scale) / 2**96 == pytest.approx(2 ** (scale / 8) + 1 / 32, rel=1e-14)
